"""From a run or a model to a package: PyTorch's answers, the build, the comparison, and only then the swap."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.export import bundle, targets
from core.export.card import card
from core.export.makers import maker_class
from core.export.makers.base import FIGURES, Maker
from core.export.options import Options
from core.export.source import Source, open_source
from core.export.targets import Target
from core.runs.files import write_json
from core.runs.state import Stopped

ROWS = 60

Say = Callable[[str], None]


def make(
    target: str,
    options: Options,
    out: Path,
    *,
    data: str | None = None,
    rows: int = ROWS,
    say: Say = lambda what: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> dict[str, Any]:
    """Build a package, compare it with PyTorch, and put it into `out` with a zip beside it.

    All is made in a hidden folder beside `out` and moved when it is whole: an export that fails, is stopped, or whose
    comparison fails leaves an earlier package as it was.

    Args:
        target: as core.models.load.load_run understands it. data: rows to compare on; None: see `questions.ask`.
        rows: at most so many are asked. say, progress, should_stop: for whoever watches.
        began: time.monotonic() when the command began, so that "seconds" has what the imports took.

    Returns:
        The report (its keys: core.export), with "dir" and, where the comparison failed, "exit": 1.

    Raises:
        InputError: target, options or data are wrong. OSError: the disk is full.
    """
    began = time.monotonic() if began is None else began
    device = targets.target(options.device)
    with staging(out) as (staged, work):
        given = open_source(target, work, say, lambda head, config: maker_class(head).check(config, options, device))
        maker = maker_class(given.head)(given, options, device)
        asked = maker.ask(rows, data)
        truth = None
        if device.verifiable()[0]:
            say("asking PyTorch")
            truth = maker.reference(asked, work, lambda done: progress(done, len(asked.prompts)), should_stop)
        _heed(should_stop)
        say("building")
        progress(0, 0)
        maker.build(staged, say)
        _heed(should_stop)
        settings = common(given, maker) | maker.settings(asked)
        bundle.write(staged, settings, maker.entry, device, maker.requirements())
        say("comparing")
        report = begun(given, options) | {"rows": len(asked.prompts), "rows_from": asked.told}
        if truth is None:
            report["rows"] = 0
        try:
            report |= maker.compare(staged, asked, truth)
        except RuntimeError as error:
            report |= {"status": "failed", "message": str(error)}
        _heed(should_stop)
        return finish(staged, work, out, settings, device, report, given, began, say, should_stop)


def common(given: Source, maker: Maker) -> dict[str, Any]:
    """What every tunesmith.json says, but for the hashes."""
    names = {k: v for k, v in given.tokenizer.special_tokens_map.items() if isinstance(v, str)}
    return {
        "made_by": "Tunesmith",
        "title": given.title,
        "kind": maker.kind,
        "head": given.head.name,
        "task": maker.config.task if maker.config is not None else None,
        "base": given.base,
        "run": given.run.id if given.run is not None else None,
        "device": maker.options.device,
        "precision": maker.options.precision,
        "special_tokens": names,
    }


def begun(given: Source, options: Options) -> dict[str, Any]:
    """A report with nothing measured yet."""
    report: dict[str, Any] = {"device": options.device, "precision": options.precision, "weights": given.weights}
    return report | dict.fromkeys(FIGURES) | {"head": given.head.name, "merged": given.merged}


def finish(
    staged: Path,
    work: Path,
    out: Path,
    settings: dict[str, Any],
    device: Target,
    report: dict[str, Any],
    given: Source,
    began: float,
    say: Say,
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """The card, the zip, the swap; or, of a comparison that failed, a note of it beside an earlier package."""
    report |= {"bytes": bundle.model_bytes(staged), "made": time.time()}
    if report["status"] == "failed":
        report["seconds"] = round(time.monotonic() - began, 2)
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "failed.json", report)
        return {"dir": str(out), **report, "exit": 1}
    say("packing")
    words = card(settings, device, report, given.licence, given.run)
    (staged / "README.md").write_text(words, encoding="utf-8", newline="\n")
    name = f"{given.run.id if given.run is not None else given.base.replace('/', '-')}-{out.name}"
    bundle.pack(staged, work / "package.zip", name)
    _heed(should_stop)
    bundle.swap(staged, out)
    (work / "package.zip").replace(out.with_name(f"{out.name}.zip"))
    (out / "failed.json").unlink(missing_ok=True)
    report["seconds"] = round(time.monotonic() - began, 2)
    write_json(out / "report.json", report)
    return {"dir": str(out), **report}


@contextmanager
def staging(out: Path) -> Iterator[tuple[Path, Path]]:
    """(a folder for the package, a folder for what is large), both hidden beside `out` and gone in the end.

    What a killed export of the same package left behind goes first. Only one is at work on it: see StateFile.working.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for old in out.parent.glob(f".{out.name}.*"):
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
        work = Path(name)
        (work / "package").mkdir()
        yield work / "package", work


def _heed(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped

"""From a run or a model to packages: PyTorch's answers, the build, the comparison, and only then the swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export import bundle, targets
from core.export.card import card
from core.export.makers import maker_class
from core.export.makers.base import FIGURES, Maker
from core.export.mobile import layout as phone
from core.export.options import Options
from core.export.source import Source, open_source
from core.export.staging import staging as staging
from core.export.targets import Target
from core.export.web import layout
from core.models.heads import Head
from core.runs.files import write_json
from core.runs.state import Stopped

ROWS = 60
BROWSER = "webgpu"  # its packages are laid out for transformers.js
PHONE = "mobile"  # and its for onnxruntime's small builds

Say = Callable[[str], None]
Progress = Callable[[float, float], None]


class Exporting:
    """A run or a model that is being exported: loaded once, and PyTorch asked once, for however many packages.

    Args:
        target: as core.models.load.load_run understands it. choices: what will be built; looked at before anything is
            loaded. work: a folder for what is large. data: rows to compare on; None: see `questions.ask`.
        rows: at most so many are asked. say, progress, should_stop: for whoever watches.

    Raises:
        InputError: target, choices or data are wrong.
    """

    def __init__(
        self,
        target: str,
        choices: Sequence[Options],
        work: Path,
        *,
        data: str | None = None,
        rows: int = ROWS,
        say: Say = lambda what: None,
        progress: Progress = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.work, self.say, self.progress, self.should_stop = work, say, progress, should_stop

        def check(head: Head, config: Mapping[str, Any]) -> None:
            for options in choices:
                maker_class(head).check(config, options, targets.target(options.device))
                if options.device == BROWSER:
                    layout.check(config, maker_class(head).kind, options)

        self.given = open_source(target, work, say, check)
        if maker_class(self.given.head).kind != "reader" and any(one.calibration == "static" for one in choices):
            say("static calibration is left aside: it is of int8 of models that read, and this one writes")
        self._rows, self._data = rows, data
        self._asked: Any = None
        self._truth: Any = None

    def package(self, options: Options, out: Path, staged: Path, began: float) -> dict[str, Any]:
        """Build a package in `staged`, compare it, and put it into `out`. The report, see `make`."""
        device = targets.target(options.device)
        maker = maker_class(self.given.head)(self.given, options, device)
        if self._asked is None:
            self._asked = maker.ask(self._rows, self._data)
        asked = self._asked
        if maker.compared and self._truth is None:
            self.say("asking PyTorch")
            self._truth = maker.reference(
                asked, self.work, lambda done: self.progress(done, len(asked.prompts)), self.should_stop
            )
        self._heed()
        self.say("building")
        self.progress(0, 0)
        maker.build(staged, self.say)
        self._heed()
        settings = common(self.given, maker) | maker.settings(asked)
        if options.device == BROWSER:
            settings |= layout.lay_out(staged, maker.kind, options.precision, settings, self.given.folder)
        elif options.device == PHONE:
            settings |= phone.lay_out(staged, maker.kind)
        bundle.write(staged, settings, maker.entry, device, maker.requirements())
        self.say("comparing")
        report = begun(self.given, options) | {"rows": len(asked.prompts), "rows_from": asked.told}
        try:
            report |= maker.compare(staged, asked, self._truth if maker.compared else None)
        except RuntimeError as error:
            report |= {"status": "failed", "message": str(error)}
        report = by_proxy(report, maker)
        self._heed()
        return finish(staged, self.work, out, settings, device, report, self.given, began, self.say, self.should_stop)

    def _heed(self) -> None:
        if self.should_stop():
            raise Stopped


def make(target: str, options: Options, out: Path, *, began: float | None = None, **watching: Any) -> dict[str, Any]:
    """Build a package, compare it with PyTorch, and put it into `out` with a zip beside it.

    All is made in a hidden folder beside `out` and moved when it is whole: an export that fails, is stopped, or whose
    comparison fails leaves an earlier package as it was.

    Args:
        target, watching: see Exporting.
        began: time.monotonic() when the command began, so that "seconds" has what the imports took.

    Returns:
        The report (its keys: core.export), with "dir" and, where the comparison failed, "exit": 1.

    Raises:
        InputError: target, options or data are wrong. OSError: the disk is full.
    """
    began = time.monotonic() if began is None else began
    with staging(out) as (staged, work):
        return Exporting(target, [options], work, **watching).package(options, out, staged, began)


def make_all(
    target: str,
    choices: Sequence[Options],
    folder: Path,
    *,
    began: float | None = None,
    on_report: Callable[[dict[str, Any]], None] = lambda report: None,
    **watching: Any,
) -> list[dict[str, Any]]:
    """The same model as several packages, `folder`/<device>-<precision> each, with PyTorch asked once.

    A precision that cannot be made, or whose comparison fails, is told in its report and does not keep the others from
    being made. on_report: told of each as it is there. For the rest see `make`.
    """
    began = time.monotonic() if began is None else began
    say = watching.pop("say", lambda what: None)
    made: list[dict[str, Any]] = []
    with staging(folder / f"{choices[0].device}-all") as (_, work):
        exporting = Exporting(target, choices, work, say=say, **watching)
        for place, options in enumerate(choices, 1):
            exporting.say = lambda what, o=options, n=place: say(f"{o.precision} ({n} of {len(choices)}): {what}")  # type: ignore[misc]
            out = folder / f"{options.device}-{options.precision}"
            try:
                with staging(out) as (staged, _):
                    made.append(exporting.package(options, out, staged, began))
            except InputError as error:
                report = begun(exporting.given, options) | {
                    "status": "failed",
                    "message": str(error),
                    "made": time.time(),
                }
                made.append(not_good(out, report, began))
            on_report(made[-1])
            began = time.monotonic()
    return made


def by_proxy(report: dict[str, Any], maker: Maker) -> dict[str, Any]:
    """Where this machine's processor ran the package in the device's place, that proves the graph, not the device."""
    if not maker.stands_in or report["status"] == "failed":
        return report
    found = {"status": report["status"], "message": report["message"]}
    why = maker.target.verifiable(maker.kind)[1]
    message = f"Built, and not run on {maker.target.label}. {why} On this machine's processor: {found['message']}"
    return report | {"status": "not verified here", "message": message, "on_processor": found}


def common(given: Source, maker: Maker) -> dict[str, Any]:
    """What every tunesmith.json says, but for the hashes."""
    names = {k: v for k, v in given.tokenizer.special_tokens_map.items() if isinstance(v, str)}
    return {
        "made_by": bundle.MADE_BY,
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
    report |= dict.fromkeys(FIGURES) | {"head": given.head.name, "merged": given.merged}
    return report | {"options": asdict(options)}


def not_good(out: Path, report: dict[str, Any], began: float) -> dict[str, Any]:
    """A note of a comparison that failed, beside an earlier package, which stays."""
    report["seconds"] = round(time.monotonic() - began, 2)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "failed.json", report)
    return {"dir": str(out), **report, "exit": 1}


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
    """The card, the zip, and the swap with an earlier package; a comparison that failed is only noted beside that.

    Raises:
        Stopped: `should_stop` said so; an earlier package is as it was.
    """
    report |= {"bytes": bundle.model_bytes(staged), "made": time.time()}
    if report["status"] == "failed":
        return not_good(out, report, began)
    say("packing")
    words = card(settings, device, report, given.licence, given.run)
    (staged / "README.md").write_text(words, encoding="utf-8", newline="\n")
    name = f"{given.run.id if given.run is not None else given.base.replace('/', '-')}-{out.name}"
    bundle.pack(staged, work / "package.zip", name, should_stop)
    if should_stop():
        raise Stopped
    bundle.swap(staged, out)
    (work / "package.zip").replace(out.with_name(f"{out.name}.zip"))
    (out / "failed.json").unlink(missing_ok=True)
    report["seconds"] = round(time.monotonic() - began, 2)
    write_json(out / "report.json", report)
    return {"dir": str(out), **report}

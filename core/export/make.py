"""From a run or a model to a package: PyTorch's answers, the build, the comparison, and only then the swap."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core import tasks
from core.export import bundle, decoder, questions, reference, source, verify
from core.export.targets import Target
from core.runs.files import write_json

ROWS = 60
NEW_TOKENS = 64  # where no config says how long an answer may be

Say = Callable[[str], None]


def make(
    target: str,
    device: Target,
    precision: str,
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
        InputError: target, device or data are wrong. OSError: the disk is full.
    """
    began = time.monotonic() if began is None else began
    out.parent.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as work:
        staged = Path(work) / "package"
        staged.mkdir()
        given = source.open_source(target, Path(work), say)
        config = given.run.config() if given.run is not None else None
        asked = questions.ask(config, given.tokenizer, rows, data)
        able = device.verifiable()[0]
        limit = config.evaluation.max_new_tokens if config is not None else NEW_TOKENS
        context = int(given.model.config.max_position_embeddings)
        limit = max(1, min(limit, context - max(map(len, asked.prompts))))
        answers = None
        if able:
            say("asking PyTorch")
            answers = reference.answer(
                given.model,
                given.tokenizer,
                asked.prompts,
                Path(work),
                end_ids=given.end_ids,
                max_new_tokens=limit,
                on_row=lambda done: progress(done, len(asked.prompts)),
                should_stop=should_stop,
            )
        say("building")
        progress(0, 0)
        decoder.build(given.folder, device, precision, staged, end_ids=given.end_ids, pad_id=given.pad_id)
        settings = _settings(given, asked, device, precision, limit=limit, context=context)
        bundle.write(staged, settings, device)
        say("comparing")
        report = _compare(staged, given, asked, answers, device, precision, limit, settings["task"])
        report |= {"bytes": bundle.model_bytes(staged), "made": time.time()}
        if report["status"] == "failed":
            report["seconds"] = round(time.monotonic() - began, 2)
            out.mkdir(parents=True, exist_ok=True)
            write_json(out / "failed.json", report)
            return {"dir": str(out), **report, "exit": 1}
        say("packing")
        note = bundle.licence_note(given.licence)
        (staged / "README.md").write_text(bundle.readme(settings, device, report, note), encoding="utf-8", newline="\n")
        name = f"{given.run.id if given.run is not None else given.base.replace('/', '-')}-{device.device}-{precision}"
        bundle.pack(staged, Path(work) / "package.zip", name)
        bundle.swap(staged, out)
        (Path(work) / "package.zip").replace(out.with_name(f"{out.name}.zip"))
        (out / "failed.json").unlink(missing_ok=True)
        report["seconds"] = round(time.monotonic() - began, 2)
        write_json(out / "report.json", report)
    return {"dir": str(out), **report}


def _compare(
    staged: Path,
    given: source.Source,
    asked: questions.Questions,
    answers: reference.Reference | None,
    device: Target,
    precision: str,
    limit: int,
    task: str | None,
) -> dict[str, Any]:
    """The report but for size and time."""
    report: dict[str, Any] = {"device": device.device, "precision": precision, "weights": given.weights}
    empty = ("greedy_match", "token_match", "max_logit_difference", "logit_range", "largest_logit", "logit_rows")
    report |= dict.fromkeys(("status", "message", "rows", "rows_from", *empty, "differing", "metric"))
    report |= {"rows": 0, "rows_from": asked.told, "tokens_per_second": None, "load_seconds": None}
    try:
        if answers is None:
            verify.check_prompts(staged, asked.prompts, asked.rows)
            report["status"], report["message"] = verify.not_here(device)
            return report
        found = verify.compare(
            staged,
            asked.prompts,
            answers.answers,
            answers.logits,
            max_new_tokens=limit,
            rows=asked.rows,
            timed=reference.TIMED_ROWS,
        )
    except RuntimeError as error:
        return report | {"status": "failed", "message": str(error)}
    metric = None
    if asked.wants is not None and task is not None:
        theirs, ours = (
            tasks.get(task).score(asked.wants, [_text(given.tokenizer, ids) for ids in some])
            for some in (answers.answers, found.answers)
        )
        name = tasks.get(task).METRICS[0]
        metric = verify.Metric(name, theirs[name], ours[name])
    status, message = verify.judge(found, metric, precision, given.weights)
    figures = asdict(found)
    del figures["answers"]
    report |= {name: value for name, value in figures.items() if name in report}
    if not math.isfinite(found.max_logit_difference):
        report["max_logit_difference"] = None
    speeds = {"pytorch": round(answers.tokens_per_second, 1), "onnx": round(found.tokens_per_second, 1)}
    return report | {
        "status": status,
        "message": message,
        "metric": asdict(metric) if metric is not None else None,
        "tokens_per_second": speeds,
    }


def _settings(
    given: source.Source, asked: questions.Questions, device: Target, precision: str, *, limit: int, context: int
) -> dict[str, Any]:
    """tunesmith.json, but for the hashes."""
    config = given.run.config() if given.run is not None else None
    names = {k: v for k, v in given.tokenizer.special_tokens_map.items() if isinstance(v, str)}
    return {
        "made_by": "Tunesmith",
        "title": given.title,
        "task": config.task if config is not None else None,
        "base": given.base,
        "run": given.run.id if given.run is not None else None,
        "device": device.device,
        "precision": precision,
        **asked.form,
        "chat": asked.form["template"] is None,
        "special_tokens": names,
        "end_ids": given.end_ids,
        "pad_id": given.pad_id,
        "prompt_tokens": config.data.max_tokens if config is not None else 512,
        "max_new_tokens": limit,
        "context": context,
    }


def _text(tokenizer: Any, ids: list[int]) -> str:
    """An answer as evaluation reads it."""
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()


def _sweep(out: Path) -> None:
    """Remove what a killed export of this package left behind. Only one is at work on it: see StateFile.working."""
    for old in out.parent.glob(f".{out.name}.*"):
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)

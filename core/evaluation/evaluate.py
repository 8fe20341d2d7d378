"""Measure a model or a run on rows that it never saw, beside its base model, and say how sure the difference is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.config import DataConfig, RunConfig, build
from core.data.dataset import open_examples
from core.data.sources import Source
from core.data.split import split_source
from core.data.template import Wording, parse
from core.errors import InputError
from core.evaluation import frequent
from core.evaluation import metrics as table
from core.evaluation.measure import Measured, Subject, head_for, measure, work
from core.evaluation.metrics.base import Metric
from core.evaluation.result import compose, predictions
from core.evaluation.rows import Chosen, choose, groups, known
from core.models.heads import Head
from core.runs import store
from core.runs.files import plain, write_json, write_text
from core.runs.store import Run
from core.tasks import get
from core.tasks.objective import LIKELIHOOD, objective_class

OWN_BASE = "base"

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Evaluation:
    """What came of it: `result` has the keys of docs/commands.md, `predictions` a dict a row: see result.py."""

    result: dict[str, Any]
    predictions: list[dict[str, Any]]


def evaluate(
    target: str | Run,
    data: str | None = None,
    *,
    split: str | None = None,
    metrics: list[str] | None = None,
    baseline: str | None = OWN_BASE,
    max_rows: int | None = None,
    task: str | None = None,
    template: str | None = None,
    max_new_tokens: int | None = None,
    out_dir: str | Path | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Evaluation:
    """Measure a target and a baseline on the same rows.

    Args:
        target: a run (or its id or directory), a model folder, an adapter folder, or a Hub id.
        data, split: the rows; see core.evaluation.rows.choose.
        metrics: names; None: those of the task; of a model that writes also perplexity, bits_per_byte,
            stopped_by_itself.
        baseline: the same kinds as target; "base": the base model of the run (a model alone has none), or the most
            frequent label where the base has no such head; None: nothing.
        max_rows, max_new_tokens: None: as the run's config says.
        task, template: of a model alone; a run has its own. Without a template the model's chat template is used.
        out_dir: where evaluation/result.json and predictions/heldout.jsonl go; None: the run's directory, if it is one.
        on_progress: takes done, total (weighted rows) and words such as "answering with the base model, row 40 of 200".
        should_stop: asked at every token.

    Raises:
        InputError: whatever cannot be used, with its field. core.runs.state.Stopped: `should_stop` said so.
    """
    began = time.time()
    run = target if isinstance(target, Run) else store.find(target)
    name = run.id if run is not None else str(target)
    config = _config(run, name, baseline, task, template)
    limit = max_new_tokens or config.evaluation.max_new_tokens
    chosen = choose(config if run is not None else None, data, split, max_rows or config.evaluation.max_rows)
    notes = [*chosen.notes]
    subjects = _subjects(run, name, config, baseline)
    head = head_for(subjects[-1].target, config)
    if subjects[0].base and frequent.begins_at_random(config, subjects[-1].target, head):
        subjects[0] = Subject(frequent.NAME, frequent.NAME, frequent=head)
    wanted = _wanted(config, chosen, metrics, notes, head)
    answering = any({"predictions", "stopped"} & set(m.inputs) for m in wanted.values())
    reading = any("nll" in m.inputs for m in wanted.values())
    labelled = _labelled(chosen, run, config, notes) if config.task == "classification" and answering else None
    total, each = len(chosen.places), work(len(chosen.places), answering, reading)
    found: list[Measured] = []
    for number, subject in enumerate(subjects):

        def tell(units: float, rows: float, what: str, offset: float = number * each) -> None:
            if on_progress:
                row = f", row {int(rows):,} of {total:,}" if rows else ""
                on_progress(offset + units, each * len(subjects), what + row)

        one = measure(
            subject, chosen, config, labelled=labelled, answering=answering, reading=reading, max_new_tokens=limit,
            tell=tell, should_stop=should_stop,
        )  # fmt: skip
        found = [*(before.only(one.rows.places) for before in found), one]
        chosen = replace(chosen, places=one.rows.places)
    notes += [leak] if run is not None and (leak := _leaks(chosen, config)) else []
    grouped = groups(chosen, config)
    result = compose(config.task, wanted, found, grouped, notes) | {
        "target": name,
        "run": run.id if run is not None else None,
        "baseline_name": subjects[0].target if len(subjects) > 1 else None,
        "data": {
            "name": chosen.source.name,
            "path": chosen.source.path,
            "which": chosen.which,
            "rows": len(chosen.source.rows),
            "fingerprint": chosen.source.fingerprint,
        },
        "max_new_tokens": limit,
        "seconds": round(time.time() - began, 2),
    }
    made = Evaluation(plain(result), plain(predictions(config.task, found, grouped)))
    out = Path(out_dir) if out_dir is not None else run.dir if run is not None else None
    if out_dir is not None:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    if out is not None:
        write(made, out)
    return made


def write(made: Evaluation, out: Path) -> None:
    """evaluation/result.json and predictions/heldout.jsonl in a run directory, the result last.

    Raises:
        OSError: they could not be written; what stood there before still stands.
    """
    for name in ("evaluation", "predictions"):
        (out / name).mkdir(exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in made.predictions]
    write_text(out / "predictions" / "heldout.jsonl", "".join(lines))
    write_json(out / "evaluation" / "result.json", made.result)


def _config(run: Run | None, target: str, baseline: str | None, task: str | None, template: str | None) -> RunConfig:
    """How rows are rendered and scored: as the run says; of a model alone as its baseline's run or the options say."""
    other = store.find(baseline) if run is None and baseline not in (None, OWN_BASE) else None
    if run is not None or other is not None:
        owner = run or other
        assert owner is not None  # noqa: S101 - for the type checker
        if task is not None or template is not None:
            raise InputError(
                f"The run {owner.id} brings its task and template: leave out --task and --template.", "task"
            )
        return owner.pinned()
    get(task or "generation")
    if template is not None and not template.strip():
        raise InputError("The template is empty: leave it out to use the model's chat template.", "data.template")
    data: dict[str, Any] = {"template": template, "max_tokens": DataConfig().max_tokens}
    return build({"task": task or "generation", "model": {"path": target}, "data": data})


def _wanted(
    config: RunConfig, chosen: Chosen, names: list[str] | None, notes: list[str], head: Head
) -> dict[str, Metric]:
    """The metrics to reckon, the main one first."""
    kind = objective_class(head)
    given = names or kind.measures(config, chosen)
    wanted = {name: table.find(name) for name in given}
    if not kind.likelihood:
        if wrong := [name for name in given if name in LIKELIHOOD]:
            raise InputError(f"{wrong[0]} is of texts that a model writes, and this one {head.label}.", "metrics")
        return wanted
    template = Wording.of(config.data).text
    if template is None or not all(part.answer for part in parse(template, tuple(chosen.source.columns))):
        return wanted
    wanted = {name: metric for name, metric in wanted.items() if "nll" in metric.inputs}
    if not wanted:
        raise InputError(
            f"The template {template!r} has no prompt, so there is nothing to ask: perplexity can be measured, "
            f"{', '.join(given)} cannot.",
            "data.template",
        )
    notes.append("The whole of each row is the answer, so nothing can be asked: how likely the rows are is measured.")
    return wanted


def _subjects(run: Run | None, target: str, config: RunConfig, baseline: str | None) -> list[Subject]:
    """What is measured, the baseline first, so that the target's figures come last and both are never in memory."""
    tuned = Subject(str(run.dir) if run is not None else target, "tuned model" if run else "model")
    if baseline is None or (baseline == OWN_BASE and run is None):
        return [tuned]
    if baseline == OWN_BASE:
        return [Subject(config.model.path, "base model", True, config.model.revision), tuned]
    return [Subject(baseline, "baseline"), tuned]


def _labelled(chosen: Chosen, run: Run | None, config: RunConfig, notes: list[str]) -> tuple[Source, Sequence[int]]:
    """The rows whose answers are the labels to choose from: the run's training data, else those measured on."""
    if run is not None:
        try:
            source = open_examples(config)
            return source, range(len(source.rows))
        except InputError:
            notes.append("The training data is no longer there: the labels to choose from are those of these rows.")
    return chosen.source, chosen.places


def _leaks(chosen: Chosen, config: RunConfig) -> str:
    """One sentence when rows measured on were trained on, or ""."""
    if chosen.which not in ("held-out", "given"):
        return ""
    try:
        source = open_examples(config)
    except InputError:
        return ""  # the training data is no longer there
    count = known(chosen, source, split_source(source, config).train, config)
    if not count:
        return ""
    rows = f"{count:,} of the {len(chosen.places):,} rows"
    return f"{rows} were trained on, word for word: on them memory is measured, not skill."

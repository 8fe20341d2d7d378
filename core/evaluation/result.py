"""From what models answered to what is shown: metrics, differences, groups, the confusion matrix, and every answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.evaluation.bootstrap import paired
from core.evaluation.measure import Measured
from core.evaluation.metrics import fields, match
from core.evaluation.metrics.alike import is_number
from core.evaluation.metrics.base import Floats, Metric, normal
from core.tasks.classification import MOST_LABELS

OTHER = "(something else)"
MOST_CONFUSED = 100  # labels beyond which a matrix says nothing to the eye
FEW_ROWS = 20
WRITTEN = {
    "label": "Writes the label",
    "meaning": "Share of the rows where the model, left to write freely, writes just the right label.",
}

Groups = dict[str, list[str]]


def compose(
    task: str, wanted: dict[str, Metric], found: list[Measured], grouped: Groups, notes: list[str]
) -> dict[str, Any]:
    """The result: what docs/commands.md names, and more.

    Args:
        found: the target's, last; before it the baseline's, if there is one. Only rows that both could be asked count.
        grouped: column -> value of each row of the target.

    Returns:
        rows, metrics, baseline, difference (see bootstrap.paired; target minus baseline), task, main_metric, about,
        stopped_by_itself, groups, labels, confusion, baseline_confusion, per_label, notes.
    """
    target, base = found[-1], found[0] if len(found) > 1 else None
    choosing = task == "classification" and target.labels is not None
    sums = [{name: m.rows(one.columns(m, choosing and name == "exact_match")) for name, m in wanted.items()}
            for one in found]  # fmt: skip
    values = [{name: _value(wanted[name], part) for name, part in one.items()} for one in sums]
    differences = {}
    if base is not None:
        found_both = paired({name: (wanted[name], sums[0][name], sums[-1][name]) for name in wanted})
        differences = {name: d for name, d in found_both.items() if all(map(math.isfinite, d.values()))}
    count = len(target.rows.places)
    notes = [*notes, *(f"{_rows(n)} left out: {why}." for why, n in target.rows.skipped.items())]
    for metric in wanted.values():
        notes += metric.notes(target.rows.wants)
    if task == "classification" and not choosing and target.answers:
        notes.append(
            f"There are more than {MOST_LABELS} labels: the answer is what the model writes, not chosen among them."
        )
    if count < FEW_ROWS:
        notes.append(f"{count:,} rows are few: the figures would come out otherwise on others.")
    about = {name: metric.about() | (WRITTEN if choosing and name == "exact_match" else {})
             for name, metric in wanted.items()}  # fmt: skip
    result: dict[str, Any] = {
        "rows": count,
        "metrics": values[-1],
        "baseline": values[0] if base is not None else None,
        "difference": differences,
        "task": task,
        "main_metric": next(iter(wanted)),
        "about": about,
        "stopped_by_itself": values[-1].get("stopped_by_itself"),
        "groups": _groups(grouped, wanted, sums),
        "labels": target.labels,
        "confusion": None,
        "baseline_confusion": None,
        "per_label": None,
        "notes": notes,
    }
    if task == "classification" and target.answers:
        result |= _labels(target, base)
    return result


def _value(metric: Metric, rows: Floats) -> float:
    return float(metric.value(rows.sum(axis=0))) if len(rows) else 0.0


def _rows(count: int) -> str:
    return "1 row was" if count == 1 else f"{count:,} rows were"


def _groups(grouped: Groups, wanted: dict[str, Metric], sums: list[dict[str, Floats]]) -> dict[str, Any]:
    """By column and value: {"rows", each metric, "baseline": {each metric}}."""
    out: dict[str, Any] = {}
    for column, values in grouped.items():
        out[column] = {}
        for value in sorted(set(values)):
            here = np.array([v == value for v in values])
            each = [{name: _value(m, one[name][here]) for name, m in wanted.items()} for one in sums]
            out[column][value] = {"rows": int(here.sum()), **each[-1], "baseline": each[0] if len(each) > 1 else None}
    return out


def _labels(target: Measured, base: Measured | None) -> dict[str, Any]:
    """labels, confusion matrices and figures by label. What is none of the labels counts as OTHER."""
    names = sorted({normal(text) for text in (*(target.labels or ()), *target.rows.wants)})
    if len(names) > MOST_CONFUSED:
        return {"labels": names}
    known, every = set(names), [*names]
    given = {id(one): [normal(a.text) if normal(a.text) in known else OTHER for a in one.answers]
             for one in (target, base) if one is not None}  # fmt: skip
    if any(OTHER in answers for answers in given.values()):
        every.append(OTHER)

    def matrix(one: Measured) -> dict[str, Any]:
        return {"labels": every, "counts": match.confusion(one.rows.wants, given[id(one)], every)}

    return {
        "labels": names,
        "confusion": matrix(target),
        "baseline_confusion": matrix(base) if base is not None else None,
        "per_label": match.per_label(target.rows.wants, given[id(target)], every)[: len(names)],
    }


def predictions(task: str, found: list[Measured], grouped: Groups) -> list[dict[str, Any]]:
    """One dict a row: row (of the source), prompt, want, base, tuned, base_ok, tuned_ok, base_stopped, tuned_stopped.

    "tuned" is the target, whatever it is. A similarity is never ok or not: it is null. Of a classification also what
    each wrote freely (base_written, tuned_written) and how probable its label was among all (base_score, tuned_score).
    "group": the value of the first grouping column.
    """
    target, base = found[-1], found[0] if len(found) > 1 else None
    right = {id(one): _right(task, one) for one in found}
    out = []
    for i, place in enumerate(target.rows.places):
        row: dict[str, Any] = {"row": place, "prompt": target.rows.shown[i], "want": target.rows.wants[i]}
        for who, one in (("base", base), ("tuned", target)):
            answer = one.answers[i] if one is not None and one.answers else None
            row[who] = answer.text if answer else None
            row[f"{who}_ok"] = right[id(one)][i] if answer else None
            row[f"{who}_stopped"] = answer.stopped if answer else None
            if task == "classification":
                row[f"{who}_written"] = answer.written if answer else None
                row[f"{who}_score"] = answer.score if answer else None
        for values in list(grouped.values())[:1]:
            row["group"] = values[i]
        out.append(row)
    return out


def _right(task: str, one: Measured) -> list[bool] | list[None]:
    """Which answers are wholly right: all fields of an extraction, else the text; None for what is near or far."""
    texts: Sequence[str] = [a.text for a in one.answers]
    if not texts:
        return []
    if task == "similarity" and all(map(is_number, one.rows.wants)):
        return [None] * len(texts)
    if task == "extraction":
        rows = fields.field_rows(one.rows.wants, texts)
        return [bool(hit == total) for hit, total in rows]
    return [bool(hit) for hit, _ in match.same(one.rows.wants, texts)]

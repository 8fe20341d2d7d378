"""The figures of an evaluation: base against tuned as bars and an interval, groups, the confusion matrix."""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

from ui.parts import badge, table

FREQUENT = "most frequent label"  # core.evaluation.frequent.NAME
MOST_CELLS = 10  # labels of a confusion matrix that is drawn as a table with figures
MOST_NAMES = 100  # characters that the names of its columns may take, each as wide as the longest
MOST_PAIRS = 12  # pairs of labels confused that are listed
SIDE, NAMES = 480, 150  # of a heat map, in its own units: its side, and the room for the names of labels
KINDS = {"better": "ok", "same": "same", "worse": "bad"}


def figure(value: float | None, unit: str) -> str:
    """A metric's value for people: shares as per cent, points with one digit, the rest with three that count."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "share":
        return f"{value * 100:.1f}&thinsp;%"
    return f"{value:.1f}" if unit == "points" else big(value)


def big(value: float) -> str:
    """A positive number of any size in few digits: 1.83, 41.2, 4,096, 2.1e+07."""
    if value >= 1e6:
        return f"{value:.2g}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def scaled(value: float, unit: str) -> float:
    """Shares are compared in points of a hundred."""
    return value * 100 if unit == "share" else value


def signed(value: float) -> str:
    """A difference with its sign, as typography has it, and as many digits as it deserves."""
    size = abs(value)
    text = f"{size:.1f}" if 1 <= size < 1000 else f"{size:.2g}" if size < 1 else big(size)
    return "0" if value == 0 else f"{'−' if value < 0 else '+'}{text}"


def verdict(difference: dict[str, Any], higher_is_better: bool) -> str:
    """better, same (no clear difference: the interval holds zero) or worse."""
    low, high = difference["low"], difference["high"]
    if low <= 0 <= high:
        return "same"
    return "better" if (low > 0) == higher_is_better else "worse"


def axis(low: float, high: float) -> tuple[float, float]:
    """Round ends of an axis that holds an interval and zero, with room on both sides."""
    low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0
    step = 10 ** math.floor(math.log10(span)) / 2
    left, right = math.floor((low - span * 0.12) / step) * step, math.ceil((high + span * 0.12) / step) * step
    return left, right


def card(about: dict[str, Any], base: float | None, tuned: float | None, difference: dict[str, Any] | None) -> str:
    """One metric: what it means, base and tuned as bars, the interval of the difference, and a verdict in words."""
    unit, higher = about["unit"], about["higher_is_better"]
    top = 1.0 if unit == "share" else 100.0 if unit == "points" else max(tuned or 0.0, base or 0.0) or 1.0
    beside = about.get("beside", "base")
    bars = (_bar(beside, base, top, unit, "--steel") if base is not None else "") + _bar(
        "tuned", tuned, top, unit, "--heat"
    )
    note = "" if higher else " <b>Lower is better.</b>"
    return (
        f'<div class="card figure"><h2>{escape(about["label"])}</h2><p class="quiet small">{escape(about["meaning"])}'
        f"{note}</p>{bars}{_interval(difference, unit, higher, beside) if difference else ''}</div>"
    )


def _bar(who: str, value: float | None, top: float, unit: str, colour: str) -> str:
    width = min(100.0, max(0.0, value / top * 100)) if value is not None else 0.0
    return (
        f'<div class="versus"><span>{who}</span><div class="rail thick">'
        f'<i style="width:{width:.1f}%;--c:var({colour})"></i></div><b>{figure(value, unit)}</b></div>'
    )


def words(difference: dict[str, Any], unit: str, higher: bool) -> str:
    """The verdict in words, such as "better: +14.0 points"."""
    how = verdict(difference, higher)
    name = {"better": "better", "same": "no clear difference", "worse": "worse"}[how]
    points = " points" if unit in ("share", "points") else ""
    return f"{name}: {signed(scaled(difference['mean'], unit))}{points}"


def _interval(difference: dict[str, Any], unit: str, higher: bool, beside: str) -> str:
    low, high, mean = (scaled(difference[k], unit) for k in ("low", "high", "mean"))
    left, right = axis(low, high)
    at = lambda v: f"{(v - left) / (right - left) * 100:.1f}%"  # noqa: E731
    interval = f"95 % interval {signed(low)} to {signed(high)}"
    said = words(difference, unit, higher)
    points = " points" if unit in ("share", "points") else ""
    return (
        f'<div class="interval" role="img" aria-label="{said}, {interval}"><i class="zero" style="left:{at(0)}"></i>'
        f'<i class="span" style="left:{at(low)};width:{(high - low) / (right - left) * 100:.1f}%"></i>'
        f'<i class="dot" style="left:{at(mean)}"></i><span style="left:{at(0)}">{beside}</span>'
        f'<span class="end">{_end(left)}</span><span class="end r">{_end(right)}{points}</span></div>'
        f"<p>{badge(KINDS[verdict(difference, higher)], said)}</p><p class='quiet small'>{interval}</p>"
    )


def _end(value: float) -> str:
    size = f"{abs(value):,.0f}" if abs(value) >= 1000 else f"{abs(value):g}"
    return "0" if value == 0 else f"{'−' if value < 0 else '+'}{size}"


def cards(result: dict[str, Any], names: list[str]) -> str:
    """The cards of some metrics, side by side."""
    return '<div class="cards">' + "".join(card(*row(result, name)) for name in names) + "</div>"


def row(result: dict[str, Any], name: str) -> tuple[dict[str, Any], float | None, float | None, dict[str, Any] | None]:
    """(about, base, tuned, difference) of a metric; base and difference are None where there is no baseline."""
    about = result.get("about", {}).get(name) or {"label": name, "unit": "", "higher_is_better": True, "meaning": ""}
    base, difference = (result.get("baseline") or {}).get(name), (result.get("difference") or {}).get(name)
    about = about | {"beside": against(result)}
    known = difference is not None and None not in difference.values()  # a perplexity beyond all bounds is None
    return about, base, result["metrics"][name], difference if known else None


def against(result: dict[str, Any]) -> str:
    """What the tuned model is measured against, short: a head that was never trained says nothing to compare with."""
    return "majority" if result.get("baseline_name") == FREQUENT else "base"


def all_figures(result: dict[str, Any]) -> str:
    """Every metric in one table, with its verdict."""
    rows = []
    for name in result["metrics"]:
        about, base, tuned, difference = row(result, name)
        unit, higher = about["unit"], about["higher_is_better"]
        label = f'<b>{escape(about["label"])}</b><br><span class="quiet small">{escape(about["meaning"])}</span>'
        mark = badge(KINDS[verdict(difference, higher)], words(difference, unit, higher)) if difference else ""
        rows.append([label, figure(base, unit), figure(tuned, unit), mark])
    heads = ["Metric", f"{against(result).capitalize()}#", "Tuned#", "Difference"]
    return table(heads, rows, caption="All figures")


def confusion(matrix: dict[str, Any]) -> str:
    """Rows are the true labels, columns the predictions; right answers lie on the diagonal.

    With more labels than a table can hold it is a heat map, and a table of the pairs that are confused most.
    """
    labels, counts = matrix["labels"], matrix["counts"]
    if len(labels) > MOST_CELLS or len(labels) * max(len(str(label)) for label in labels) > MOST_NAMES:
        return _heat_map(labels, counts) + _confused(labels, counts)
    top = max((max(r) for r in counts), default=0) or 1

    def cell(i: int, j: int, n: int) -> str:
        kind = "nil" if not n else "hit" if i == j else "miss"
        return f'<td class="{kind}" style="--a:{n / top * 85 + 15:.0f}%">{n or "·"}</td>'

    body = "".join(
        f'<tr><th scope="row">{_foldable(name)}</th>'
        + "".join(cell(i, j, n) for j, n in enumerate(counts[i]))
        + "</tr>"
        for i, name in enumerate(labels)
    )
    head = "".join(f'<th scope="col">{_foldable(name)}</th>' for name in labels)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion">'
        '<caption class="gone">Rows are the true labels, columns what the tuned model said</caption><thead><tr>'
        f'<td class="quiet small">true ↓ said →</td>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _heat_map(labels: list[Any], counts: list[list[int]]) -> str:
    """A square for each pair of labels that occurs; the pointer tells which and how often."""
    many = len(labels)
    step = max(SIDE / many, 6.0)
    named = step >= 11  # else their names would lie on one another
    left, top = (NAMES if named else 20), (NAMES if named else 20)
    side, most = step * many, max((max(row) for row in counts), default=0) or 1
    marks = []
    for i, row in enumerate(counts):
        total = sum(row) or 1
        for j, n in enumerate(row):
            if n:
                title = (
                    f"{labels[i]} → {labels[j]}: {n:,} of {total:,} rows"
                    if i != j
                    else f"{labels[i]}: {n:,} of {total:,} right"
                )
                marks.append(
                    f'<rect class="{"hit" if i == j else "miss"}" x="{left + j * step:.1f}" y="{top + i * step:.1f}" '
                    f'width="{step - 1:.1f}" height="{step - 1:.1f}" opacity="{0.35 + 0.65 * n / most:.2f}">'
                    f"<title>{escape(title)}</title></rect>"
                )
                if step >= 22:
                    x, y = left + (j + 0.5) * step - 0.5, top + (i + 0.5) * step + 3.5
                    marks.append(f'<text class="count" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{n:,}</text>')
    names = "".join(_name(str(label), left, top, step, at) for at, label in enumerate(labels)) if named else ""
    sides = (
        f'<text x="{left + side / 2:.0f}" y="14" text-anchor="middle">predicted →</text>'
        f'<text transform="translate(14 {top + side / 2:.0f}) rotate(-90)" text-anchor="middle">← true</text>'
    )
    width = left + side + (60 if named else 0)  # names slant out to the right
    about = f"Confusion matrix of {many} labels as a heat map; the table below names the pairs confused most"
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><svg class="heat-map" role="img" '
        f'aria-label="{about}" viewBox="0 0 {width:.0f} {top + side:.0f}"><rect class="field" x="{left}" '
        f'y="{top}" width="{side:.0f}" height="{side:.0f}"/>{"" if named else sides}{names}{"".join(marks)}</svg></div>'
        '<p class="quiet small">Rows: true labels. Columns: predictions. Point at a square for its labels and rows.</p>'
    )


def _name(label: str, left: float, top: float, step: float, at: int) -> str:
    """A label beside its row and above its column."""
    short = escape(label if len(label) <= 20 else f"{label[:10]}…{label[-9:]}")
    middle = (at + 0.5) * step
    return (
        f'<text x="{left - 6:.0f}" y="{top + middle + 3.5:.1f}" text-anchor="end">{short}</text>'
        f'<text transform="translate({left + middle + 3.5:.1f} {top - 6:.0f}) rotate(-60)">{short}</text>'
    )


def _confused(labels: list[Any], counts: list[list[int]]) -> str:
    """The pairs of labels that are confused most, the most frequent first."""
    pairs = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    if not pairs:
        return ""
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    rows = [
        [f"{n:,} of {sum(counts[i]):,}", _foldable(labels[i]), _foldable(labels[j])] for n, i, j in pairs[:MOST_PAIRS]
    ]
    shown = f"Top {MOST_PAIRS} confusions of {len(pairs):,}" if len(pairs) > MOST_PAIRS else "Confusions"
    title = f'<h3 class="pairs">{shown}</h3>'
    return title + table(["Rows#", "True", "Predicted"], rows, caption="Pairs of labels confused most", kind="labels")


def _foldable(label: Any) -> str:
    """A label that may go on in the next line after an underscore, a slash or a dash. Escaped."""
    return re.sub(r"(?<=[_/-])(?=\w)", "<wbr>", escape(str(label)))


def by_label(rows: list[dict[str, Any]]) -> str:
    """Precision, recall and F1 of each label; of many labels those with the lowest F1 first."""
    share = lambda value: figure(value, "share")  # noqa: E731
    if many := len(rows) > MOST_CELLS:
        rows = sorted(rows, key=lambda r: (r["f1"], -r["support"]))
    body = [
        [_foldable(r["label"]), *(share(r[k]) for k in ("f1", "precision", "recall")), f"{r['support']:,}"]
        for r in rows
    ]
    heads = ["Label", "F1#", "Precision#", "Recall#", "Rows#"]
    shown = table(heads, body, caption="Figures by label", kind="labels")
    title, kind = ("By label, lowest F1 first", "tall") if many else ("By label", "")
    return f'<h3 class="pairs">{title}</h3><div class="{kind}">{shown}</div>'


def errs(matrix: dict[str, Any]) -> str:
    """One sentence on the most frequent mistake of a confusion matrix. Escaped."""
    labels, counts = matrix["labels"], matrix["counts"]
    wrong = [(n, i, j) for i, r in enumerate(counts) for j, n in enumerate(r) if i != j and n]
    total, missed = sum(map(sum, counts)), sum(n for n, _, _ in wrong)
    if not wrong:
        return f"Nowhere: all {total:,} rows are right."
    n, i, j = max(wrong)
    most = f"{escape(str(labels[i]))}” is most often taken for “{escape(str(labels[j]))}" if n > 1 else ""
    return f"{missed:,} of {total:,} rows." + (f" “{most}”." if most else "")


def led(result: dict[str, Any], most: int = 3) -> list[str]:
    """The metrics that get a card: the task's main one, the next that says something else, and perplexity."""
    main = result.get("main_metric") or next(iter(result["metrics"]))
    order = [main, *(name for name in ("macro_f1", "exact_match", "rougeL") if name in result["metrics"]), "perplexity"]
    names = [name for name in dict.fromkeys(order) if name in result["metrics"]]
    return names if len(names) <= most else [*names[: most - 1], names[-1]]


def groups(result: dict[str, Any]) -> str:
    """The main metric by group of rows, such as names that training never held."""
    found = result.get("groups") or {}
    main = result["main_metric"]
    about = row(result, main)[0]
    out = []
    for column, values in found.items():
        head = f"<div class='titled'><div><h2>By {escape(str(column))}</h2><p>{escape(about['label'])}</p></div></div>"
        parts = []
        for value, part in values.items():
            base = (part.get("baseline") or {}).get(main)
            top = 1.0 if about["unit"] == "share" else 100.0
            bars = (_bar(about["beside"], base, top, about["unit"], "--steel") if base is not None else "") + _bar(
                "tuned", part[main], top, about["unit"], "--heat"
            )
            parts.append(
                f'<div class="group"><h3>{escape(str(value))} '
                f'<span class="quiet small">{part["rows"]:,} rows</span></h3>{bars}</div>'
            )
        out.append(f"<div>{head}{''.join(parts)}</div>")
    return (
        f"<div class='groups'>{''.join(out)}</div>"
        if out
        else (
            "<div class='titled'><div><h2>Kinds of rows</h2></div></div><p class='quiet small'>A column of the "
            "held-out file that the template does not use, and that has a few values, would split the figures here.</p>"
        )
    )

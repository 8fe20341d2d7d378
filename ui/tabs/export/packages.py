"""Packages of a run as the tab shows them: what was made, what its comparison found, and the download."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from core.export import choice, export
from core.runs.state import State
from core.runs.store import Run
from ui.parts import badge, figs, head, say, table
from ui.places import Place
from ui.tabs.export import plot
from ui.tabs.export.words import BADGES, metric_label, metric_value, seconds
from ui.telling import named, size, when

_SERVED: set[Path] = set()


def made_before(run: Run, device: str, precision: str) -> bool:
    """Whether such a package stands there already."""
    found = export(run, device, precision)
    return found is not None and found["report"] is not None


def proven(run: Run, place: Place) -> str:
    """In a few words what the comparison of this run's packages for a place found; "" where none was compared."""
    found = {p: f["report"]["status"] for p in place.precisions if (f := export(run, place.name, p)) and f["report"]}
    for status, words in (("verified", "✓ verified"), ("verified with loss", "verified with loss")):
        if names := [precision for precision, of in found.items() if of == status]:
            return f"{words}: {', '.join(names)}"
    return f"made, not verified: {', '.join(found)}" if found else ""


def overview(run: Run, place: Place, chosen: str) -> str:
    """The precisions of a place: size, metric, speed and check of those that were made, and how they compare."""
    found = {p: export(run, place.name, p) for p in place.precisions}
    reports = {p: f["report"] for p, f in found.items() if f and f["report"]}
    best = choice.recommend(reports, place.default)
    preferred = best.measured and len(reports) > 1  # one alone is preferred to nothing
    measured = next((r for r in reports.values() if r.get("metric")), None)
    rows = []
    for name in place.precisions:
        words = f"<b>{name}</b>" if name == chosen else name
        if name == best.precision:
            words += f" &nbsp;{badge('hot', 'Recommended')}" if preferred else ' <span class="quiet">default</span>'
        report = reports.get(name)
        rows.append([words, *(_made(report) if report else ("–", "–", "–", _unmade(found[name])))])
    sentence = f'<p class="quiet small">{escape(place.precisions[chosen])}</p>'
    heads = ["Precision", "Size#", f"{metric_label(measured) if measured else 'Same answers'}#", "Speed#", "Check"]
    at = list(place.precisions).index(chosen)
    drawn = plot.drawn(reports, best.precision) if place.device else ""
    advice = plot.advice(best.precision, best.why, preferred)
    return sentence + table(heads, rows, on=at, caption=f"Precisions for {place.label}") + drawn + advice


def _made(report: dict[str, Any]) -> tuple[str, str, str, str]:
    metric, speed, same = report.get("metric"), report.get("tokens_per_second"), report.get("same")
    quality = metric_value(metric, "onnx") if metric else f"{same * 100:.1f}&thinsp;%" if same is not None else "–"
    return (
        " ".join(size(report["bytes"])),
        quality,
        f"{speed['onnx']:,.0f} tokens/s" if speed and speed["onnx"] else "–",
        badge(*BADGES[report["status"]]),
    )


def _unmade(found: dict[str, Any] | None) -> str:
    if found and found["state"] and found["state"].under_way:
        return badge("live", "Building")
    if found and found["damage"]:
        return badge("bad", "Damaged")
    if found and (found["failed"] or (found["state"] and found["state"].state == "failed")):
        return badge("bad", "Failed")
    return badge("mute", "Not made yet")


def detail(run: Run, place: Place, precision: str) -> str:
    """The chosen package: the figures of its comparison, what its badge means, and the download."""
    found = export(run, place.name, precision)
    title, report = f"{precision} for {place.label}" if place.device else f"{place.label}, {precision}", None
    report = found["report"] if found else None
    troubles = _trouble(found)
    if not found or not report:
        return f'{head(title, "Not made yet")}{troubles}<p class="quiet small">{_before(place)}</p>'
    mark = badge(*BADGES[report["status"]])
    title = head(title, f"made {when(report['made'])}", mark)
    words = f"<p class='quiet small'>{escape(report['message'])}</p>"
    return title + _compared(report) + words + _adapters(report) + troubles + _download(run, found)


def _before(place: Place) -> str:
    if not place.device:
        return f"It is read back and compared before it says anything of itself. {escape(place.needs)}"
    if place.verifiable:
        return "It takes a minute or so, and is compared with PyTorch before it says anything of itself."
    return "It can be made here, but not tried on the device: it will say so."


def _compared(report: dict[str, Any]) -> str:
    """Figures: what is the same, how far numbers are apart, the metric, speed, and what it costs to run."""
    if report.get("same") is None:
        return ""
    items = [("Same answers", f"{round(report['same'] * report['rows'])}", f"of {report['rows']}")]
    if report.get("max_logit_difference") is not None and report.get("logit_range"):
        items.append(("Largest gap", f"{report['max_logit_difference']:.2g}", f"of {report['logit_range']:.1f}"))
    if metric := report.get("metric"):
        name = metric_label(report)
        items.append((name, metric_value(metric, "onnx"), f"PyTorch {metric_value(metric, 'pytorch')}"))
    if both := report.get("perplexity"):
        items.append(("Perplexity", f"{both['onnx']:.3g}", f"PyTorch {both['pytorch']:.3g}"))
    if (speed := report.get("tokens_per_second")) and speed["onnx"]:
        name = "Speed, this processor" if report.get("on_processor") else "Speed"
        items.append((name, f"{speed['onnx']:,.0f}", f"tokens/s, PyTorch {speed['pytorch']:,.0f}"))
    if first := report.get("first_token_seconds"):
        figure, unit = seconds(first["onnx"])
        items.append(("First token", figure, f"{unit}, PyTorch {' '.join(seconds(first['pytorch']))}"))
    if report.get("load_seconds") is not None:
        items.append(("Loads in", *seconds(report["load_seconds"])))
    if report.get("peak_bytes"):
        items.append(("Memory", *size(report["peak_bytes"])))
    return figs(*items)


def _adapters(report: dict[str, Any]) -> str:
    """Each adapter of a package that has several."""
    several = report.get("adapters")
    if not several:
        return ""
    rows = [[f"<span class='mono'>{escape(a['name'])}</span>", badge(*BADGES[a["status"]])] for a in several]
    apart = report.get("separate_bytes")
    saved = (
        f"{' '.join(size(report['bytes']))} together, {' '.join(size(apart))} as packages of their own."
        if apart
        else ""
    )
    return table(["Adapter", "Check"], rows, caption="Adapters of this package") + f"<p class='quiet small'>{saved}</p>"


def _trouble(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    if found["damage"]:
        return say("bad", "This package cannot be judged", escape(f"{found['damage']} Export it again."))
    state: State | None = found["state"]
    if found["failed"]:
        return say("bad", "The last attempt failed", escape(str(found["failed"].get("message", ""))))
    if state is not None and state.state == "failed":
        return say("bad", "The last attempt failed", escape(state.error))
    return ""


def _download(run: Run, found: dict[str, Any]) -> str:
    """A link to the zip. Gradio serves this one file from then on, and nothing else of the run."""
    archive: Path | None = found["zip"]
    if archive is None:
        return ""
    served(archive)
    name = f"{named(run)}-{found['name']}.zip"
    href = f"/gradio_api/file={quote(archive.as_posix())}"
    figure = " ".join(size(found["zip_bytes"]))
    return f'<a class="button" href="{escape(href)}" download="{escape(name)}">Download, {figure}</a>'


def served(path: Path) -> None:
    """Let Gradio serve exactly this file, once."""
    if path not in _SERVED:
        _SERVED.add(path)
        gr.set_static_paths([path])

"""Packages of a run as the Export tab shows them: what was made, what its comparison found, and the download."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from core.export import export
from core.export.targets import PRECISIONS, Target
from core.runs.state import State
from core.runs.store import Run
from ui.figures import scaled
from ui.parts import badge, figs, say, table
from ui.telling import named, size, when

BADGES = {
    "verified": ("ok", "Verified"),
    "verified with loss": ("warn", "Verified with loss"),
    "not verified here": ("mute", "Not verified here"),
    "failed": ("bad", "Failed"),
}
_SERVED: set[Path] = set()


def made_before(run: Run, device: str, precision: str) -> bool:
    """Whether such a package stands there already."""
    found = export(run, device, precision)
    return found is not None and found["report"] is not None


def overview(run: Run, target: Target, chosen: str) -> str:
    """The precisions of a device: size, metric, speed and check of those that were made."""
    found = {p: export(run, target.device, p) for p in target.precisions}
    reports = {p: f["report"] for p, f in found.items() if f and f["report"]}
    metric = next((r["metric"] for r in reports.values() if r["metric"]), None)
    rows = []
    for name in target.precisions:
        words = f"<b>{name}</b>" if name == chosen else name
        if name == target.default:
            words += f" &nbsp;{badge('hot', 'Recommended')}"
        report = reports.get(name)
        rows.append([words, *(_made(report) if report else ("–", "–", "–", _unmade(found[name])))])
    head = metric_label(metric["name"]) if metric else "Metric"
    sentence = f'<p class="quiet small">{escape(PRECISIONS[chosen].sentence)}</p>'
    heads = ["Precision", "Size#", f"{head}#", "Speed#", "Check"]
    return sentence + table(heads, rows, on=target.precisions.index(chosen), caption=f"Precisions for {target.label}")


def _made(report: dict[str, Any]) -> tuple[str, str, str, str]:
    metric, speed = report["metric"], report["tokens_per_second"]
    return (
        " ".join(size(report["bytes"])),
        metric_value(metric, "onnx") if metric else "–",
        f"{speed['onnx']:,.0f} tokens/s" if speed and speed["onnx"] else "–",
        badge(*BADGES[report["status"]]),
    )


def _unmade(found: dict[str, Any] | None) -> str:
    if found and found["state"] and found["state"].under_way:
        return badge("live", "In the making")
    if found and (found["failed"] or (found["state"] and found["state"].state == "failed")):
        return badge("bad", "Failed")
    return badge("mute", "Not made yet")


def metric_label(name: str) -> str:
    """A metric's name for people; those of result.json carry their own."""
    known = {"bleu": "BLEU", "chrf": "chrF", "rougeL": "ROUGE-L", "field_accuracy": "Fields right"}
    return known.get(name, name.replace("_", " ").capitalize())


def metric_value(metric: dict[str, Any], side: str) -> str:
    """A metric of a report: the points of BLEU and chrF as they are, shares as per cent."""
    if metric["name"] in ("bleu", "chrf"):
        return f"{metric[side]:.1f}"
    return f"{scaled(metric[side], 'share'):.1f}&thinsp;%"


def detail(run: Run, target: Target, precision: str) -> str:
    """The chosen package: the figures of its comparison, what its badge means, and the download."""
    found = export(run, target.device, precision)
    title, report = f"{precision} for {target.label}", found and found["report"]
    troubles = _trouble(found)
    if not found or not report:
        head = _head(title, "Not made yet")
        note = "It takes a minute or so, and is compared with PyTorch before it says anything of itself."
        if not target.verifiable()[0]:
            note = "It can be made here, but not tried: it will say so."
        return f'{head}{troubles}<p class="quiet small">{note}</p>'
    head = _head(title, f"made {when(report['made'])}", badge(*BADGES[report["status"]]))
    words = f"<p class='quiet small'>{escape(report['message'])}</p>"
    return f"{head}{_compared(report)}{words}{troubles}{_download(run, found)}"


def _head(title: str, note: str, mark: str = "") -> str:
    return f'<div class="titled"><div><h2>{title}</h2><p>{note}</p></div>{mark}</div>'


def _compared(report: dict[str, Any]) -> str:
    if report["greedy_match"] is None:
        return ""
    same, metric, speed = round(report["greedy_match"] * report["rows"]), report["metric"], report["tokens_per_second"]
    items = [
        ("Same answers", f"{same}", f"of {report['rows']}"),
        ("Largest logit gap", f"{report['max_logit_difference']:.2g}", f"of {report['logit_range']:.1f}"),
    ]
    if metric:
        name = metric_label(metric["name"])
        items.append((name, metric_value(metric, "onnx"), f"PyTorch {metric_value(metric, 'pytorch')}"))
    if speed and speed["onnx"]:
        items.append(("Speed", f"{speed['onnx']:,.0f}", "tokens/s"))
    return figs(*items)


def _trouble(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
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

"""The model card of a package: what it is, how to run it, what it came from, what was measured, and its limits.

No word of the machine that made it, nor of its speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from core import config as configs
from core import yamltext
from core.config import RunConfig
from core.evaluation import metrics as known_metrics
from core.export.targets import PRECISIONS, Target
from core.export.web import layout
from core.runs.adapters import BASE
from core.runs.store import Run

# What the Hub calls it: https://huggingface.co/docs/hub/models-tasks
PIPELINES = {
    "causal_lm": "text-generation",
    "seq2seq_lm": "text2text-generation",
    "sequence_classification": "text-classification",
    "token_classification": "token-classification",
    "feature_extraction": "sentence-similarity",
}
DOES = {
    "causal_lm": "writes its answer",
    "seq2seq_lm": "reads a text as a whole, then writes its answer",
    "sequence_classification": "chooses a label for a text",
    "token_classification": "tags the words of a text",
    "feature_extraction": "makes a vector of a text, to compare texts by",
}
SILENT = (
    "onnxruntime reports its use to its makers by default. run.py switches that off; a program of your own does so by "
    "`ORT_DISABLE_TELEMETRY=1` in its environment, before onnxruntime is loaded."
)
PATHS = ("path", "data")  # settings that name a file or a folder
SPDX = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "gpl-3.0", "llama3.2", "gemma", "openrail"}


def card(settings: Mapping[str, Any], target: Target, report: Mapping[str, Any], licence: str, run: Run | None) -> str:
    """The text of README.md, with the front matter that the Hugging Face Hub reads.

    Args:
        settings: tunesmith.json. report: see core.export. licence: of the base, or "". run: None for a bare model.
    """
    config = run.config() if run is not None else None
    parts = [
        _front(settings, report, licence),
        _what(settings, target, report, run),
        _use(settings, target),
        layout.README if "dtype" in settings else "",
        _compared(report, target),
        quality(run),
        origin(settings, licence, run),
        _limits(settings, report, target),
        own_settings(config),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def licence_note(licence: str) -> str:
    """One sentence about the licence of the base model, which goes with the tuned one."""
    if licence:
        return f"Its licence is {licence}, and holds for this package too: read it before you pass the package on."
    return "Its folder names no licence: find out what the base model allows before you pass the package on."


def _front(settings: Mapping[str, Any], report: Mapping[str, Any], licence: str) -> str:
    base = settings["base"]
    kept = [f"base_model: {base}"] if "/" in base else []
    kept += [f"license: {licence}"] if licence in SPDX else []
    tags = f"tags: [tunesmith, onnx, {settings['device']}, {settings['precision']}]"
    kind = f"pipeline_tag: {PIPELINES[report['head']]}"
    return "\n".join(["---", *kept, kind, tags, "---"])


def _what(settings: Mapping[str, Any], target: Target, report: Mapping[str, Any], run: Run | None) -> str:
    made = f"tuned in the run `{run.id}` from " if run is not None else ""
    does = DOES[report["head"]]
    precision = PRECISIONS[settings["precision"]].sentence
    several = [name for name in settings.get("adapters") or {} if name != BASE]
    more = f"\n\nIt carries {len(several)} adapters on one base: {', '.join(map(_code, several))}." if several else ""
    return (
        f"# {settings['title']}\n\nA model that {does}, {made}`{settings['base']}`, as ONNX for {target.label} in "
        f"{settings['precision']}. {precision}{more}"
    )


def _use(settings: Mapping[str, Any], target: Target) -> str:
    several = " --adapter NAME" if settings.get("adapters") else ""
    lines = [
        "## Run it",
        "",
        "```",
        "python -m venv .venv",
        ".venv/bin/pip install -r requirements.txt     # Windows: .venv\\Scripts\\pip",
        f".venv/bin/python run.py{several} {_asked(settings)}",
        "```",
        "",
        "`--check` compares every file with its hash, `--help` lists the rest. run.py makes of a text the very tokens "
        "that training made.",
    ]
    if settings["kind"] == "writer":
        lines.append("Batches: fill shorter rows on the right, with the pad token of genai_config.json.")
    if settings["kind"] != "reader":
        lines.append("Without a text it asks for one. It answers greedily, and stops at the model's end token.")
    if target.offers[settings["kind"]].runtime != "openvino":
        lines.append(SILENT)
    return "\n".join([*lines, f"It runs on: {target.sentence}"])


def _asked(settings: Mapping[str, Any]) -> str:
    if settings.get("head") == "feature_extraction":
        return '"one text" "another"'
    fields = settings.get("fields") or []
    return '"your text"' if len(fields) < 2 else " ".join(f"--field {name}=..." for name in fields)


def _compared(report: Mapping[str, Any], target: Target) -> str:
    lines = ["## Compared with PyTorch", "", report["message"], "", "| | |", "|---|---|"]
    lines.append(f"| Status | **{report['status']}** |")
    if report["same"] is not None:
        lines.append(f"| Rows compared | {report['rows']} ({report['rows_from']}) |")
        lines.append(f"| Rows with PyTorch's answer | {report['same']:.1%} |")
    if report["token_match"] is not None:
        lines.append(f"| Answer tokens that agree up to the first other one | {report['token_match']:.1%} |")
    if report["max_logit_difference"] is not None:
        span = f" (PyTorch's span {report['logit_range']:.3g})" if report["logit_range"] else ""
        mean = f", on average {report['mean_logit_difference']:.2g}" if report["mean_logit_difference"] else ""
        lines.append(f"| Largest difference of an output | {report['max_logit_difference']:.2g}{mean}{span} |")
    for metric in report["metrics"] or ():
        lines.append(f"| {metric['name']} | {_sides(metric)} |")
    if report["perplexity"]:
        lines.append(f"| perplexity | {_sides(report['perplexity'])} |")
    lines.append(f"| Size of the model | {report['bytes'] / 1e6:.1f} MB |")
    for one in report.get("adapters") or ():
        lines.append(f"| Adapter `{one['name']}` | {one['status']}: {one['message']} |")
    return "\n".join(lines)


def _sides(metric: Mapping[str, Any]) -> str:
    told = f"PyTorch {metric['pytorch']:.4g}, this package {metric['onnx']:.4g}"
    if "low" in (chance := metric.get("difference") or {}):
        told += f" (difference {chance['mean']:+.3g}, 95 % interval {chance['low']:+.3g} to {chance['high']:+.3g})"
    return told


def quality(run: Run | None) -> str:
    """What the run's own evaluation found: the tuned model against its base, in PyTorch."""
    found = run.evaluation() if run is not None else None
    if not found:
        return ""
    lines = ["## How good the tuned model is", ""]
    lines += [f"Measured in PyTorch on {found['rows']:,} held-out rows.", "", "| | base | tuned | difference |"]
    lines.append("|---|---|---|---|")
    for name, value in found["metrics"].items():
        before = (found["baseline"] or {}).get(name)
        chance = found["difference"].get(name) or {}
        label = known_metrics.METRICS[name].label if name in known_metrics.METRICS else name
        was = f"{before:.4g}" if before is not None else "–"
        by = f"{chance['mean']:+.3g} ({chance['low']:+.3g} to {chance['high']:+.3g})" if "low" in chance else "–"
        lines.append(f"| {label} | {was} | {value:.4g} | {by} |")
    return "\n".join(lines)


def origin(settings: Mapping[str, Any], licence: str, run: Run | None) -> str:
    """Task, base with its licence, and data with their fingerprint; of `settings` the "task" and the "base"."""
    lines = ["## Where it comes from", "", f"Made with Tunesmith. Task: {settings['task'] or 'none'}."]
    lines.append(f"Base model: `{settings['base']}`. {licence_note(licence)}")
    data = (run.environment().get("data") or {}) if run is not None else {}
    if data.get("fingerprint"):
        lines.append(
            f"Data: {data['train_rows']:,} rows of `{_name(str(data['path']))}` to train on and "
            f"{data['validation_rows']:,} kept back; SHA-256 `{data['fingerprint']}`."
        )
    return "\n".join(lines)


def _limits(settings: Mapping[str, Any], report: Mapping[str, Any], target: Target) -> str:
    lines = ["## Limits", ""]
    if report["status"] == "not verified here":
        lines.append(f"- It was never run on {target.label}: try it there before you rely on it.")
    elif report["rows"]:
        lines.append(f"- It was compared on {report['rows']} rows, and on no others.")
    context = settings.get("context") or settings.get("prompt_tokens")
    if context:
        lines.append(f"- It reads at most {context:,} tokens; longer texts are cut as in training.")
    lines.append("- It has the limits and the faults of its base model and of the data that it was tuned on.")
    return "\n".join(lines)


def own_settings(config: RunConfig | None) -> str:
    """The whole config of the run, without this machine's folders."""
    if config is None:
        return ""
    values = yamltext.read(configs.dumps(config), "The config")
    return f"## Settings\n\n```yaml\n{yamltext.write(_local(values)).rstrip()}\n```"


def _local(value: Any, key: str = "") -> Any:
    """The same without folders of this machine: of an absolute path only the name is left."""
    if isinstance(value, Mapping):
        return {key: _local(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_local(inner, key) for inner in value]
    return _name(value) if isinstance(value, str) and key in PATHS else value


def _name(text: str) -> str:
    absolute = Path(text).is_absolute() or PureWindowsPath(text).is_absolute() or text.startswith("~")
    return PureWindowsPath(text).name if absolute and "\n" not in text else text


def _code(name: str) -> str:
    return f"`{name}`"

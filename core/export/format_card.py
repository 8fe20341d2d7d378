"""The README of an export in another format than ONNX: what it is, what was compared, how it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.export import card, weights
from core.export.formats import Format
from core.export.gguf import around, vocab
from core.export.subject import Subject
from core.models.heads import LABEL, TAGS, VECTOR, class_name
from core.runs.files import read_json

LIBRARIES = {"safetensors": "transformers", "adapter": "peft", "gguf": "gguf"}


def readme(form: Format, subject: Subject, report: dict[str, Any], truth: dict[str, Any], staged: Path) -> str:
    """The text, with the front matter that the Hugging Face Hub reads; no word of this machine."""
    base = subject.public
    tuned = f", tuned in the run `{subject.run.id}` of Tunesmith" if subject.run is not None else ""
    task = subject.config.task if subject.config is not None else None
    parts = [
        "\n".join(_front(form, subject)),
        f"# {subject.title}",
        f"`{base}`{tuned}{f' for {task}' if task else ''}: it {subject.head.label}. {form.label}, "
        f"{report['precision']}. {form.precisions[report['precision']]}",
        "## Use",
        "\n".join(_use(form, subject, truth, staged)),
        "## Compared with the run's own answers",
        report["message"],
        "\n".join(_table(report)),
        card.quality(subject.run),
        card.origin({"task": task, "base": base}, subject.licence, subject.run),
        f"## Limits\n\n- It was compared on {report['rows']} rows, and on no others.\n"
        "- It has the limits and the faults of its base model and of the data that it was tuned on.\n"
        "- The hash of each file is in tunesmith.json.",
        card.own_settings(subject.config),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(form: Format, subject: Subject) -> list[str]:
    """The YAML block. A base that is no id on the Hub is left out: the Hub would refuse it."""
    lines = ["---", f"library_name: {LIBRARIES[form.name]}", f"pipeline_tag: {card.PIPELINES[subject.head.name]}"]
    if base := weights.hub_id(subject.named):
        relation = {"adapter": "adapter", "gguf": "quantized"}.get(form.name, "finetune")
        lines += [f"base_model: {base}", f"base_model_relation: {relation}"]
    if subject.licence in card.SPDX:
        lines.append(f"license: {subject.licence}")
    return [*lines, f"tags: [tunesmith, {form.name}]", "---"]


def _use(form: Format, subject: Subject, truth: dict[str, Any], staged: Path) -> list[str]:
    if form.name == "gguf":
        lines = around.commands(staged, subject.tokenizer, truth["form"], subject.limit, subject.chat)
        note = []
        if kind := vocab.normal_form(subject.small):
            note = [f"Texts must be in Unicode's form {kind} (most are): the file has no place for that rule.", ""]
        told = "The commands and the Modelfile were not tried where this was made: llama.cpp and Ollama are not there."
        return ["```", *lines, "```", "", *note, told]
    config = read_json(staged / "config.json") or read_json(subject.small / "config.json") or {}
    auto = class_name(subject.head, config)
    tokenizer = "tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER)"
    if form.name == "safetensors":
        lines = [
            f"from transformers import {auto}, PreTrainedTokenizerFast",
            f'model = {auto}.from_pretrained(FOLDER, dtype="auto")',
            tokenizer,
        ]
    elif (subject.adapter or {}).get("peft_type") in weights.PEFTS:
        note_of = read_json(staged / "base.json") or {}
        quantization, labels = note_of.get("quantization"), note_of.get("labels") or []
        more = f", num_labels={len(labels)}" if labels and subject.head in (LABEL, TAGS) else ""
        more += ", quantization_config=BitsAndBytesConfig(**quantization)" if quantization else ""
        classes = f"{auto}, BitsAndBytesConfig" if quantization else auto
        lines = [
            "from peft import PeftModel",
            f"from transformers import {classes}, PreTrainedTokenizerFast",
            *([f"quantization = {quantization!r}"] if quantization else []),
            f"base = {auto}.from_pretrained(BASE{more})  # {subject.public}",
            "model = PeftModel.from_pretrained(base, FOLDER)",
            tokenizer,
        ]
    else:
        lines = [
            "# PEFT by itself does not compute with adapters of this kind as was trained. In Tunesmith's folder,",
            "# with the base model's path or id in adapter_config.json:",
            "from core.models.load import load_run",
            "model, tokenizer = load_run(FOLDER)",
        ]
    last = ["# the vector of a text: the mean of last_hidden_state over its tokens"] if subject.head is VECTOR else []
    return ["```python", *lines, *last, "```"]


def _table(report: dict[str, Any]) -> list[str]:
    rows = [f"| Status | **{report['status']}** |", f"| Rows compared | {report['rows']} ({report['rows_from']}) |"]
    rows.append(f"| Rows with PyTorch's answer | {report['same']:.1%} |")
    if report["max_logit_difference"] is not None:
        rows.append(
            f"| Largest difference of an output | {report['max_logit_difference']:.2g} "
            f"(PyTorch's span {report['logit_range']:.1f}) |"
        )
    if metric := report["metric"]:
        rows.append(f"| {metric['name']} | as trained {metric['pytorch']:.3f}, here {metric['onnx']:.3f} |")
    rows.append(f"| Texts that its tokenizer cuts alike | {_alike(report['texts'])} |")
    return ["| | |", "|---|---|", *rows, f"| Size of the weights | {report['bytes'] / 1e6:.1f} MB |"]


def _alike(texts: dict[str, int]) -> str:
    return f"{texts['compared'] - texts['differ']} of {texts['compared']}"

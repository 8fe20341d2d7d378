"""The formats beside ONNX, one table that the page, the command line and the docs all read. Light: nothing heavy.

    python -m core export RUN --format safetensors|adapter|gguf [--precision P]

Each is made by core.export.make_format.make into RUN/export/FORMAT-PRECISION, with a zip beside it, and its report has
the keys of core.export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import InputError, unknown
from core.export import export

if TYPE_CHECKING:
    from core.runs.store import Run

FIELD = "export.format"
ONNX = "onnx"  # the one that core.export.targets has a table of devices for


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: what the command line takes. label: for people. sentence: what it is for.
        precisions: name -> what it means, the default first. opens: what loads it.
    """

    name: str
    label: str
    sentence: str
    precisions: dict[str, str]
    opens: str


FORMATS = {
    "safetensors": Format(
        "safetensors",
        "Merged weights (safetensors)",
        "One whole model as Transformers loads it, what was tuned added into its weights: for servers such as vLLM, "
        "for further training, or to keep.",
        {
            "fp32": "Full precision: exactly what was compared in training.",
            "bf16": "Half the size; what most models on the Hub are in.",
            "fp16": "Half the size, for devices without bf16; weights beyond 65,504 do not fit.",
        },
        "Transformers, vLLM",
    ),
    "adapter": Format(
        "adapter",
        "The adapter alone",
        "Only what was tuned, a few megabytes: it needs the very base model that it was tuned on.",
        {"fp32": "As it was trained."},
        "PEFT",
    ),
    "gguf": Format(
        "gguf",
        "GGUF",
        "One file with weights, tokenizer and chat template for llama.cpp, Ollama and LM Studio.",
        {
            "q8_0": "Eight bits: about a quarter of the size, and answers hardly change.",
            "f32": "Full precision.",
            "f16": "Half precision.",
            "q4_0": "Four bits: the smallest; small models lose noticeably.",
        },
        "llama.cpp, Ollama, LM Studio",
    ),
}


def check(name: str, precision: str | None) -> tuple[Format, str]:
    """The format of a name, and the precision: the one given, or the format's default.

    Raises:
        InputError: (fields export.format, export.precision) there is none such.
    """
    if name not in FORMATS:
        raise InputError(unknown("format", name, (ONNX, *FORMATS)), FIELD)
    found = FORMATS[name]
    precision = next(iter(found.precisions)) if precision is None else precision
    if precision not in found.precisions:
        known = ", ".join(found.precisions)
        raise InputError(f"{found.label} has no precision {precision!r}. Known: {known}.", "export.precision")
    return found, precision


def exports(run: Run) -> list[dict[str, Any]]:
    """Every export of a run in these formats, and every attempt; the keys of core.export.exports, with "format"."""
    return [
        found | {"format": form.name}
        for form in FORMATS.values()
        for precision in form.precisions
        if (found := export(run, form.name, precision)) is not None
    ]

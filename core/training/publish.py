"""The end of a training: the chosen weights become the run's model, are loaded back, compared, and described."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from core.config import RunConfig
from core.data.template import Wording
from core.errors import InputError
from core.methods import method
from core.models.load import BASE_NOTE, CHAT_TEMPLATE, Precision, copy_companions, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs.files import read_json, whole_folder, write_json, write_text
from core.runs.store import Run
from core.tasks.objective import Objective, Row
from core.training.card import card
from core.training.validation import quiet

PROOF, PROOF_ROW = "proof.safetensors", "proof.json"  # what the model says, and of which row
TOLERANCE = 1e-5  # of the logits' spread; a CPU gives the same numbers again, a GPU may sum in another order


def prove(model: Any, objective: Objective, row: Row, folder: Path, on: Precision) -> None:
    """Write a row, and what the model says of it, beside its weights."""
    with quiet(model, on):
        said = objective.outputs(model, [row])
    save_file({"outputs": said}, str(folder / PROOF))
    write_json(folder / PROOF_ROW, row)


def publish(run: Run, config: RunConfig, objective: Objective, weights: Path, facts: dict[str, Any]) -> None:
    """Make saved weights the run's model: whole, with tokenizer and card, and only if they were loaded back and agree.

    Args:
        objective: what was learned. weights: a folder with weights and their proof.
        facts: for the card: data, losses, steps, parameters.

    Raises:
        InputError: the weights, loaded again, answer differently.
    """
    on = precision(config.training.mixed_precision)
    with whole_folder(run.dir / "model") as work:
        for path in weights.iterdir():
            if path.name not in (PROOF, PROOF_ROW, "best.json", "README.md"):
                _link(path, work / path.name)
        if (work / "adapter_config.json").is_file():
            base = {"path": config.model.path, "revision": config.model.revision}
            write_json(
                work / BASE_NOTE,
                base
                | {"fingerprint": facts["base_fingerprint"], "head": objective.head.name, "labels": objective.labels}
                | {"quantization": method(config.method.name).quantization(config.method, on)},
            )
        copy_companions(config.model.path, config.model.revision, work)
        tokenizer = load_tokenizer(config.model.path, config.model.revision)
        if chat := Wording.of(config.data).chat_template(tokenizer):  # the format that it was tuned in is its own now
            write_text(work / CHAT_TEMPLATE, chat)
        write_text(work / "README.md", card(run, config, objective, facts, on))
        _verify(work, objective, weights, on)


def _verify(folder: Path, objective: Objective, weights: Path, on: Precision) -> None:
    wanted = load_file(str(weights / PROOF))["outputs"]
    adapter = (folder / "adapter_config.json").is_file()
    model, _ = load_run(folder, on.frozen if adapter else torch.float32)
    model = model.to(on.device)
    with quiet(model, on):
        got = objective.outputs(model, [read_json(weights / PROOF_ROW) or {}])
    off = (got - wanted).abs().max().item()
    allowed = TOLERANCE * max(1.0, wanted.abs().max().item()) * (1 if on.device == "cpu" else 1000)
    if not off <= allowed:
        raise InputError(
            "The saved weights, loaded again, answer differently from those in memory: their outputs are off by "
            f"{off:.3g}. They are not used; resume the run to write them again."
        )


def _link(source: Path, target: Path) -> None:
    """A second name for the same bytes where the disk can do that, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

"""The modules that a model has, by the names that settings use: from its files' headers, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.config import RunConfig
from core.errors import nearest
from core.models.catalog import read_config, tensors
from core.models.heads import kind_of
from core.models.shapes import read_shape
from core.models.tokenizer import model_folder

# Families whose linear layers keep their weights inputs first (transformers' Conv1D); all others outputs first.
INPUTS_FIRST = ("gpt2", "openai-gpt")
EMBEDDINGS = ("wte", "wpe", "shared", "relative_attention_bias")
OUTPUT = "lm_head"
MADE = ("score", "classifier", "pre_classifier", "pooler", "classification_head")  # heads, which no file has yet
FIELDS = ("method.target_modules", "method.modules_to_save")

Kind = Literal["linear", "output", "embedding", "norm"]


@dataclass(frozen=True)
class Module:
    """Layers of one name.

    Attributes:
        name: what to write in target_modules or modules_to_save; the end of the layers' full names.
        kind: linear layers can have an adapter; all kinds can be trained whole (not linear ones in 4 bits).
        inputs, outputs: widths; of an embedding its rows and their width. count: how many layers have this name.
    """

    name: str
    kind: Kind
    inputs: int
    outputs: int
    count: int


def modules_of(path: str | Path, revision: str | None = None) -> list[Module]:
    """The modules of a model that have weights, in the order of its files: for a list to choose from.

    Layers that only differ by the block they are in share a name; so do those with the same last part and the same
    widths. Where the weights are not here yet, those that the config tells of: linear layers and the output.

    Args:
        path: a folder, or an id on the Hub, of which only small files are fetched. revision: for an id.

    Raises:
        InputError: field "model.path": no such model, or damaged files.
    """
    layers = _layers(path, revision)
    if not layers:
        return _by_shape(path, revision)
    groups: dict[str, list[str]] = {}
    for layer in layers:
        groups.setdefault(_inside(layer), []).append(layer)
    found: dict[str, Module] = {}
    for inside, members in groups.items():
        kind, inputs, outputs = layers[members[0]]
        alike = [other for other in groups if other.rsplit(".", 1)[-1] == inside.rsplit(".", 1)[-1]]
        if all(layers[groups[other][0]] == layers[members[0]] for other in alike):
            name = inside.rsplit(".", 1)[-1]
        else:
            name = _shortest(inside, [other for other in alike if other != inside])
        found[name] = Module(name, kind, inputs, outputs, len(_named(name, layers)))
    return list(found.values())


def wrong_names(config: RunConfig) -> dict[str, str]:
    """Dotted field -> what is wrong with the modules that it names; nothing where the weights are not here yet."""
    layers = _layers(config.model.path, config.model.revision)
    errors: dict[str, str] = {}
    for field in FIELDS if layers else ():
        wanted = vars(config.method).get(field.removeprefix("method."))
        names = wanted.replace(",", " ").split() if isinstance(wanted, str) else list(wanted or ())
        if names in (["all-linear"], ["auto"]):
            continue
        targets = field == FIELDS[0]
        here = [n for n, (kind, _, _) in layers.items() if not targets or kind in ("linear", "output")]
        parts = [".".join(n.split(".")[:i]) for n in here for i in range(1, n.count(".") + 2)] if not targets else here
        known = list(dict.fromkeys(n.rsplit(".", 1)[-1] for n in here))
        for name in names:
            if not _named(name, parts) and not (not targets and name in MADE):
                hint = nearest(name, known)
                errors[field] = (
                    f"the model has no {'layer' if targets else 'module'} named {name!r}."
                    + (f" Did you mean {hint!r}?" if hint else "")
                    + f" It has {', '.join(known)}."
                )
    return errors


def _layers(path: str | Path, revision: str | None) -> dict[str, tuple[Kind, int, int]]:
    """Full name -> (kind, inputs, outputs) of each layer that has weights. Of an encoder what lies outside is left out:
    the head that it was trained with goes, and another comes."""
    folder = model_folder(path, revision)
    config = read_config(path, folder)
    family = str(config.get("model_type", ""))
    shapes = {n.removesuffix(".weight"): s for n, (s, _) in tensors(folder).items() if n.endswith(".weight")}
    if kind_of(config) == "encoder" and any(name.startswith(f"{family}.") for name in shapes):
        shapes = {name: shape for name, shape in shapes.items() if name.startswith(f"{family}.")}
    layers: dict[str, tuple[Kind, int, int]] = {}
    for name, shape in shapes.items():
        last = name.rsplit(".", 1)[-1]
        if len(shape) == 1:
            layers[name] = ("norm", shape[0], shape[0])
        elif len(shape) == 2 and ("embed" in last or last in EMBEDDINGS):
            layers[name] = ("embedding", *shape)
        elif len(shape) == 2:
            inputs, outputs = shape if family in INPUTS_FIRST and last != OUTPUT else shape[::-1]
            layers[name] = ("output" if last == OUTPUT else "linear", inputs, outputs)
    if (
        layers and kind_of(config) != "encoder" and OUTPUT not in layers
    ):  # it is the embedding, and the file has it once
        words = [(a, b) for kind, a, b in layers.values() if kind == "embedding"]
        rows, width = next((size for size in words if size[0] == config.get("vocab_size")), max(words))
        layers[OUTPUT] = ("output", width, rows)
    return layers


def _by_shape(path: str | Path, revision: str | None) -> list[Module]:
    shape = read_shape(path, revision)
    found: dict[str, Module] = {}
    for linear in shape.linears:
        count = shape.layers * sum(other.name == linear.name for other in shape.linears)
        found[linear.name] = Module(linear.name, "linear", linear.inputs, linear.outputs, count)
    if kind_of(read_config(path, model_folder(path, revision))) != "encoder":
        found[OUTPUT] = Module(OUTPUT, "output", shape.hidden, shape.vocabulary, 1)
    return list(found.values())


def _inside(layer: str) -> str:
    """The name within its block: what follows the last number."""
    parts = layer.split(".")
    last = max((i for i, part in enumerate(parts) if part.isdigit()), default=-1)
    return ".".join(parts[last + 1 :])


def _shortest(name: str, others: list[str]) -> str:
    """The shortest end of a name that no other name has; the whole name where one of them ends in it."""
    parts = name.split(".")
    for size in range(1, len(parts)):
        end = ".".join(parts[-size:])
        if not _named(end, others):
            return end
    return name


def _named(name: str, layers: Iterable[str]) -> list[str]:
    """The layers that a name means, as PEFT reads it: those that are so called, or end in it."""
    return [layer for layer in layers if layer == name or layer.endswith(f".{name}")]

"""The layers that settings name, found in a model; or a sentence that says which there are."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from core.errors import InputError, nearest
from core.methods.new_layers import new_layers
from core.models.heads import Head

TARGETS, WHOLE = "method.target_modules", "method.modules_to_save"


def split(wanted: str | Iterable[str]) -> list[str]:
    """Names as a setting holds them: a list, or one text with commas or spaces between."""
    return wanted.replace(",", " ").split() if isinstance(wanted, str) else list(wanted)


def linear_layers(model: nn.Module) -> list[str]:
    """The full names of the linear layers, those in 4 bits among them."""
    return [name for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))]


def all_linear(model: PreTrainedModel) -> list[str]:
    """The linear layers that PEFT means by all-linear: all but the one that writes words."""
    modules = dict(model.named_modules())
    return [name for name in linear_layers(model) if modules[name] is not model.get_output_embeddings()]


def has_conv1d(model: nn.Module) -> bool:
    """Whether weights lie the other way round, inputs first, as GPT-2's do."""
    return any(isinstance(module, Conv1D) for module in model.modules())


def matching(name: str, layers: Iterable[str]) -> list[str]:
    """The layers whose name is this, or ends in it."""
    return [layer for layer in layers if layer == name or layer.endswith("." + name)]


def targets(model: PreTrainedModel, wanted: str | Iterable[str], remedy: str) -> list[str]:
    """Names of linear layers, as they are given.

    Args:
        wanted: names, or their ends. remedy: what may be written instead, a clause.

    Raises:
        InputError: (field method.target_modules) the model has no such layers, or none is named, or the one that writes
            words is named where it is the embedding too: what is added to the one would be added to the other.
    """
    names, layers = split(wanted), linear_layers(model)
    known = list(dict.fromkeys(layer.rsplit(".", 1)[-1] for layer in layers))
    if not names:
        raise InputError(f"No layers are named: write {remedy}, or some of {', '.join(known)}.", TARGETS)
    for name in names:
        if not matching(name, layers):
            hint = nearest(name, known)
            raise InputError(
                f"The model has no layer named {name!r}."
                + (f" Did you mean {hint!r}?" if hint else "")
                + f" It has {', '.join(known)}; or write {remedy}.",
                TARGETS,
            )
    for tied in set(tied_names(model)).intersection(layers):
        if any(matching(name, [tied]) for name in names):
            raise InputError(
                f"The layer {tied!r} shares its weights with the embedding, so nothing can be added to it alone: "
                "leave it out, or train it whole (modules to save).",
                TARGETS,
            )
    return names


def whole(model: PreTrainedModel, wanted: Iterable[str] | None, head: Head) -> list[str]:
    """The full names of the layers that are trained whole: in the modules that a setting names, and the head's own.

    Full names, as PEFT compares the ends of names and would take `input_layernorm` for `norm`. Where an embedding is
    named that shares its weights, all that share them are in the list: they are trained as one.

    Raises:
        InputError: (field method.modules_to_save) the model has no such modules, or they are held in 4 bits.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    trainable = [name for name, module in modules.items() if name and any(True for _ in module.parameters())]
    found: list[str] = []
    for name in wanted or ():
        here = matching(name, trainable)
        if not here:
            known = list(dict.fromkeys(n.rsplit(".", 1)[-1] for n in trainable if not n.rsplit(".", 1)[-1].isdigit()))
            hint = nearest(name, known)
            raise InputError(
                f"The model has no module named {name!r}."
                + (f" Did you mean {hint!r}?" if hint else "")
                + f" It has {', '.join(known)}.",
                WHOLE,
            )
        for each in here:
            if any(not parameter.is_floating_point() for parameter in modules[each].parameters()):
                raise InputError(
                    f"The module {name!r} is held in 4 bits and cannot be trained whole: leave it out, or choose lora.",
                    WHOLE,
                )
        found += here
    shared = tied_names(model)
    if set(shared).intersection(found):
        found += shared
    for name in new_layers(model, head) or ():
        found += matching(name, trainable)
    leaves = [n for n in trainable if any(True for _ in modules[n].parameters(recurse=False))]
    return list(dict.fromkeys(leaf for name in found for leaf in leaves if f"{leaf}.".startswith(f"{name}.")))


def tied_names(model: PreTrainedModel) -> list[str]:
    """The full names of the modules that share the weights of the embedding, itself among them; none if it is alone."""
    weight = model.get_input_embeddings().weight
    names = [
        name
        for name, module in model.named_modules(remove_duplicate=False)
        if any(parameter is weight for parameter in module.parameters(recurse=False))
    ]
    return names if len(names) > 1 else []

"""IA3: one factor for each key, value and number of the feed-forward part is trained (Liu et al. 2022)."""

from __future__ import annotations

from typing import Any

from peft import IA3Config, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from core.config import IA3Method, Section
from core.errors import InputError
from core.methods import names
from core.methods.lora import save as save
from core.models.heads import CAUSAL, Head
from core.models.load import Precision, base_name, patient_peft
from core.models.scaled import feed_forward, scaled_layers, scales

frozen_base = True
mergeable = ""


def prepare(
    model: PreTrainedModel, settings: IA3Method, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """Put factors on a model, all 1 at first; only they are trained, and the head's own layers whole.

    What a layer makes is scaled, but where it ends a feed-forward part: there it is what goes in.

    Args:
        model: the base. settings: which layers. base, revision: where the base came from. head: what it ends in.

    Raises:
        InputError: (field method.target_modules) the model has no such layers; or nobody has said yet which of this
            family are keys, values and feed-forward.
    """
    model.name_or_path = base_name(base)
    family, layers = str(model.config.get_text_config().model_type), names.linear_layers(model)
    if settings.target_modules == "auto":
        wanted = scaled_layers(family)
        if wanted is None:
            known = list(dict.fromkeys(layer.rsplit(".", 1)[-1] for layer in layers))
            raise InputError(
                f"Which layers of the family {family!r} are keys, values and feed-forward is not known: name them. "
                f"It has {', '.join(known)}.",
                names.TARGETS,
            )
        chosen = [layer for layer in layers if any(scales(layer, name) for name in wanted)]
    else:
        given = names.targets(model, settings.target_modules, "auto")
        chosen = [layer for layer in layers if any(names.matching(name, [layer]) for name in given)]
    adapter = IA3Config(
        task_type=TaskType[head.task_type],
        target_modules=chosen,
        feedforward_modules=[layer for layer in chosen if feed_forward(layer)],
        modules_to_save=names.whole(model, None, head) or None,
        fan_in_fan_out=names.has_conv1d(model),
        revision=revision,
    )
    with patient_peft():
        return get_peft_model(model, adapter)


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None

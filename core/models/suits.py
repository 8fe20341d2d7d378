"""Whether method, loss and batches suit a model and its task: all at once, before anything is loaded. Light."""

from __future__ import annotations

from core.config import RunConfig
from core.errors import InputError
from core.losses import table
from core.methods.possible import why_not
from core.models.catalog import read_config
from core.models.heads import CAUSAL, Head, head_of
from core.models.tokenizer import model_folder


def problems(config: RunConfig) -> dict[str, str]:
    """Dotted field -> why it does not suit the model, one sentence each; empty where all of it does."""
    try:
        head, family = _of_model(config)
    except InputError as error:
        return {error.field or "model.path": str(error)}
    batching = config.training.batching
    whoever = why_not("lora", head, family)  # the head itself is what the family lacks
    found = {
        "model.head": whoever,
        "method.name": "" if whoever else why_not(config.method.name, head, family),
        table.FIELD: table.why_not(config.training.loss, head, config.task),
    }
    if batching in ("packed", "padding_free") and head is not CAUSAL:
        found["training.batching"] = (
            f"{batching} puts rows end to end, which is for models that write token by token, and this one "
            f"{head.label}: choose grouped or shuffled."
        )
    return {field: sentence for field, sentence in found.items() if sentence}


def require(config: RunConfig) -> Head:
    """The head that a run trains. InputError at the first field that does not suit the model."""
    for field, sentence in problems(config).items():
        raise InputError(sentence, field)
    return head_of(config)


def _of_model(config: RunConfig) -> tuple[Head, str]:
    """The head and the model_type."""
    folder = model_folder(config.model.path, config.model.revision)
    return head_of(config), str(read_config(config.model.path, folder).get("model_type", ""))

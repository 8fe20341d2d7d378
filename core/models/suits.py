"""Whether method, loss and batches suit a model and its task: all at once, before anything is loaded. Light."""

from __future__ import annotations

from core.config import RunConfig
from core.errors import ConfigError, InputError
from core.losses import table
from core.methods import possible
from core.models.catalog import read_config
from core.models.heads import Head, head_of
from core.models.joining import JOINED, why_apart
from core.models.tokenizer import model_folder


def problems(config: RunConfig) -> dict[str, str]:
    """Dotted field -> why it does not suit the model, one sentence each; empty where all of it does."""
    try:
        head = head_of(config)
    except InputError as error:
        return {error.field or "model.path": str(error)}
    found: dict[str, str] = {}
    path, revision = config.model.path, config.model.revision
    if read_config(path, model_folder(path, revision)).get("quantization_config"):
        found["model.path"] = (
            f"The weights of {path!r} are quantised already, and cannot be tuned here: choose the model that they were "
            "made of. The method qlora brings that to 4 bits by itself."
        )
    try:
        possible.require(config, head)
    except ConfigError as error:
        found |= error.errors
    except InputError as error:
        found[error.field] = str(error)
    if reason := table.why_not(config.training.loss, head, config.task):
        found[table.FIELD] = reason
    if config.training.batching in JOINED and (reason := why_apart(config)):
        found["training.batching"] = reason
    return found


def require(config: RunConfig) -> Head:
    """The head that a run trains. InputError at its field for what does not suit the model, ConfigError for several."""
    errors = problems(config)
    if len(errors) == 1:
        [(field, sentence)] = errors.items()
        raise InputError(sentence, field)
    if errors:
        raise ConfigError(errors)
    return head_of(config)

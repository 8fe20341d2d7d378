"""Which methods go with which heads and families, in words. Light: the form asks before anything is loaded."""

from __future__ import annotations

from core.config import RunConfig
from core.errors import ConfigError, InputError
from core.methods.modules import wrong_names
from core.models.catalog import read_config
from core.models.heads import LABEL, TAGS, Head
from core.models.tokenizer import model_folder

NO_TAGS = ("gemma3", "gemma3_text")  # families without a head for tags in transformers 5.23
END_IN_WORDS = ("t5", "mt5", "umt5", "bart", "mbart")  # whose heads for labels look for the end token in the input


def why_not(method_name: str, head: Head, model_type: str) -> str:
    """Why a method cannot train a head on a family (model_type of config.json); "" where it can."""
    if head is TAGS and model_type in NO_TAGS:
        return (
            f"The family {model_type} has no head that tags each token in transformers: let it write its answer "
            "(head: lm), or choose another model."
        )
    if method_name == "prompt" and head is LABEL and model_type in END_IN_WORDS:
        return (
            f"Prompt tuning cannot train {model_type.upper()} to choose a label: its head looks for the end of the "
            "text among the words, and the vectors in front are none. Choose another method, or let it write the label."
        )
    return ""


def require(config: RunConfig, head: Head) -> None:
    """Say what of a run's method cannot be, before anything is loaded.

    Raises:
        InputError: field model.head: no method can train this head on the model; field method.name: this one cannot.
        ConfigError: fields method.target_modules, method.modules_to_save: the model has no such modules.
    """
    folder = model_folder(config.model.path, config.model.revision)
    family = str(read_config(config.model.path, folder).get("model_type"))
    if reason := why_not(config.method.name, head, family):
        raise InputError(reason, "model.head" if why_not("full", head, family) else "method.name")
    if errors := wrong_names(config):
        raise ConfigError(errors)


def remarks(method_name: str, device: str) -> list[str]:
    """What there is to know about a method on a device ("cpu", "cuda"), one sentence each."""
    if method_name == "qlora" and device == "cpu":
        return [
            "On a CPU QLoRA saves no memory: the weights are held in 4 bits, and are taken out of them for each pass. "
            "The run is a real one, and LoRA is about as fast and learns from exact weights."
        ]
    return []

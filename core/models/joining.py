"""Whether rows may share a sequence, as far as it is known before the model is loaded. Light: no weights."""

from __future__ import annotations

from core.config import RunConfig
from core.models.catalog import read_config
from core.models.heads import CAUSAL, head_of
from core.models.tokenizer import model_folder

JOINED = ("packed", "padding_free")  # values of training.batching where rows share a sequence
# Families by model_type whose rows see each other then, with transformers 5.23 (tests/core/training/test_apart.py).
LEAKING = ("bloom", "falcon", "falcon_mamba", "lfm2", "mamba", "mamba2", "mpt", "opt")


def why_apart(config: RunConfig) -> str:
    """Why the rows of a run cannot share a sequence, in a sentence; empty where nothing speaks against it.

    Of families that are not known here the model itself is asked before the first step (core/training/apart.py).

    Raises:
        InputError: as `core.models.heads.head_of`.
    """
    if config.method.name == "prompt":
        return "Prompt tuning puts its vectors in front of each row, so rows cannot lie end to end: choose grouped."
    head, path = head_of(config), config.model.path
    if head is not CAUSAL:
        return f"Rows end to end are for models that write token by token, and this one {head.label}: choose grouped."
    family = read_config(path, model_folder(path, config.model.revision)).get("model_type")
    if family in LEAKING:
        return leaking(family)
    return ""


def leaking(family: str) -> str:
    """What is wrong with a family that does not keep rows apart."""
    return (
        f"Models of the family {family} do not keep rows apart that share a sequence: the answer to one depends on the "
        "row before it. Choose grouped or shuffled batches."
    )

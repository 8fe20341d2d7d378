"""The settings of the base model, and what it is to do."""

from __future__ import annotations

from typing import Literal, get_args

from core.settings.base import Section, setting

Task = Literal["generation", "classification", "extraction", "summarization", "similarity"]
TASKS: tuple[str, ...] = get_args(Task)


class ModelConfig(Section):
    """The base model that is tuned."""

    path: str = setting(
        "assets/demo-model", "A folder of a model, or its id on the Hugging Face Hub.", label="Base model", min_length=1
    )
    revision: str | None = setting(
        None, "Branch, tag or commit of a model on the Hub.", label="Revision", advanced=True
    )
    head: Literal["lm", "task"] | None = setting(
        None,
        "How it answers: by writing text (lm), or through a new layer for the labels, tags or vectors of the task "
        "(task). Empty: models that write do so, encoders such as BERT get a layer.",
        label="Head",
        advanced=True,
    )

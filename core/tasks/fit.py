"""Whether rows fit a task: asked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.config import RunConfig
from core.data.sources import Source
from core.data.template import Wording, answer_text
from core.errors import InputError
from core.tasks import get, similarity

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST = 2000  # rows that are looked at, evenly spaced


def unfit(source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """Why these rows do not fit the config's task, one sentence each; empty where they do.

    Two texts that are compared are not rendered: their columns are looked at. Rows that cannot be rendered are passed
    over: encoding counts them, or says what is wrong with the template.
    """
    if config.task == "similarity":
        return similarity.unfit(source, places)
    answers = []
    for place in places[:: max(1, -(-len(places) // MOST))]:
        try:
            answers.append(answer_text(source.rows[place], source.layout, Wording.of(config.data), tokenizer))
        except InputError:
            continue
    return get(config.task).checks(answers) if answers else []


def require(source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast) -> None:
    """Refuse rows that do not fit the config's task. InputError at the field `task`, with the first reason."""
    if reasons := unfit(source, places, config, tokenizer):
        raise InputError(reasons[0], "task")

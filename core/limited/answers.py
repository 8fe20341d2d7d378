"""What a child answers: each question by the very function that training calls. Values are JSON, both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import build
from core.data import encode, extremes, hubsets, report, template
from core.data.dataset import open_examples, sample
from core.data.dialect import dialect
from core.data.formats import Layout
from core.data.split import split_source
from core.errors import InputError
from core.models.remarks import of_tokenizer
from core.models.tokenizer import load_folder, traits, turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NO_LIMIT = 2**31
LOADED: list[Callable[[], None]] = []  # called when the tokenizer of a question is there


def _tokenizer(values: dict[str, Any]) -> PreTrainedTokenizerFast:
    """The tokenizer of the folder that the question names; kept from one question to the next."""
    found = load_folder(Path(values["folder"]))
    for tell in LOADED:
        tell()
    return found


def _words(values: dict[str, Any]) -> tuple[Layout, template.Wording]:
    return Layout(**values["layout"]), template.Wording(**values["wording"])


def first(values: dict[str, Any]) -> bool:
    """Load a tokenizer, try its chat template and cut a row with it, if one is given: whether all that comes to an end.

    What is wrong with the row itself is said where the rows are read.
    """
    tokenizer, wording = _tokenizer(values), template.Wording(**values["wording"])
    if wording.text is None:
        made = wording.chat_template(tokenizer)
        if made or tokenizer.chat_template:
            dialect(tokenizer, made)
            turn_end(tokenizer, made)
    if "row" in values:
        try:
            encode.encode(template.render(values["row"], *_words(values), tokenizer), tokenizer, NO_LIMIT)
        except InputError:
            return False
    return True


def tokenizer(values: dict[str, Any]) -> dict[str, Any]:
    """What there is to know of a tokenizer: its end token, its chat template, and remarks on it."""
    found, here = _tokenizer(values), Path(values["folder"]) if values["local"] else None
    return {
        "eos": traits(found).eos,
        "chat_template": bool(found.chat_template),
        "remarks": of_tokenizer(found, here, values["writes"], values["template"]),
    }


def preview(values: dict[str, Any]) -> dict[str, Any]:
    """See core.data.encode.preview."""
    return asdict(encode.preview(values["row"], *_words(values), _tokenizer(values), values["max_tokens"]))


def lengths(values: dict[str, Any]) -> dict[str, Any]:
    """Tokens of rows, uncut: places of those that can be rendered, their tokens, and the share that carries loss."""
    tokenizer, (layout, wording) = _tokenizer(values), _words(values)
    places, rendered, wrong = [], [], None
    for place, row in enumerate(values["rows"]):
        try:
            rendered.append(template.render(row, layout, wording, tokenizer))
            places.append(place)
        except InputError as error:
            wrong = wrong or error
    if not places:
        raise wrong or InputError("There are no rows.", "data.path")
    encoded = encode.encode_many(rendered, tokenizer, NO_LIMIT)
    tokens = [len(e.input_ids) for e in encoded]
    return {
        "places": places,
        "tokens": tokens,
        "trained": sum(e.trained for e in encoded) / max(1, sum(tokens)),
    }


def tokens(values: dict[str, Any]) -> list[int]:
    """See core.data.extremes.tokens_of."""
    return extremes.tokens_of(values["rows"], *_words(values), _tokenizer(values))


def findings(values: dict[str, Any]) -> list[dict[str, Any]]:
    """All findings of the data doctor; the rows are opened here."""
    for fetched in values["fetched"]:
        hubsets.remember(*fetched)
    config, tokenizer = build(values["config"]), _tokenizer(values)
    source = open_examples(config)
    if values["whole"]:
        return [f.as_dict() for f in report.findings(source, config, tokenizer, split_source(source, config))]
    some = replace(source, rows=sample(source.rows, values["rows"]), held=None)
    return [f.as_dict() for f in report.findings(some, config, tokenizer)]


ANSWERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "first": first,
    "tokenizer": tokenizer,
    "preview": preview,
    "lengths": lengths,
    "tokens": tokens,
    "findings": findings,
}

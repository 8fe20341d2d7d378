"""What the package is asked: real rows that training did not see, as the prompts that training would make of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.config import RunConfig
from core.data.dataset import open_examples, open_heldout, readable
from core.data.encode import encode, encode_prompt
from core.data.formats import ROLES_OF, Layout, answer_column, to_messages, tools, unanswered
from core.data.segments import Segment
from core.data.sides import encode_question, encode_sides
from core.data.sources import Source, open_data
from core.data.split import split_source
from core.data.suggest import suggest_template
from core.data.template import Wording, answer_text, concerns_every_row, parse, prompt_segments, render
from core.data.turns import as_text, last_answer
from core.errors import InputError

NEUTRAL = (
    "The morning was cold, and the harbour",
    "Two and three make",
    "A short list of fruit:",
    "Dear Anna, thank you for",
    "The train to the coast leaves at",
    "Once upon a time there was",
    "Water boils when",
    "My favourite book is",
)
TALK = Layout("messages", {"messages": "messages", "role": "role", "content": "content", "tools": "tools"}, "")
# The roles that a person fills in, the one that a bare text is taken for first.
ASKED = ("prompt", "instruction", "text", "first", "second", "input", "context", "system")
PLAIN = Layout("prompt_completion", {"prompt": "text", "completion": "answer"}, "")


@dataclass(frozen=True)
class Questions:
    """Prompts with what is known of their rows, and how a package renders such a prompt by itself.

    Attributes:
        prompts: token ids. rows: the raw rows behind them. wants: reference answers; None where nobody knows any.
        right: the same as token ids, end token included (empty where nothing of one fits).
        told: where they come from, in words.
        form: what goes into tunesmith.json: see `form`.
    """

    prompts: list[list[int]]
    rows: list[dict[str, Any]]
    wants: list[str] | None
    right: list[list[int]] | None
    told: str
    form: dict[str, Any]


def ask(
    config: RunConfig | None, tokenizer: Any, count: int, data: str | None = None, apart: bool = False
) -> Questions:
    """At most `count` rows, evenly spaced over those there are.

    apart: what is read and what is answered are texts of their own (core.data.sides).

    They come from `data`, else from the config's held-out file, else from its validation share, else, with neither,
    from its training rows (and `told` says so). Without config and data a few neutral sentences are asked.

    Raises:
        InputError: the data cannot be read or do not fit the template.
    """
    if data is None and config is None:
        return _neutral(tokenizer, apart)
    wording = Wording.of(config.data) if config is not None else Wording()
    limit = config.data.max_tokens if config is not None else 512
    source, places, told = _source(config, data)
    if config is None and (not tokenizer.chat_template or source.layout.name == "text"):
        wording = Wording(suggest_template(source.layout))
    step = max(1.0, len(places) / count)
    prompts, rows, wants, right = list[list[int]](), list[dict[str, Any]](), list[str](), list[list[int]]()
    for place in (places[int(i * step)] for i in range(min(count, len(places)))):
        row = source.rows[place]
        try:
            segments = render(row, source.layout, wording, tokenizer)
        except InputError as error:
            if concerns_every_row(error, source.layout):
                raise
            continue  # a conversation that cannot be used; training leaves it out too
        prompts.append(_prompt(segments, tokenizer, limit, apart))
        right.append([i for i in (encode_sides if apart else encode)(segments, tokenizer, limit).labels if i >= 0])
        wants.append(answer_text(row, source.layout, wording, tokenizer, segments))
        rows.append(plain(asked_of(row, source.layout)))
    if not prompts:
        raise InputError(f"No row of {source.name} can be asked, so nothing could be compared.", "evaluation.data")
    return Questions(
        prompts,
        rows,
        wants,
        right,
        f"{told} of {source.name}",
        form(wording, source.layout, source.columns, tokenizer),
    )


def _source(config: RunConfig | None, data: str | None) -> tuple[Source, list[int], str]:
    """The rows to ask from: their source, which of them, and what they are called."""
    named = data or (config.evaluation.data if config is not None else None)
    if named is not None or config is None:
        source = readable(open_data(named or "")) if config is None else open_heldout(config, named or "")
        return source, list(range(len(source.rows))), "rows" if data else "held-out rows"
    source = open_examples(config)
    kept = split_source(source, config).validation
    if kept:
        return source, kept, "validation rows"
    return source, list(range(len(source.rows))), "training rows (none were kept back)"


def _neutral(tokenizer: Any, apart: bool) -> Questions:
    """A few sentences for a model of which nothing more is known."""
    if tokenizer.chat_template:
        rows: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": text}]} for text in NEUTRAL]
        asked = [{"messages": [*row["messages"], {"role": "assistant", "content": "."}]} for row in rows]
        layout, template, columns = TALK, None, ["messages"]
    else:
        rows = [{"text": text} for text in NEUTRAL]
        asked = [row | {"answer": ""} for row in rows]
        layout, template, columns = PLAIN, "{text}[[{answer}]]", ["text", "answer"]
    prompts = [_prompt(render(row, layout, template, tokenizer), tokenizer, 512, apart) for row in asked]
    told = "neutral sentences, since no data was named"
    return Questions(prompts, rows, None, None, told, form(Wording(template), layout, columns, tokenizer))


def _prompt(segments: list[Segment], tokenizer: Any, limit: int, apart: bool) -> list[int]:
    return (encode_question if apart else encode_prompt)(prompt_segments(segments), tokenizer, limit)


def form(wording: Wording, layout: Layout, columns: list[str], tokenizer: Any) -> dict[str, Any]:
    """How a package makes such prompts: the text template or the chat template, and the fields that a person fills in.

    A package knows no names of formats: it gets the chat template itself.
    """
    template, optional = wording.text, list[str]()
    if template is None and _as_talk(layout):
        layout, columns = TALK, ["messages"]  # see asked_of
    if template is None:
        roles = {role.name: role for role in ROLES_OF[layout.name] if role.name in layout.roles}
        names = [name for name in ASKED if name in roles and not layout.conversational]
        fields = [layout.roles[name] for name in names]
        optional = [layout.roles[name] for name in names if roles[name].optional and name != "prompt"]
        used = [*fields, *([answer_column(layout)] if answer_column(layout) else [])]
    else:
        parts = parse(template, tuple(columns))
        last = max(i for i, part in enumerate(parts) if part.answer)
        while last and parts[last - 1].answer:
            last -= 1
        fields = list(dict.fromkeys(part.text for part in parts[:last] if part.column))
        used = list(dict.fromkeys(part.text for part in parts if part.column))
    return {
        "template": template,
        "chat_template": _chat_template(wording, tokenizer) if not template else None,
        "system": wording.system,
        "layout": {"name": layout.name, "roles": layout.roles},
        "columns": used,
        "fields": fields,
        "optional": optional,
    }


def _chat_template(wording: Wording, tokenizer: Any) -> str | None:
    """That of the format that is named, else the tokenizer's own; None where neither is (of some that only read)."""
    return wording.chat_template(tokenizer) or (tokenizer.get_chat_template() if tokenizer.chat_template else None)


def _as_talk(layout: Layout) -> bool:
    """Whether rows are conversations in several columns, which a package is asked as messages."""
    return layout.conversational and layout.name not in ("sharegpt", "messages")


def asked_of(row: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """The row without its last answer where it is a conversation; preferences, and rows with earlier turns, as the
    messages that are learned."""
    if _as_talk(layout):
        messages = to_messages(row, layout)
        return {"messages": messages[: last_answer(messages)], "tools": tools(row, layout)}
    return unanswered(row, layout)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON can carry it: what it cannot is the text that it would be in a prompt."""

    def carried(value: Any) -> Any:
        try:
            return value if json.loads(json.dumps(value)) == value else as_text(value)
        except (TypeError, ValueError):
            return as_text(value)

    return {name: carried(value) for name, value in row.items()}

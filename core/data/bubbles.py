"""A row as a conversation for the eye, beside its tokens: who says what, and which of it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.data.chat import answers_of, with_system
from core.data.formats import Layout, to_messages, tools
from core.data.named import NAMED, unknown_markers
from core.data.reasoning import KEY
from core.data.segments import Segment
from core.data.template import Wording, render
from core.data.turns import Message, as_text, said
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Bubble = dict[str, Any]  # "role": system, tools, user, assistant or tool; "content": text; "trained": bool


def bubbles(
    row: dict[str, Any],
    layout: Layout,
    wording: Wording,
    tokenizer: PreTrainedTokenizerFast,
    segments: Sequence[Segment],
) -> tuple[list[Bubble], list[str]]:
    """A row as [{"role", "content", "trained"}, ...], and what a person should know about it.

    Under a chat template these are the turns as they were given, calls and tools as JSON; under a text template what
    is read is by the user, and each answer by the assistant.

    Args:
        segments: what `template.render` made of the row.
    """
    if wording.text is None:
        return _turns(row, layout, wording, tokenizer, segments)
    bos, shown = traits(tokenizer).bos, list[Bubble]()
    every = render(row, layout, Wording(wording.template), tokenizer)  # the same, with earlier answers marked as such
    for segment, said_by in zip(segments, every, strict=True):
        text = segment.text[: len(segment.text) - segment.end].removeprefix("" if shown else bos).strip()
        if text or said_by.answer:
            role = "assistant" if said_by.answer else "user"
            shown.append({"role": role, "content": text, "trained": segment.trained})
    return shown, []


def _turns(
    row: dict[str, Any],
    layout: Layout,
    wording: Wording,
    tokenizer: PreTrainedTokenizerFast,
    segments: Sequence[Segment],
) -> tuple[list[Bubble], list[str]]:
    messages, callable_tools = with_system(to_messages(row, layout), wording), tools(row, layout)
    turns, warnings = answers_of(messages), list[str]()
    answers = sum(segment.answer for segment in segments)
    trained = set(range(turns[-1] + 1) if wording.train_on == "all" else turns[-answers:])
    shown = [{"role": m["role"], "content": _shown(m), "trained": i in trained} for i, m in enumerate(messages)]
    if callable_tools:
        listed = {"role": "tools", "content": "\n".join(map(as_text, callable_tools)), "trained": 0 in trained}
        shown.insert(messages[0]["role"] == "system", listed)
    if wording.train_on == "answers" and answers < len(turns):
        warnings.append(
            "The chat template writes earlier answers otherwise once more follow, so only the last one is trained on."
        )
    if lost := next((s.lost for s in segments if s.answer and s.lost), ""):
        warnings.append(f"The chat template leaves out a part of the answer, which is not learned: {_short(lost)}")
    elif lost := next((s.lost for s in segments if s.lost), ""):
        warnings.append(f"The chat template leaves out a part of an earlier answer: {_short(lost)}")
    if any(s.put_back for s in segments):
        warnings.append(
            "The chat template leaves the reasoning out of the answer; it is put where the model writes it."
        )
    if turns[-1] + 1 < len(messages):
        warnings.append("What follows the last answer is left out.")
    if wording.template in NAMED and (lacking := unknown_markers(wording.template, tokenizer)):
        warnings.append(
            f"This model does not know {', '.join(lacking)} as special tokens and reads them as plain text: choose a "
            f"model made for {NAMED[wording.template].label}, or the format alpaca or plain."
        )
    return shown, warnings


def _shown(message: Message) -> str:
    """All that a message says, its reasoning in front."""
    why = message.get(KEY, "").strip()
    return f"<think>\n{why}\n</think>\n\n{said(message)}" if why else said(message)


def _short(text: str) -> str:
    line = " ".join(text[:400].split())
    return line if len(line) <= 80 else f"{line[:79]}…"

"""What a chat template can say, found by trying it; and a conversation put into words that it can."""

from __future__ import annotations

import json
import os
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.data.reasoning import KEY, KEYS, block_at_end, empty_block, opened, split, without_empty_block
from core.data.turns import Message, as_text, said
from core.errors import BrokenTemplate, InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIELD = "data.template"
Tools = Sequence[dict[str, Any]]
# Words that no template holds.
_A, _B, _C = "zqxj", "vkwp", "wjyx"
_ASK, _REPLY = {"role": "user", "content": "hello"}, {"role": "assistant", "content": "good"}


@dataclass(frozen=True)
class Dialect:
    """What a chat template writes out.

    Attributes:
        system: a system prompt.
        tools: the tools that may be called.
        calls: calls with their results; "objects": with arguments as an object, "text": as JSON text, "": not at all.
        results: what a tool says, where there are no calls.
        reasoning: what an assistant thinks, under this key of its message; "": under none.
        thinks: whether there is a place for that: a generation prompt that opens it, or an empty block without it.
        extra: what a generation prompt ends in, and no answer begins with: R1's <think>, or an empty block.
    """

    system: bool
    tools: bool
    calls: Literal["objects", "text", ""]
    results: bool
    reasoning: str = ""
    thinks: bool = False
    extra: str = ""


_KNOWN: weakref.WeakKeyDictionary[Any, dict[str | None, Dialect]] = weakref.WeakKeyDictionary()


def dialect(tokenizer: PreTrainedTokenizerFast, template: str | None) -> Dialect:
    """The dialect of a chat template (None: the tokenizer's own); tried once, then kept."""
    known = _KNOWN.setdefault(tokenizer, {})
    if template not in known:
        known[template] = _try(tokenizer, template)
    return known[template]


def _try(tokenizer: PreTrainedTokenizerFast, template: str | None) -> Dialect:
    def writes(messages: list[Message], *words: str, tools: Tools = ()) -> bool:
        try:
            text = write(tokenizer, template, messages, tools)
        except InputError:
            return False
        return all(word in text for word in words)

    function = {"name": "find", "description": _A, "parameters": {"type": "object", "properties": {}}}
    tool = {"type": "function", "function": function}
    result = {"role": "tool", "name": "find", "tool_call_id": "abcdefghi", "content": _C}

    def calls(arguments: Any) -> bool:
        call = {"type": "function", "id": "abcdefghi", "function": {"name": "find", "arguments": arguments}}
        asked: list[Message] = [_ASK, {"role": "assistant", "content": "", "tool_calls": [call]}, result, _REPLY]
        return writes(asked, "find", _A, _B, _C)

    thinks, extra = _manner(tokenizer, template)
    return Dialect(
        system=writes([{"role": "system", "content": _A}, _ASK, _REPLY], _A),
        tools=writes([_ASK, _REPLY], _A, tools=[tool]),
        calls="objects" if calls({_A: _B}) else "text" if calls(json.dumps({_A: _B})) else "",
        results=writes([_ASK, _REPLY, {"role": "tool", "content": _C}, _REPLY], _C),
        thinks=thinks,
        extra=extra,
        reasoning=next((key for key in KEYS if writes([_ASK, _REPLY | {key: _A}], _A, "good")), ""),
    )


def _manner(tokenizer: PreTrainedTokenizerFast, template: str | None) -> tuple[bool, str]:
    """(thinks, extra) of a dialect."""
    try:
        prompt, whole = write(tokenizer, template, [_ASK], (), True), write(tokenizer, template, [_ASK, _REPLY], ())
    except InputError:
        return False, ""
    if whole.startswith(prompt):
        return bool(opened(prompt) or empty_block(whole[len(prompt) :])), ""
    tag = block_at_end(prompt)
    at = tag.start() if tag else len(os.path.commonprefix([prompt, whole]))
    if not whole.startswith(prompt[:at]) or not without_empty_block(whole[at:]).lstrip().startswith(_REPLY["content"]):
        return False, ""
    return tag is not None, prompt[at:]


def write(
    tokenizer: PreTrainedTokenizerFast,
    template: str | None,
    messages: list[Message],
    tools: Tools,
    prompt: bool = False,
) -> str:
    """What a chat template makes of a conversation.

    Args:
        template: Jinja, or None for the tokenizer's own.
        prompt: add what stands before an answer.

    Raises:
        InputError: the template refuses the conversation, or fails on it. BrokenTemplate: no template at all.
    """
    try:
        return str(
            tokenizer.apply_chat_template(
                messages,
                chat_template=template,
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=prompt,
            )
        )
    except Exception as error:  # whatever a template raises: jinja's errors, or a Python one inside of it
        raise _refused(error, "The chat template" if template else "The model's chat template") from None


def _refused(error: Exception, whose: str) -> InputError:
    """What a template raised, in words: what refuses a conversation is told from what is broken.

    Jinja's errors are known by their names: a package without a chat template comes without Jinja.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    if "TemplateSyntaxError" in kinds:  # unknown filters and tests are such, too
        line = f" in its line {number:,}" if isinstance(number := getattr(error, "lineno", None), int) else ""
        return BrokenTemplate(f"{whose} is broken{line}: {reason}.", FIELD)
    if "no loader" in reason:  # of {% import %}, {% include %} and {% extends %}
        return BrokenTemplate(f"{whose} asks for another file, and a template gets none.", FIELD)
    if "RecursionError" in kinds:
        return InputError(f"{whose} calls itself without end, or this conversation is nested too deeply.", FIELD)
    if "SecurityError" in kinds:
        return BrokenTemplate(f"{whose} reaches for what it may not use: {reason}.", FIELD)
    if "UndefinedError" in kinds and re.fullmatch(r"'\w+' is undefined", reason):
        return InputError(f"{whose} is broken: it uses a variable that is not there, {reason}.", FIELD)
    if type(error).__name__ == "TemplateError":  # what a template raises itself, by raise_exception
        return InputError(f"{whose} refuses this conversation: {reason}.", FIELD)
    return InputError(f"{whose} fails on this conversation: {reason}.", FIELD)


def put(messages: list[Message], tools: Tools, able: Dialect) -> tuple[list[Message], Tools]:
    """A conversation and its tools as a chat template can write them.

    What it cannot write becomes words: calls are JSON in what the assistant says, tools are JSON in the system prompt,
    a tool's results are said by the user, and a system prompt stands in front of what the user says next. Reasoning
    goes under the key that the template reads; where it reads none it stays under our own, and in the words.
    """
    if tools and not able.tools:
        listed = "\n".join(["Tools:", *map(as_text, tools)])
        if messages[0]["role"] == "system":
            messages = [messages[0] | {"content": f"{messages[0]['content']}\n\n{listed}"}, *messages[1:]]
        else:
            messages = [{"role": "system", "content": listed}, *messages]
        tools = ()
    called = bool(able.calls) and any("tool_calls" in m for m in messages)
    out: list[Message] = []
    before = ""
    for message in messages:
        if able.reasoning and message["role"] == "assistant":
            message = reasoned(message, able.reasoning)
        if "tool_calls" in message:
            message = _called(message, able)
        if message["role"] == "tool" and not (called or able.results):
            message = {"role": "user", "content": message["content"]}
        if message["role"] == "system" and not able.system:
            before += f"{message['content']}\n\n"
            continue
        if before and message["role"] == "user":
            message = message | {"content": before + message["content"]}
            before = ""
        out.append(message)
    return out, tools


def reasoned(message: Message, key: str = KEY) -> Message:
    """An assistant's message with its reasoning under a key, taken out of its words where it stands in these."""
    found = split(message["content"])
    if found and message.get(KEY, found[0]).strip() == found[0]:
        message = message | {KEY: found[0], "content": found[1]}
    return message | {key: message[KEY]} if message.get(KEY) else message


def _called(message: Message, able: Dialect) -> Message:
    """An assistant's message with calls, as the dialect has them."""
    if not able.calls:
        return {k: v for k, v in message.items() if k != "tool_calls"} | {"content": said(message)}
    if able.calls == "objects":
        return message
    calls = [
        c | {"function": c["function"] | {"arguments": as_text(c["function"]["arguments"])}}
        for c in message["tool_calls"]
    ]
    return message | {"tool_calls": calls}

"""A model's tokenizer whose template and regular expressions run under the watch; otherwise transformers' own.

What a process of ours renders or tokenises goes through here, whichever part of the project asks (core.models.tokenizer
makes it). An exported package has a tokenizer of its own, without a watch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import transformers
from transformers.utils import chat_template_utils

from core.errors import InputError
from core.limited import watch
from core.limited.watch import bound_arithmetic, overran, watched

TEMPLATE, MODEL = "data.template", "model.path"
T = TypeVar("T")

bound_arithmetic()


def _rendered(render: Callable[[], T], own: bool) -> T:
    what = "The model's chat template" if own else "The chat template"
    with watched(what, TEMPLATE):
        made = render()
    written = len(made) if isinstance(made, str) else 0
    if written > watch.LIMITS.text:
        raise overran(what, f"wrote {written:,} characters for one conversation", TEMPLATE)
    return made


def _answered(ask: Callable[[], T]) -> T:
    """What the native tokenizer says. InputError where it panics, which is no Exception."""
    try:
        with watched("The model's tokenizer", MODEL):
            return ask()
    except BaseException as error:
        raise panicked(error, "fails on a text of this data") or error from None


def panicked(error: BaseException, what: str) -> InputError | None:
    """The sentence for a panic of native code; None for any other error. what: what the tokenizer does."""
    if type(error).__name__ != "PanicException":
        return None
    reason = " ".join(str(error).split())[:200].rstrip(".")
    return InputError(f"The model's tokenizer {what}: {reason}. Choose another model.", MODEL)


class Backend:
    """The native tokenizer: what cuts texts is watched, all else is its own."""

    def __init__(self, own: Any) -> None:
        object.__setattr__(self, "_own", own)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_own"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._own, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self._own, memo)

    def encode(self, text: str, add_special_tokens: bool = True) -> Any:
        """One text. By the call for many, which alone lets other threads run meanwhile: the watch's, too."""
        return self.encode_batch([text], add_special_tokens=add_special_tokens)[0]

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = True) -> Any:
        """Many texts."""
        return _answered(lambda: self._own.encode_batch(texts, add_special_tokens=add_special_tokens))

    def encode_batch_fast(self, texts: Sequence[str], add_special_tokens: bool = True) -> Any:
        """Many texts, without their places."""
        return _answered(lambda: self._own.encode_batch_fast(texts, add_special_tokens=add_special_tokens))


class TokenizersBackend(transformers.PreTrainedTokenizerFast):
    """transformers' fast tokenizer, watched. It keeps the name, which transformers writes into what it saves."""

    @property
    def backend_tokenizer(self) -> Any:
        """The native tokenizer, watched."""
        return Backend(self._tokenizer)

    def apply_chat_template(self, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        """As transformers' own. Raises core.errors.Overran besides."""
        own = not kwargs.get("chat_template")
        return _rendered(lambda: super(TokenizersBackend, self).apply_chat_template(conversation, *args, **kwargs), own)


_render = chat_template_utils.render_jinja_template


def _watched_render(*args: Any, **kwargs: Any) -> Any:
    return _rendered(lambda: _render(*args, **kwargs), True)


chat_template_utils.render_jinja_template = _watched_render  # core.data.chat asks it for the marks of a template

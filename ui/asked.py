"""What is asked of the page: every event and every server function ends in an answer or in words, whatever was sent."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any

import gradio as gr
from fastapi import HTTPException

from core.errors import InputError
from ui.sessions import FORGOTTEN, Sessions

ENDS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)  # of a task or process, not of the work
LACKING = "This was asked with {what}, which the page does not do. Load it again, and try once more."
BROKEN = "That could not be done, through a fault of this program: {kind}. Its log says where."


class Page(gr.Blocks):
    """Blocks whose events never end without words.

    Gradio shows a visitor the sentence of a gr.Error alone; all else becomes an error that says nothing. Here a
    sentence of ours stays one; what came of values that no page sends is said to be that; anything else is a fault
    of this program: the visitor is told so, and the log has the traceback.
    """

    def __init__(self, *args: Any, **kw: Any) -> None:
        # Statistics that nobody can ask for: Gradio would compute them over the last 10,000 events at every event.
        os.environ.update(GRADIO_ANALYTICS_MAX_EVENTS="1", GRADIO_ANALYTICS_CACHE_FREQUENCY=str(10**9))
        super().__init__(*args, **kw)

    async def process_api(self, block_fn: Any, inputs: list[Any], state: Any = None, *args: Any, **kw: Any) -> Any:
        """Gradio's: values to Python, the function, its results to values."""
        fn = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        holder = self.state_holder if self.is_running else None
        if isinstance(holder, Sessions) and kw.get("session_hash") in holder.forgotten:
            raise _said(FORGOTTEN)  # its states would be those of a first visit
        if fn.collects_event_data and not isinstance(getattr(kw.get("event_data"), "_data", None), dict):
            raise _said(LACKING.format(what="no event"))
        try:
            return await super().process_api(fn, inputs, state, *args, **kw)
        except (gr.Error, *ENDS):
            raise
        except InputError as error:
            raise _said(str(error)) from error
        except BaseException as error:  # a panic of a tokenizer is no Exception, and whoever asked would wait for ever
            raise _said(_words(error, _unfit(fn, inputs))) from error

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kw: Any) -> Any:
        """Gradio's. What it cannot do with a value is the value's fault."""
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **kw)
        except ENDS:
            raise
        except gr.Error as error:
            raise _said(error.message[:300]) from error
        except Exception as error:
            raise _said(LACKING.format(what=_unfit(block_fn, inputs) or "values of another kind")) from error


def _said(sentence: str) -> gr.Error:
    """An error that shows a sentence as it stands: what Gradio shows is read as HTML."""
    return gr.Error(escape(sentence, quote=False), print_exception=False)


def _unfit(fn: Any, inputs: list[Any]) -> str:
    """What of the values cannot have come from the page, or "": too few, none where one stands, one of another kind."""
    if len(inputs) != len(fn.inputs):
        return f"{len(inputs)} values in the place of {len(fn.inputs)}"
    for block, value in zip(fn.inputs, inputs, strict=True):
        first = getattr(block, "value", None)
        if not block.stateful and (value is None or (first is not None and _kind(first) != _kind(value))):
            return f"{_kind(value)} for {str(getattr(block, 'label', None) or block.get_block_name())!r}"
    return ""


def _kind(value: Any) -> str:
    kinds: dict[str, Any] = {"no value": type(None), "an object": dict, "a list": (list, tuple), "a text": str}
    return next((name for name, kind in kinds.items() if isinstance(value, kind)), "a number")


def _words(error: BaseException, unfit: str) -> str:
    """The sentence for a visitor; a fault of ours goes into the log."""
    if unfit:
        print(f"Asked with {unfit}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
        return LACKING.format(what=unfit)
    traceback.print_exception(error)
    return BROKEN.format(kind=type(error).__name__)


def guard(demo: gr.Blocks) -> None:
    """Let every server function of the page's components refuse in words what it is not made for."""
    for block in demo.blocks.values():
        for name, fn in list(vars(block).items()):
            if callable(fn) and getattr(fn, "_is_server_fn", False):
                setattr(block, name, _guarded(fn))


def _guarded(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function, behind a check of its first argument: an object where it says `dict`, a text where it says `str`.

    A second one, of gr.Request, is who asks; Gradio gives it.
    """
    argument, *_ = inspect.signature(fn).parameters.values()
    said = str(argument.annotation)
    wants: type = dict if "dict" in said else str if "str" in said else object

    @wraps(fn)
    def guarded(request: Any = None, *asking: gr.Request) -> Any:
        if not isinstance(request, wants):
            raise HTTPException(400, LACKING.format(what=_kind(request)))
        try:
            return fn(request, *asking)
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        except ENDS:
            raise
        except BaseException as error:
            raise HTTPException(500, _words(error, "")) from error

    return guarded

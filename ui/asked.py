"""What is asked of the page: every event and every server function ends in an answer or in words, whatever was sent."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from functools import wraps
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

    async def process_api(self, block_fn: Any, inputs: list[Any], state: Any = None, *args: Any, **kw: Any) -> Any:
        """Gradio's: values to Python, the function, its results to values."""
        fn = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        if _is_forgotten(self, kw.get("session_hash")):
            raise gr.Error(FORGOTTEN, print_exception=False)
        try:
            return await super().process_api(fn, inputs, state, *args, **kw)
        except (gr.Error, *ENDS):
            raise
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except BaseException as error:  # a panic of a tokenizer is no Exception, and whoever asked would wait for ever
            raise gr.Error(_words(error, _unfit(fn, inputs)), print_exception=False) from error


def _is_forgotten(blocks: gr.Blocks, session: str | None) -> bool:
    """Whether the server let go of the states of this page: they would be those of a first visit."""
    holder = blocks.state_holder if isinstance(blocks, Page) and blocks.is_running else None
    return isinstance(holder, Sessions) and session in holder.forgotten


def _unfit(fn: Any, inputs: list[Any]) -> str:
    """What of the values cannot have come from the page: too few of them, none where one always stands."""
    wanted = len(fn.inputs)
    if len(inputs) != wanted:
        return f"{len(inputs)} values in the place of {wanted}"
    for block, value in zip(fn.inputs, inputs, strict=True):
        if value is None and not block.stateful and getattr(block, "value", None) is not None:
            return f"no value of {str(getattr(block, 'label', None) or block.get_block_name())!r}"
    return ""


def _words(error: BaseException, unfit: str) -> str:
    """The sentence for a visitor; a fault of ours goes into the log."""
    if unfit:
        return LACKING.format(what=unfit)
    traceback.print_exception(error)
    return BROKEN.format(kind=type(error).__name__)


def guard(demo: gr.Blocks) -> None:
    """Let every server function of the page's components refuse in words what it is not made for."""
    for block in demo.blocks.values():
        for name, fn in list(vars(block).items()):
            if callable(fn) and getattr(fn, "_is_server_fn", False):
                setattr(block, name, _guarded(fn))


def _guarded(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, behind a check of its one argument: an object where it says `dict`, a text where it says nothing."""
    [argument] = inspect.signature(fn).parameters.values()
    wants = dict if "dict" in str(argument.annotation) else str

    @wraps(fn)
    def guarded(request: Any = None) -> Any:
        if not isinstance(request, wants) and (wants is dict or request is not None):
            raise HTTPException(400, LACKING.format(what=f"a {type(request).__name__}"))
        try:
            return fn(request)
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        except ENDS:
            raise
        except BaseException as error:
            raise HTTPException(500, _words(error, "")) from error

    return guarded

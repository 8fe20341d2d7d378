"""Whatever is asked, and however it ends, there are words."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
import pytest
from fastapi import HTTPException

from core.errors import InputError
from ui.asked import Page, guard
from ui.sessions import Sessions


class Panic(BaseException):
    """As a panic of Rust comes to Python."""


def ended(fn: Any, inputs: list[Any] | None = None, component: Any = None, **kw: Any) -> str:
    """The sentence of an event's end."""
    with Page(analytics_enabled=False) as demo:
        box = component() if component else gr.Textbox("x", label="Name <b>")
        box.change(fn, box, box)
    given = ["y"] if inputs is None else inputs
    with pytest.raises(gr.Error) as caught:
        asyncio.run(demo.process_api(0, given, Sessions(demo)["a"], **kw))
    assert not caught.value.print_exception
    return caught.value.message


def raising(error: BaseException) -> Any:
    def fn(value: str) -> str:
        raise error

    return fn


def test_a_sentence_of_ours_is_shown_as_it_stands(capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(raising(InputError("<img src=x onerror=alert(1)> is no path"))) == (
        "&lt;img src=x onerror=alert(1)&gt; is no path"
    )
    assert ended(raising(gr.Error("said already", print_exception=False))) == "said already"
    assert not capfd.readouterr().err


@pytest.mark.parametrize(
    "error", [ValueError("secret"), KeyError("secret"), RecursionError(), MemoryError(), Panic("secret")]
)
def test_a_fault_of_ours_is_called_one_and_the_log_has_it(
    error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ended(raising(error))
    assert type(error).__name__ in said and "fault of this program" in said and "secret" not in said
    assert "Traceback" in capfd.readouterr().err


def test_the_end_of_a_task_is_no_fault() -> None:
    with Page(analytics_enabled=False) as demo:
        box = gr.Textbox()
        box.change(raising(asyncio.CancelledError()), box, box)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(demo.process_api(0, ["y"], Sessions(demo)["a"]))


@pytest.mark.parametrize(("inputs", "words"), [
    ([None], "no value for 'Name &lt;b&gt;'"), ([{"a": 1}], "an object for"), ([["a"]], "a list for"),
    ([3], "a number for"),
    ([], "values"), (["a", "b"], "2 values in the place of 1"),
])  # fmt: skip
def test_values_that_no_page_sends_are_said_to_be_that(
    inputs: list[Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ended(lambda value: value.nothing, inputs)
    assert words in said and "Load it again" in said
    assert "Traceback" not in capfd.readouterr().err


def test_what_gradio_cannot_read_is_said_too(capfd: pytest.CaptureFixture[str]) -> None:
    def radio() -> gr.Radio:
        return gr.Radio(["a", "b"], value="a")

    assert "'&lt;b&gt;' (type: " in ended(lambda value: value, ["<b>"], radio)
    assert "another kind" in ended(lambda value: value, ["/etc/passwd"], gr.File)
    assert not capfd.readouterr().err


def test_an_event_without_its_data_is_refused() -> None:
    def fn(event: gr.EventData) -> str:
        return event.run

    with Page(analytics_enabled=False) as demo:
        box = gr.Textbox()
        box.change(fn, None, box)
    for data in (None, [], "x", 3):
        with pytest.raises(gr.Error, match="no event"):
            asyncio.run(demo.process_api(0, [], Sessions(demo)["a"], event_data=gr.EventData(None, data)))
    answer = asyncio.run(demo.process_api(0, [], Sessions(demo)["a"], event_data=gr.EventData(None, {"run": "r"})))
    assert answer["data"] == ["r"]


def test_who_is_forgotten_is_told_so() -> None:
    with Page(analytics_enabled=False) as demo:
        box = gr.Textbox()
        box.change(lambda value: value, box, box)
    holder = Sessions(demo, most=1)
    first, _ = holder["a"], holder["b"]
    demo.is_running = True
    with pytest.raises(gr.Error, match="Load the page again"):
        asyncio.run(demo.process_api(0, ["y"], first, session_hash="a"))
    assert asyncio.run(demo.process_api(0, ["y"], holder["b"], session_hash="b"))["data"] == ["y"]


def test_server_functions_refuse_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    def news(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("fail"):
            raise InputError("no such run") if request["fail"] == 1 else KeyError("secret")
        return {"got": request}

    def drawn(chosen: str = "") -> str:
        return f"<b>{chosen}</b>"

    def table(asked: Any = None, request: gr.Request | None = None) -> list[Any]:
        return [asked, request]

    with Page(analytics_enabled=False) as demo:
        html = gr.HTML(server_functions=[news, drawn, table])
    guard(demo)
    assert html.news({"a": 1}) == {"got": {"a": 1}} and html.drawn("x") == "<b>x</b>" and html.drawn._is_server_fn
    for wrong in (None, [], "x", 3, True):
        with pytest.raises(HTTPException) as caught:
            html.news(wrong)
        assert caught.value.status_code == 400 and "Load it again" in caught.value.detail
    assert html.table({"at": 1}) == [{"at": 1}, None] and html.table(None, "who") == [None, "who"]
    for wrong in ([], {}, 3, None):
        with pytest.raises(HTTPException, match="400"):
            html.drawn(wrong)
    with pytest.raises(HTTPException, match="400: no such run"):
        html.news({"fail": 1})
    assert "Traceback" not in capfd.readouterr().err
    with pytest.raises(HTTPException) as caught:
        html.news({"fail": 2})
    assert caught.value.status_code == 500 and "secret" not in caught.value.detail
    assert "Traceback" in capfd.readouterr().err

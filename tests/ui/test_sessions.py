"""What the server remembers of open pages has an end, and who is forgotten is known to be."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from ui.asked import Page
from ui.sessions import STATE_BYTES, Session, Sessions, weigh


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Page, gr.State, gr.Textbox]]:
    with Page(analytics_enabled=False) as demo:
        state, box = gr.State({"a": 1}), gr.Textbox("x")
    yield demo, state, box


def test_a_session_is_gradios_without_the_copy_of_the_config(page: tuple[Page, gr.State, gr.Textbox]) -> None:
    demo, state, box = page
    holder = Sessions(demo)
    ours, theirs = holder["a"], SessionState(demo)
    assert set(vars(ours)) - set(vars(theirs)) == {"holder", "sizes"} and set(vars(theirs)) <= set(vars(ours))
    assert theirs.config_values and not ours.config_values
    for session in (ours, theirs):
        assert session[state._id] == {"a": 1} and session[box._id] is box and box._id in session
        session[state._id] = {"a": 2}
        session[box._id] = other = gr.Textbox("y", render=False)
        session._update_value_in_config(box._id, "z")
        session._update_config(box._id)
        assert session[state._id] == {"a": 2} and session[box._id] is other and box._id in session
        assert [(c, v, e) for c, v, e in session.state_components] == [(state, {"a": 2}, False)]
    assert not ours.config_values and demo.blocks[box._id] is box


def test_a_state_is_bounded_and_the_one_before_stays(page: tuple[Page, gr.State, gr.Textbox]) -> None:
    demo, state, _ = page
    session = Sessions(demo)["a"]
    session[state._id] = kept = {"a": "x" * (STATE_BYTES - 100)}
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    for large in ({"a": "x" * STATE_BYTES}, ["é" * (STATE_BYTES // 6 + 1)], nested):
        with pytest.raises(gr.Error, match="at most 1 MB"):
            session[state._id] = large
    assert session[state._id] is kept


def test_those_go_first_that_were_asked_for_least_recently(page: tuple[Page, gr.State, gr.Textbox]) -> None:
    demo, state, _ = page
    holder = Sessions(demo, most=3)
    for name in "abcad":
        assert isinstance(holder[name], Session)
    assert list(holder.session_data) == ["c", "a", "d"] and list(holder.forgotten) == ["b"]
    for i in range(50_000):
        holder[f"s{i}"]
    assert len(holder.session_data) == len(holder.time_last_used) == 3 and len(holder.forgotten) == 10_000


def test_all_states_together_are_bounded(page: tuple[Page, gr.State, gr.Textbox]) -> None:
    demo, state, _ = page
    holder = Sessions(demo, most_bytes=10_000)
    for i in range(20):
        holder[f"s{i}"][state._id] = "x" * 998
        holder[f"s{i}"][state._id] = "x" * 998  # what was there before counts no more
    assert list(holder.session_data) == [f"s{i}" for i in range(10, 20)] and holder.weight == 10_000
    gone = holder["s10"]
    holder["s19"][state._id] = "x" * 9_000
    holder["s19"]
    assert "s11" in holder.forgotten and holder.weight <= 10_000
    gone[state._id] = "x"
    assert holder.weight == sum(sum(s.sizes.values()) for s in holder.session_data.values())


def test_a_closed_page_weighs_nothing_after_an_hour(page: tuple[Page, gr.State, gr.Textbox]) -> None:
    demo, state, _ = page
    holder = Sessions(demo)
    holder["a"][state._id] = "x" * 98
    holder["a"].is_closed = True
    holder.delete_all_expired_state()
    assert holder.weight == 100
    holder["a"].STATE_TTL_WHEN_CLOSED = -1
    holder.delete_all_expired_state()
    assert holder.weight == 0 and not holder["a"].state_data


def test_a_state_weighs_what_it_takes_as_json() -> None:
    assert weigh({"a": 1}) == 8 and weigh(object()) > 0
    circle: list = []
    circle.append(circle)
    assert weigh(circle) > STATE_BYTES

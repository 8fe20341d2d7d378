"""Reasoning in front of an answer: found in any spelling, left out of what is compared, and no answer by itself."""

import pytest

from core.data.chat import render_chat
from core.data.encode import is_blank
from core.data.reasoning import answer_of, split, without_empty_block
from tests.core.data.test_manners import OPENS, QWEN3, STRIPS, talk, tok


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<think>\nwhy\n</think>\n\nso", ("why", "so")),
        ("<thinking>why</thinking>so", ("why", "so")),
        (" <thought>why</thought> so ", ("why", "so ")),
        ("why\n</think>\n\nso", ("why", "so")),
        ("<think></think>so", ("", "so")),
        ("<think>a <b>c</b></think>so </think>", ("a <b>c</b>", "so </think>")),
        ("<|channel|>analysis<|message|>why<|end|><|channel|>final<|message|>so<|return|>", ("why", "so")),
        ("so", None), ("<think>never closed", None), ("a <think>later</think>", None), ("a < b and c </b>", None),
    ],
)  # fmt: skip
def test_reasoning_between_tags(text, found):
    assert split(text) == found
    if found:
        assert answer_of(text) == found[1].strip()


def test_what_is_compared():
    assert answer_of(" so ") == "so" and answer_of("<think>it never ends") == ""
    assert answer_of("about <think>") == "about <think>"
    assert without_empty_block("<think>\n\n</think>\n\nso") == "\n\nso" and without_empty_block("\n</think>so") == "so"
    assert without_empty_block("<think>why</think>so") == "<think>why</think>so"


@pytest.mark.parametrize("template", [QWEN3, OPENS, STRIPS])
def test_an_empty_block_is_no_answer(template):
    assert is_blank(render_chat(talk({"content": " "}), tok(), None, template))
    assert not is_blank(render_chat(talk({"content": "", "reasoning": "why"}), tok(), None, template))

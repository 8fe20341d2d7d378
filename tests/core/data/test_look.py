"""The doctor in a process of its own says what it says in this one, and ends when nobody listens."""

import contextlib
import multiprocessing

import pytest

from core.config import build
from core.data.dataset import open_examples
from core.data.look import look
from core.data.report import findings
from core.data.split import split_source
from core.errors import InputError
from core.models.tokenizer import load_tokenizer

pytestmark = pytest.mark.slow


def watched(config):
    steps, looking = [], look(config)
    try:
        while True:
            steps.append(next(looking))
    except StopIteration as end:
        return steps, end.value


def test_it_finds_the_same_and_tells_how_far_it_is():
    config = build({"data": {"template": "{note} {fields}", "max_tokens": 60}})
    source = open_examples(config)
    here = findings(source, config, load_tokenizer(config.model.path), split_source(source, config))
    steps, there = watched(config)
    assert there == here
    assert steps[0] == (0, 1200)
    assert steps == sorted(steps)


def test_what_is_wrong_is_the_same_sentence():
    with pytest.raises(InputError, match="There is no file") as caught:
        watched(build({"data": {"path": "nothing.jsonl"}}))
    assert caught.value.field == "data.path"


def test_it_ends_when_it_is_closed():
    before = set(multiprocessing.active_children())
    with contextlib.closing(look(build({}))) as looking:
        next(looking)
        assert set(multiprocessing.active_children()) - before
    assert set(multiprocessing.active_children()) == before

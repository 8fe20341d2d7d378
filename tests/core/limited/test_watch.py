"""A call that goes on for ever is interrupted, in the process that makes it; what is well is left alone."""

import subprocess
import sys
import threading

import pytest

from core.data.dialect import write
from core.errors import InputError, Overran
from core.limited import watch
from core.models.tokenizer import load_folder
from tests.conftest import ROOT
from tests.core.limited.hostile import ENDLESS, REFUSED, model

TALK = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good"}]


@pytest.fixture
def tight(monkeypatch):
    limits = watch.Limits(0.3, 2**30, 1_000_000)
    monkeypatch.setattr(watch, "LIMITS", limits)
    return limits


@pytest.fixture(scope="module")
def tokenizer():
    return load_folder(ROOT / "assets" / "demo-model")


@pytest.mark.parametrize("name", ["loop", "writes", "macros"])
def test_a_template_without_an_end_is_interrupted(tokenizer, tight, name):
    with pytest.raises(Overran, match=r"did not come to an end within 0\.3 seconds: it is not used\. Choose") as caught:
        write(tokenizer, ENDLESS[name], TALK, ())
    assert caught.value.field == "data.template"
    assert write(tokenizer, "{{ messages[0].content }}", TALK, ()) == "hello"  # nothing of it comes later
    assert not watch._CALLS


def test_a_template_that_fills_the_memory_is_interrupted(tokenizer, monkeypatch):
    monkeypatch.setattr(watch, "LIMITS", watch.Limits(60, 64 * 2**20))
    grows = "{% set ns = namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}"
    with pytest.raises(Overran, match=r"took more than 0\.062 GB of memory"):
        write(tokenizer, grows, TALK, ())


def test_a_template_that_writes_much_is_refused(tokenizer, tight):
    with pytest.raises(Overran, match="wrote 2,000,000 characters for one conversation"):
        write(tokenizer, "{% for i in range(2000) %}" + "a" * 1000 + "{% endfor %}", TALK, ())


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_template_may_not_is_said(tokenizer, name):
    template, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        write(tokenizer, template, TALK, ())


def test_operators_compute_what_they_did(tokenizer):
    template = "{{ 2 ** 10 }} {{ '-' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ 6 * 7 }} {{ 1.5 * 2 }} {{ 2 ** -1 }}"
    assert write(tokenizer, template, TALK, ()) == "1024 --- ababab [1, 1] 42 3.0 0.5"


def test_a_panic_of_the_tokenizer_is_a_sentence(tmp_path):
    tokenizer = load_folder(model(tmp_path / "m", regex="(a+)+$"))
    with pytest.raises(InputError, match="The model's tokenizer fails on a text of this data: .*retry-limit") as caught:
        tokenizer.backend_tokenizer.encode("a" * 60 + "b")
    assert caught.value.field == "model.path"


def test_each_thread_is_watched_by_itself(tokenizer, tight):
    ends: list[str] = []

    def render(template: str) -> None:
        try:
            ends.append(write(tokenizer, template, TALK, ()))
        except Overran:
            ends.append("overran")

    threads = [threading.Thread(target=render, args=(text,)) for text in (ENDLESS["loop"], "{{ 'fine' }}")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["fine", "overran"]


@pytest.mark.slow
def test_native_code_that_does_not_come_back_ends_the_process(tmp_path):
    """The regular expression takes minutes, and cannot be interrupted."""
    folder = model(tmp_path / "m", regex="(a+)+$")
    code = (
        "from pathlib import Path\n"
        "from core.limited import watch\n"
        "from core.models.tokenizer import load_folder\n"
        "watch.LIMITS.seconds, watch.GRACE_S = 0.2, 0.2\n"
        f"tokenizer = load_folder(Path({str(folder)!r}))\n"
        "tokenizer.backend_tokenizer.encode(('a' * 17 + 'b') * 300_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "The model's tokenizer did not come to an end within 0.2 seconds: it is not used. Choose another model.\n"
    )

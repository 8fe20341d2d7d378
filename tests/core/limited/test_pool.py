"""Children that answer about hostile models: ended, answered in words, replaced, and nobody else waits for them."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import psutil
import pytest

from core.data.encode import preview
from core.data.formats import Layout
from core.data.template import Wording
from core.errors import InputError
from core.limited.asks import Asked
from core.limited.pool import Pool
from core.limited.process import KEPT, Bounds
from core.models.tokenizer import load_tokenizer
from tests.conftest import ROOT
from tests.core.limited.hostile import DEMO, ENDLESS, REFUSED, model

LAYOUT = Layout("prompt_completion", {"prompt": "prompt", "completion": "completion"}, "by name")
ROW = {"prompt": "4 kettles to Dublin", "completion": "done"}
TIGHT = Bounds(seconds=0.4, long_seconds=0.4, bytes=256 * 2**20, answer=2**20, question=2**20)


@pytest.fixture(scope="module")
def pool():
    made = Pool(3, TIGHT)
    yield made
    pids = made.pids
    made.close()
    assert pids and not any(psutil.pid_exists(pid) for pid in pids)


def asked(pool: Pool, folder, wording: Wording | None = None) -> Asked:
    return Asked(folder, None, wording or Wording(), pool)


def test_a_row_is_what_this_process_would_make_of_it(pool):
    made = asked(pool, DEMO).preview(ROW, LAYOUT, 512)
    assert asdict(made) == asdict(preview(ROW, LAYOUT, None, load_tokenizer(DEMO), 512))
    assert asked(pool, DEMO).tokens([ROW, ROW], LAYOUT) == [made.n_tokens] * 2
    assert asked(pool, DEMO).lengths([ROW], LAYOUT)[:2] == ([0], [made.n_tokens])


@pytest.mark.parametrize(
    "name", ["loop", "doubles", *(pytest.param(n, marks=pytest.mark.slow) for n in list(ENDLESS)[2:])]
)
def test_a_template_without_an_end_is_refused(pool, tmp_path, name):
    question = asked(pool, model(tmp_path / "m", ENDLESS[name]))
    with pytest.raises(InputError, match="did not come to an end|memory|characters|ended the process") as caught:
        question.preview(ROW, LAYOUT, 512)
    assert caught.value.field in ("data.template", "model.path")
    used = sum(pool._used.values())
    with pytest.raises(InputError, match=str(caught.value).split(":")[0][:40]):  # at once: no child was asked
        question.preview(ROW, LAYOUT, 512)
    assert sum(pool._used.values()) == used
    assert asked(pool, DEMO).preview(ROW, LAYOUT, 512).n_tokens  # and others are answered


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_template_may_not_is_said(pool, tmp_path, name):
    template, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        asked(pool, model(tmp_path / "m", template)).preview(ROW, LAYOUT, 512)


def test_a_text_template_needs_nothing_of_an_endless_one(pool, tmp_path):
    folder = model(tmp_path / "m", ENDLESS["loop"])
    words = Wording("{prompt} [[{completion}]]")
    assert asked(pool, folder, words).preview(ROW, LAYOUT, 512).n_trained


def test_a_panic_is_a_sentence(pool, tmp_path):
    folder = model(tmp_path / "m", regex="(a+)+$")
    with pytest.raises(InputError, match="The model's tokenizer fails on a text of this data"):
        asked(pool, folder).preview({**ROW, "prompt": "a" * 60 + "b"}, LAYOUT, 512)
    assert asked(pool, folder).preview(ROW, LAYOUT, 512).n_tokens


@pytest.mark.slow
def test_native_code_that_does_not_come_back_is_ended_with_its_child(pool, tmp_path):
    folder = model(tmp_path / "m", regex="(a+)+$")
    with pytest.raises(InputError, match=r"did not come to an end within 1\.4 seconds: it is not used"):
        asked(pool, folder).tokens([{**ROW, "prompt": ("a" * 17 + "b") * 10_000}], LAYOUT)
    assert asked(pool, DEMO).preview(ROW, LAYOUT, 512).n_tokens


def test_a_child_that_dies_is_a_sentence_and_is_replaced(pool, tmp_path):
    question = asked(pool, model(tmp_path / "m", ENDLESS["loop"]))
    pool.warm()
    before = set(pool.pids)

    def kill() -> None:
        while not any(child.turn for child in pool._children):
            time.sleep(0.01)
        next(child for child in pool._children if child.turn).process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InputError, match="ended the process that tried it"):
        question.preview(ROW, LAYOUT, 512)
    killer.join()
    assert set(pool.pids) - before and len(pool.pids) >= len(before)
    assert asked(pool, DEMO).preview(ROW, LAYOUT, 512).n_tokens


def test_an_answer_has_a_most(pool, tmp_path):
    writes = "{{ messages[-1].content }}{% for i in range(3000) %}" + "a " * 500 + "{% endfor %}"
    with pytest.raises(InputError, match="wrote 3,0.* characters for one conversation"):
        asked(pool, model(tmp_path / "m", writes)).preview(ROW, LAYOUT, 512)
    with pytest.raises(InputError, match="too much to be shown: .* characters"):
        asked(pool, DEMO).preview({**ROW, "prompt": "4 " * 60_000}, LAYOUT, 512)
    with pytest.raises(InputError, match="too much to be looked at here") as caught:
        asked(pool, DEMO).tokens([{**ROW, "prompt": "a" * 2**20}], LAYOUT)
    assert caught.value.field == "data.path"


@pytest.mark.slow
def test_eight_endless_templates_hold_up_nobody_with_another_model(pool, tmp_path):
    folders = [model(tmp_path / str(i), ENDLESS["loop"]) for i in range(8)]
    held: list[bool] = []

    def attack(i: int) -> str:
        turn = Asked(folders[i], None, Wording(), pool)
        with pytest.raises(InputError) as caught:
            values = {"folder": str(folders[i]), "wording": asdict(Wording()), "row": ROW, "layout": asdict(LAYOUT)}
            pool.ask("preview", values | {"max_tokens": 512}, turn.subject, f"attacker {i}")
        return str(caught.value)

    with ThreadPoolExecutor(8) as threads:
        attacks = [threads.submit(attack, i) for i in range(8)]
        while not pool._waiting:  # more ask than there are children for
            assert not all(a.done() for a in attacks)
            time.sleep(0.01)
        assert asked(pool, DEMO).preview(ROW, LAYOUT, 512).n_tokens
        held.append(sum(a.done() for a in attacks) < 8)
        assert all("end" in a.result() for a in attacks)
    assert held == [True]  # the visitor did not wait for the end of the attack


@pytest.mark.slow
def test_a_child_ends_by_itself_and_the_next_question_does_not_notice():
    fresh = Pool(2, replace(TIGHT, idle_seconds=0.1))
    try:
        first = asked(fresh, DEMO).preview(ROW, LAYOUT, 512)
        [pid] = fresh.pids
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
        assert asked(fresh, DEMO).preview(ROW, LAYOUT, 512) == first
        assert pid not in fresh.pids
        assert fresh.warm() is None and fresh.bounds.idle_seconds > 600
    finally:
        fresh.close()


@pytest.mark.slow
def test_no_child_outlives_a_process_that_is_killed():
    code = (
        "import os, signal\nfrom core.limited.pool import pool\nfrom core.limited.asks import Asked\n"
        f"Asked({str(DEMO)!r}).end_token()\nprint(*pool().pids, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=110)
    [pid] = map(int, done.stdout.split())
    gone, there = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    assert not there


def test_a_child_knows_no_secret(pool):
    assert not {name for name in KEPT if "TOKEN" in name or "KEY" in name or "SECRET" in name or "OWNER" in name}
    if not os.path.isdir("/proc/self"):
        pytest.skip("the environment of another process is read from /proc")
    os.environ["HF_TOKEN"] = "planted"
    try:
        fresh = Pool(2, TIGHT)
        fresh.warm()
        given = psutil.Process(fresh.pids[0]).environ()
        assert "HF_TOKEN" not in given and given["HF_HUB_OFFLINE"] == given["ORT_DISABLE_TELEMETRY"] == "1"
        assert psutil.Process(fresh.pids[0]).nice() > psutil.Process().nice() or os.name != "posix"
    finally:
        del os.environ["HF_TOKEN"]
        fresh.close()

"""What a visitor of a public page may have: the table, who is bound by it, and where it is met."""

import json
import time

import pytest

from core import limits
from core.config import build
from core.errors import InputError
from core.evaluation.rows import choose
from core.limits import LIMITS, here, limit, of
from core.models.hub_access import FOR
from core.paths import ROOT
from core.runs import minutes, state
from core.runs.state import StateFile, read
from core.training.examples import prepare
from core.visitors import LOCAL, NOBODY, Visitor

STRANGER, OWNER = Visitor("a" * 32, False), Visitor("b" * 32, True)


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch):
    for one in LIMITS.values():
        monkeypatch.delenv(one.variable, raising=False)
    monkeypatch.delenv(FOR, raising=False)


@pytest.fixture
def public(monkeypatch):
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")


@pytest.fixture
def job(public, monkeypatch):
    """This process is a job of a stranger's."""
    monkeypatch.setenv(FOR, "visitor")


def test_who_is_bound(public, monkeypatch):
    for name, one in LIMITS.items():
        assert of(STRANGER, name) == of(NOBODY, name) == of(None, name) == one.default
        assert of(OWNER, name) is None and of(LOCAL, name) is None and here(name) is None
        monkeypatch.setenv(one.variable, " 7.5 ")
        assert of(STRANGER, name) == 7.5
        monkeypatch.setenv(one.variable, "0")
        assert of(STRANGER, name) is None
        monkeypatch.setenv(FOR, "visitor")
        monkeypatch.setenv(one.variable, "3")
        assert here(name) == 3
        monkeypatch.setenv(FOR, "owner")
        assert here(name) is None
        monkeypatch.delenv(FOR)
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    monkeypatch.setenv(FOR, "visitor")
    assert all(of(None, name) is None and here(name) is None for name in LIMITS)


@pytest.mark.parametrize("said", ["many", "-1", "nan", "inf", "1" * 400, "2;3"])
def test_a_limit_that_is_none_is_said(monkeypatch, said):
    monkeypatch.setenv("TUNESMITH_MAX_RUNS", said)
    with pytest.raises(InputError, match="TUNESMITH_MAX_RUNS is .*runs of a visitor that are kept as a number"):
        limit("runs")


def test_every_limit_is_in_the_docs():
    text = (ROOT / "docs" / "public.md").read_text(encoding="utf-8")
    for one in LIMITS.values():
        assert f"`{one.variable}`" in text and f"| {one.default:,.0f} |" in text and one.what in text


def test_rows(rows_file, public, monkeypatch):
    settings = build({
        "data": {"path": str(rows_file), "template": "{phrase}\n{tone}", "max_tokens": 64},
        "evaluation": {"data": str(rows_file)},
    })  # fmt: skip
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")  # only who is bound by it is the page's business here
    monkeypatch.setenv("TUNESMITH_MAX_ROWS", "23")
    assert len(prepare(settings, lambda done, total: None).train)  # of one's own machine
    monkeypatch.setattr(limits, "of_visitor", lambda: True)
    with pytest.raises(InputError, match=r"These are 24 rows, and this page.*at most 23: .*train\[:23\]") as error:
        prepare(settings, lambda done, total: None)
    assert error.value.field == "data.path"
    with pytest.raises(InputError, match="These are 24 rows") as error:
        choose(settings, None, None, 200)
    assert error.value.field == "evaluation.data" and len(choose(settings, None, None, 23).places) == 23
    monkeypatch.setenv("TUNESMITH_MAX_ROWS", "24")
    assert len(choose(settings, None, None, 200).places) == 24
    assert prepare(settings, lambda done, total: None).data["rows"] == 24
    copies = settings.augmentation.model_copy(update={"copies": 2, "swap": 0.5})
    more = settings.model_copy(update={"augmentation": copies})
    with pytest.raises(InputError, match="rows, and this page") as error:
        prepare(more, lambda done, total: None)
    assert error.value.field == "augmentation"


def test_a_job_whose_minutes_are_up_is_stopped_with_words(job, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_MAX_MINUTES", "0.0001")
    monkeypatch.setattr(state, "BEAT_S", 0.01)
    file, asked = StateFile(tmp_path / "state.json"), []
    file.queue()
    with file.working("training", graceful=True) as work:
        end = time.monotonic() + 60
        while not work.stop_asked:
            assert time.monotonic() < end
            time.sleep(0.01)
        asked.append(True)  # what a training does then: it saves its weights
        work.finish("stopped")
    found = read(file.path)
    assert asked and found.state == "stopped" and found.reason == "time_limit"
    assert found.error == "Stopped after 0 minutes, the most for one job on this page."
    assert not file.stop_file.exists()


def test_one_that_does_not_listen_is_ended_and_keeps_the_words(job, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_MAX_MINUTES", "0.0001")
    monkeypatch.setattr(minutes, "GRACE_S", 0.0)
    killed = []
    monkeypatch.setattr(minutes.os, "kill", lambda pid, number: killed.append(number))
    file = StateFile(tmp_path / "state.json")
    file.queue()
    work = state.Job(file, {"state": "running", "pid": 2**22 + 1, "created": 1.0})
    time.sleep(0.01)
    work._minutes.look(work._values)
    assert not killed and work.stop_asked
    work._minutes.look(work._values)
    assert len(killed) == 1
    work._write(sync=False)  # its last sign of life
    found = read(file.path)
    assert found.state == "stopped" and "minutes, the most for one job" in found.error


def test_no_clock_runs_on_ones_own_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_MAX_MINUTES", "0.0001")
    work = state.Job(StateFile(tmp_path / "state.json"), {"state": "running"})
    time.sleep(0.01)
    work._minutes.look(work._values)
    assert not work.stop_asked


def test_the_size_of_a_folder(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    (tmp_path / "d").write_text(json.dumps([1]))
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b" / "c")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert 8 <= limits.size(tmp_path) < 8 + 1_000 and limits.size(tmp_path / "none") == 0

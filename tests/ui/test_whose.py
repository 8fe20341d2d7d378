"""What a visitor of a public page is shown of another's run: all there is to read, and no button that changes it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request

from core.paths import ROOT
from core.runs import rights
from core.runs.files import write_json
from core.runs.state import StateFile
from core.runs.store import Run
from core.visitors import NOBODY, Visitor
from tests.ui.conftest import set_state
from ui import door, uploads
from ui.tabs import evaluate, export, runs, train
from ui.tabs.data import source
from ui.tabs.export import hub, job
from ui.tabs.runs import adapters

A, B, OWNER = Visitor("a" * 32, False), Visitor("b" * 32, False), Visitor("c" * 32, True)
Make = Callable[..., Run]
TRAIN = ("title", "chosen", "start", "stop", "go", "resume")
REFUSED = "somebody else started it"


def request(visitor: Visitor) -> Any:
    """What Gradio hands to a handler, as far as ui.door looks at it."""
    return gr.Request(asked(visitor))


def asked(visitor: Visitor) -> Request:
    """The same as Gradio hands it to a server function: its own."""
    return Request({"type": "http", door.VISITOR: visitor})


@pytest.fixture
def theirs(new_run: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Run]:
    """A run of A's on a public page, with something that counts as weights."""
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path))

    def make(state: str) -> Run:
        run = new_run(state)
        rights.sign(run, A)
        (run.dir / "model").mkdir()
        write_json(run.dir / "model" / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "b"})
        monkeypatch.setattr(Run, "resumable", 4)
        return run

    return make


@pytest.fixture(autouse=True)
def _plain_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that are made outside of a page, as handlers do, are read as the values they were made with."""
    for name in ("Accordion", "CheckboxGroup", "Button", "Column", "Radio", "HTML", "Dropdown"):
        monkeypatch.setattr(export.gr, name, lambda *args, **kw: ({"value": args[0]} if args else {}) | kw)


def visible(update: Any) -> bool:
    return bool(update["visible"])


def test_the_train_tab(theirs: Callable[..., Run]) -> None:
    for state, shown in (
        ("running", {"stop"}),
        ("queued", {"stop"}),
        ("failed", {"resume", "start"}),
        ("done", {"start", "go"}),
    ):
        run = theirs(state)
        for who, mine in ((A, True), (OWNER, True), (B, False), (NOBODY, False)):
            answer = dict(
                zip(TRAIN, train.show(run.id, run.config().model_dump(mode="json"), request(who)), strict=False)
            )
            found = {name for name in ("start", "stop", "go", "resume") if visible(answer[name])}
            assert found == (shown if mine else shown - {"stop", "resume"} | {"start"}), (state, who)
    run = theirs("running")
    for what in (train.stop(run.id, 0, request(B)), train.resume(run.id, 0, "", request(B)), train.stop(run.id, 0)):
        assert what[0]["visible"] and REFUSED in what[0]["value"]
    assert not (run.dir / "stop").exists()


def test_evaluate_and_export(theirs: Callable[..., Run]) -> None:
    run = theirs("done")
    for who, mine in ((A, True), (OWNER, True), (B, False)):
        assert visible(evaluate.show(run.id, "All", request(who))[3]) == mine
        assert [visible(b) for b in export.show(run.id, "cpu", "fp32", request(who))[2:5]] == [False, mine, mine]
    for folder in (run.dir / "evaluation", run.export_dir("cpu", "fp32"), run.dir / "export" / "push"):
        StateFile(folder / "state.json").queue()
        set_state(Run(folder), "running")
    for who, mine in ((A, True), (OWNER, True), (B, False)):
        assert visible(evaluate.show(run.id, "All", request(who))[2]) == mine
        assert [visible(b) for b in export.show(run.id, "cpu", "fp32", request(who))[2:5]] == [mine, False, False]
    refused = [
        evaluate.start(run.id, 0, "", request(B)), evaluate.cancel(run.id, 0, request(B)),
        job.start(run.id, "cpu", "fp32", {}, 0, "", request(B)), job.start_all(run.id, "cpu", {}, 0, "", request(B)),
        job.cancel(run.id, "cpu", "fp32", 0, request(B)),
    ]  # fmt: skip
    assert all(visible(answer[0]) and REFUSED in answer[0]["value"] for answer in refused)
    assert REFUSED in hub.sent(run.id, "cpu", "fp32", "own/name", False, "hf_typed", request(B))[0]
    assert REFUSED in hub.stopped(run.id, request(B))[0]
    assert not list(run.dir.rglob("stop"))


def test_the_list_of_runs(theirs: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run, live = theirs("done"), theirs("running")
    found: list[Callable[..., Any]] = []
    monkeypatch.setattr(runs, "lead", lambda *words: [None])
    monkeypatch.setattr(runs.gr, "Column", lambda **kw: contextlib.nullcontext())
    monkeypatch.setattr(runs.adapters, "layout", lambda: None)
    monkeypatch.setattr(runs, "RunsList", found.append)
    runs.layout(None)  # type: ignore[arg-type]
    [news] = found
    for who, mine in ((A, True), (OWNER, True), (B, False), (NOBODY, False)):
        drawn = " ".join(map(str, news(None, asked(who))["rows"].values()))
        assert set(re.findall(r'data-act="(\w+)"', drawn)) == ({"open", "stop", "delete"} if mine else {"open"})
    for what, one in (("delete", run), ("stop", live), ("resume", run)):
        event: Any = SimpleNamespace(run=one.id, act=what)
        assert REFUSED in runs.act("", 0, "", event, request(B))[2]
    assert run.dir.is_dir() and not (live.dir / "stop").exists()
    assert runs.act("", 0, "", SimpleNamespace(run=run.id, act="open"), request(B))[0] == run.id  # type: ignore[arg-type]
    assert REFUSED in adapters.renamed([run.id], "mine now", 0, request(B))[0]
    assert REFUSED in list(adapters.merged([run.id], 0, request(B)))[-1][0]
    runs.act("", 0, "", SimpleNamespace(run=run.id, act="delete"), request(A))  # type: ignore[arg-type]
    assert not run.dir.exists()


def test_uploads(theirs: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("q,a\n" + "x,y\n" * 300_000)
    monkeypatch.setenv("TUNESMITH_MAX_UPLOAD_MB", "1")
    assert uploads.limit_mb() == 1
    for who, taken in ((B, False), (NOBODY, False), (OWNER, True)):
        told = source.take_upload([str(file)], {"data": {}}, 0, request(who))
        assert ("takes at most 1 MB" in str(told[2])) != taken, told
    monkeypatch.setenv("TUNESMITH_MAX_UPLOAD_MB", "0")
    monkeypatch.setenv("TUNESMITH_MAX_DISK_GB", "0.000001")
    assert uploads.limit_mb() == uploads.LIMIT_MB
    assert "nothing more can be kept" in str(source.take_upload([str(file)], {"data": {}}, 0, request(B))[2])
    parts = [tmp_path / "a.csv", tmp_path / "b.csv"]  # each is small enough, and together they are not
    for part in parts:
        part.write_text("q,a\n" + "x,y\n" * 150_000)
    monkeypatch.setenv("TUNESMITH_MAX_DISK_GB", "0")
    monkeypatch.setenv("TUNESMITH_MAX_UPLOAD_MB", "1")
    assert "a.csv and 1 more" in str(source.take_upload([*map(str, parts)], {"data": {}}, 0, request(B))[2])


def test_the_page_changes_runs_through_what_asks_who_it_is() -> None:
    """core.runs.jobs asks; what it stands on does not, and is no business of the page's."""
    unasked = (
        r"from core\.runs\.(store|adapters|commands|state) import .*\b(delete|create|rename|command|ask_to_stop)\b"
    )
    for path in (*(ROOT / "ui").rglob("*.py"), ROOT / "app.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(unasked, text), path
        for call in re.findall(r"jobs\.(?:start_\w+|resume|stop\w*|delete|rename|merge|combine)\((.*)", text):
            assert re.search(r"visitor|who", call), f"{path}: {call}"

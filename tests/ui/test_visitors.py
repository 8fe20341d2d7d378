"""Several visitors of one public page, over the real server: who may do what, whose turn it is, whose token is used."""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from core.runs.store import Run
from tests.browser.conftest import Server
from tests.core.models.fake_hub import GOOD, FakeHub, serve
from ui.shared import first_draft

API = "/gradio_api/"
SECRET = "the-owner-of-this-test"


class Visitor:
    """A browser without a browser: a cookie, a session, and the events of the page's buttons."""

    def __init__(self, server: Server, address: str = "/") -> None:
        self.server, self.cookies, self.session = server, SimpleCookie(), os.urandom(8).hex()
        while address:
            answer, _ = self.ask("GET", address)
            address = (answer.getheader("location") or "").removeprefix(".")
        self.config = json.loads(self.ask("GET", "/config")[1])

    def ask(self, method: str, path: str, body: Any = None) -> tuple[http.client.HTTPResponse, bytes]:
        """One request, with the cookie."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        headers = {"Cookie": "; ".join(f"{m.key}={m.value}" for m in self.cookies.values())}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        line.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = line.getresponse()
        for cookie in answer.headers.get_all("set-cookie") or []:
            self.cookies.load(cookie)
        content = answer.read()
        assert answer.status < 400, (answer.status, content[:500])
        return answer, content

    def event(self, word: str, trigger: str, data: list[Any], event_data: Any = None, session: str = "") -> list[Any]:
        """What an event of the component that says `word` answers; inputs that are states are None."""
        found = [
            c["id"] for c in self.config["components"] if word in (c["props"].get("value"), c["props"].get("elem_id"))
        ]
        fn = next(d for d in self.config["dependencies"] if any([i, trigger] in d["targets"] for i in found))
        return self.call(fn, data, event_data, session)

    def call(self, fn: dict[str, Any], data: list[Any], event_data: Any = None, session: str = "") -> list[Any]:
        """What a function of the page answers, through its queue."""
        session = session or self.session
        body = {"data": data, "fn_index": fn["id"], "session_hash": session, "event_data": event_data}
        asked = json.loads(self.ask("POST", API + "queue/join", body)[1])["event_id"]
        stream = self.ask("GET", f"{API}queue/data?session_hash={session}")[1].decode()
        said = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
        [end] = [m for m in said if m["msg"] == "process_completed" and m["event_id"] == asked]
        assert end["success"], end
        result: list[Any] = end["output"]["data"]
        return result

    def start(self, **settings: Any) -> tuple[str, str]:
        """Press Start with a draft in hand: (the run's id, what is said where it is refused)."""
        draft, session = first_draft(), os.urandom(8).hex()
        for name, value in settings.items():
            section, _, key = name.partition("__")
            draft[section] = draft[section] | {key: value}
        load = next(
            d
            for d in self.config["dependencies"]
            if any(t[1] == "load" for t in d["targets"]) and len(d["outputs"]) == 3
        )
        self.call(load, [{"draft": draft, "run": ""}, None], session=session)
        problems, run = self.event("Start training", "click", [None, None], session=session)
        # The run is a state, which stays with the server: the newest one of this page's folder is meant.
        text = problems.get("value") or ""
        return ("" if text else max(p.name for p in self.server.runs.glob("2*"))), text

    def act(self, what: str, run: str) -> str:
        """Press a button of the list of runs: what is said where it is refused."""
        said: str = self.event("runs", "submit", [None, None, None], {"act": what, "run": run})[2]
        return said

    def buttons(self, run: str) -> set[str]:
        """The buttons that the list of runs shows for a run."""
        table = next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == "runs")
        body = {"data": {}, "fn_name": "news", "component_id": table, "session_hash": self.session}
        rows = json.loads(self.ask("POST", API + "component_server", body)[1])["rows"]
        return set(re.findall(r'data-act="(\w+)"', "".join(rows[run])))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Server, FakeHub]]:
    """A public page whose machine is logged in to a Hub with a gated model on it."""
    files = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "model.safetensors": b"x"}
    hub = FakeHub({}, {"own/gated": {"files": {"main": files}, "gated": True}})
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(GOOD)
    with serve(hub) as address:
        app = Server(
            tmp_path, TUNESMITH_PUBLIC="1", TUNESMITH_OWNER=SECRET, TUNESMITH_STANDBY="0", HF_ENDPOINT=address,
            HF_TOKEN=GOOD, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1", NO_PROXY="*",
        )  # fmt: skip
        try:
            yield app.start(), hub
        finally:
            app.close()


def until(what: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_page_with_two_visitors_and_an_owner(place: tuple[Server, FakeHub]) -> None:
    server, hub = place
    a, b = Visitor(server), Visitor(server)

    def run(run_id: str) -> Run:
        return Run(server.runs / run_id)

    # A trains, and all others wait; two clicks at once are one run.
    first, _ = a.start(training__max_steps=90_000)
    until(lambda: run(first).state().state == "running")
    second, _ = a.start(model__path="own/gated")
    clicks: list[str] = []
    threads = [threading.Thread(target=lambda: clicks.append(b.start(model__path="own/gated")[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    third = clicks[0]
    fourth, _ = b.start(model__path="own/gated", training__seed=7)
    assert len(list(server.runs.glob("2*"))) == 4
    assert "You have 2 trainings" in a.start(training__seed=9)[1] and len(list(server.runs.glob("2*"))) == 4
    until(lambda: run(fourth).state().what == "Waiting for its turn: 3 ahead")
    assert [run(r).state().state for r in (second, third, fourth)] == ["queued"] * 3

    # B changes nothing of A's, by whatever way, and sees no button for it.
    for what in ("stop", "delete", "resume"):
        assert "somebody else started it" in b.act(what, first)
    assert run(first).state().state == "running"
    assert b.buttons(third) == a.buttons(second) == {"open", "stop"} and b.buttons(second) == a.buttons(third) == {
        "open"
    }

    # The server is killed, and then the one whose turn it is: the others go on, one after the other.
    server.stop(kill=True)
    os.kill(run(first).state().pid or 0, 9)
    until(lambda: not run(fourth).state().under_way)
    states = [run(r).state() for r in (second, third, fourth)]
    for before, after in zip(states, states[1:], strict=False):
        assert (before.ended or 0) <= (after.started or 0), "they ran at once, or in another order"
    assert all(s.state == "failed" and "is gated" in s.error for s in states), states
    assert run(first).state().state == "failed"
    asked = [line for line in hub.asked if "own/gated" in line]
    assert len(asked) >= 3 and not any(GOOD in line for line in hub.asked), "the machine's token went out"

    # Started anew, it knows who is who; the owner may all.
    server.start()
    owner = Visitor(server, f"/?owner={SECRET}")
    assert "somebody else" in a.act("delete", third) and run(third).dir.is_dir()
    assert a.act("delete", second) == "" and not run(second).dir.exists()
    for one in (first, third):
        assert owner.act("delete", one) == "" and not run(one).dir.exists()
    kept = [p for p in server.runs.rglob("*") if p.is_file()]
    assert kept and not any(GOOD.encode() in p.read_bytes() for p in kept) and GOOD not in server.text()

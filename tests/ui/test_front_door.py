"""The real page behind its door: every route, every event and every server function, asked by those who may not."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import InputError
from ui.door import Door
from ui.sessions import STATE_BYTES, Sessions

pytestmark = pytest.mark.slow
JSON = {"Content-Type": "application/json"}


class Served:
    """The page, served on 127.0.0.1."""

    def __init__(self, demo: Any, port: int) -> None:
        self.demo, self.port = demo, port

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str | None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """One request: status, text and headers of the answer. A header named None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        said = {"Host": f"127.0.0.1:{self.port}"} | (JSON if body is not None else {}) | headers
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        payload = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        for name, value in (said | ({"Content-Length": str(len(payload))} if body is not None else {})).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(payload)
        answer = connection.getresponse()
        # a stream has no end: its first piece is enough
        text = (
            answer.read(65536)
            if answer.getheader("content-type") != "text/event-stream; charset=utf-8"
            else answer.read1()
        )
        connection.close()
        return answer.status, text.decode("utf-8", "replace"), answer.headers

    def event(self, fn_index: int, data: list[Any], session: str, event_data: Any = None) -> dict[str, Any]:
        """The end of an event."""
        body = {
            "data": data,
            "fn_index": fn_index,
            "session_hash": session,
            "event_data": event_data,
            "trigger_id": None,
        }
        status, text, _ = self.ask("POST", "/gradio_api/queue/join", body)
        assert status == 200, text
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        for line in connection.getresponse():
            if line.startswith(b"data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                connection.close()
                return message
        raise AssertionError("the stream ended before the event did")

    def fn(self, name: str) -> Any:
        """An event of the page, by the name of its function."""
        return next(f for f in self.demo.fns.values() if f.name == name)


def no_process(*args: Any, **kw: Any) -> Any:
    raise InputError("No process is started in this test.")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPACE_ID", "TUNESMITH_PUBLIC", "TUNESMITH_HOSTS", "GRADIO_SERVER_NAME"):
            patch.delenv(name, raising=False)
        patch.setenv("TUNESMITH_RUNS", str(folder / "runs"))
        patch.setenv("TUNESMITH_STANDBY", "0")
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        patch.setattr("core.runs.standby.start", no_process)
        from ui.page import LAUNCH, build

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        demo = build()
        demo.launch(**LAUNCH, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port)
        yield Served(demo, port)
        demo.close(verbose=False)


def routes(served: Served) -> list[tuple[str, str]]:
    """Every route of the app, with something in the place of each parameter."""
    found, left = set(), list(served.demo.app.routes)
    while left:
        route = left.pop()
        if inner := getattr(route, "original_router", None):  # what FastAPI holds for include_router
            left += inner.routes
            continue
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        found |= {(method, path) for method in getattr(route, "methods", None) or {"GET"}}
    return sorted(found)


def test_the_door_is_outermost_and_sessions_are_bounded(served: Served) -> None:
    assert isinstance(served.demo.app.middleware_stack, Door) and not isinstance(
        served.demo.app.middleware_stack.app, Door
    )
    assert (
        isinstance(served.demo.app.state_holder, Sessions) and served.demo.state_holder is served.demo.app.state_holder
    )


def test_every_route_is_shut_to_a_foreign_name_and_to_another_site(served: Served) -> None:
    every = routes(served)
    assert len(every) > 60 and ("POST", "/gradio_api/queue/join") in every and ("GET", "/config") in every
    for method, path in [*every, ("GET", "/nowhere"), ("OPTIONS", "/"), ("TRACE", "/")]:
        body = {"session_hash": "abc"} if method in ("POST", "PUT") else None
        for headers, statuses in (
            ({"Host": "rebound.evil.example", "Origin": "http://rebound.evil.example"}, {421}),
            ({"Host": f"rebound.evil.example:{served.port}"}, {421}),
            ({"Origin": "http://evil.example"}, {403, 404, 405}),
            ({"Origin": "null"}, {403, 404, 405}),
        ):
            status, text, said = served.ask(method, path, body, **headers)
            assert status in statuses, (method, path, headers, status)
            assert said["Content-Security-Policy"] and said["X-Content-Type-Options"] == "nosniff", (method, path)
            assert said["Referrer-Policy"] == "no-referrer" and said["Access-Control-Allow-Origin"] is None, (
                method,
                path,
            )


def test_open_are_only_the_routes_that_the_page_needs(served: Served) -> None:
    open_to_all = set()
    for method, path in routes(served):
        status, _, said = served.ask(method, path, {"session_hash": "abc"} if method == "POST" else None)
        assert said["Content-Security-Policy"] and said["X-Content-Type-Options"] == "nosniff", (method, path)
        if method != "HEAD" and status not in (404, 405):
            open_to_all.add(path.rstrip("/") or "/")
    assert open_to_all == {
        "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/gradio_api/app_id",
        "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/component_server", "/gradio_api/cancel",
        "/gradio_api/reset", "/gradio_api/upload", "/gradio_api/heartbeat/x", "/gradio_api/file=x",
    } | (open_to_all & {"/pwa_icon/x", "/gradio_api/upload_progress"})  # fmt: skip
    for path in (
        "/openapi.json",
        "/docs",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/openapi.json",
        "/gradio_api/info",
    ):
        assert served.ask("GET", path)[0] == 404, path


def test_what_dns_rebinding_needs_is_refused(served: Served) -> None:
    """A page of rebound.evil.example, which points at this machine, would take a path and then read its rows."""
    evil = {"Host": f"rebound.evil.example:{served.port}", "Origin": f"http://rebound.evil.example:{served.port}"}
    take = served.fn("take_path")
    body = {
        "data": ["README.md"],
        "fn_index": take._id,
        "session_hash": "rebound",
        "trigger_id": None,
        "event_data": None,
    }
    for method, path, sent in (("GET", "/", None), ("GET", "/config", None), ("POST", "/gradio_api/queue/join", body),
                               ("GET", "/gradio_api/queue/data?session_hash=rebound", None)):  # fmt: skip
        status, text, _ = served.ask(method, path, sent, **evil)
        assert status == 421 and "TUNESMITH_HOSTS" in text, path
    assert "rebound" not in served.demo.state_holder
    assert served.ask("POST", "/gradio_api/queue/join", body, **{"X-Forwarded-Host": "127.0.0.1", **evil})[0] == 421
    for absolute in ("http://127.0.0.1/config", "http://rebound.evil.example/config"):  # as one asks a proxy
        assert served.ask("GET", absolute, **evil)[0] in (400, 404, 421), absolute
    assert served.ask("GET", "/config", Host=None)[0] == 400


def test_the_page_names_itself_by_no_foreign_name(served: Served) -> None:
    for headers in ({"X-Forwarded-Host": "evil.example"}, {"X-Gradio-Server": "http://evil.example"},
                    {"X-Forwarded-Host": "127.0.0.1, evil.example"}):  # fmt: skip
        status, text, _ = served.ask("GET", "/config", **headers)
        assert status == 200 and "evil.example" not in text


def test_cross_site_forms_are_refused(served: Served) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\na\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert served.ask("POST", "/gradio_api/upload", form, **kind, Origin="http://evil.example")[0] == 403
    assert served.ask("POST", "/gradio_api/upload", form, **kind, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert served.ask("POST", "/gradio_api/component_server", form, **kind)[0] == 415
    assert served.ask("POST", "/gradio_api/queue/join", b"{}", **{"Content-Type": "text/plain"})[0] == 415
    no_file = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nwords\r\n--x--\r\n'
    status, text, _ = served.ask("POST", "/gradio_api/upload?upload_id=u1", no_file, **kind)
    assert status == 400 and "send files" in text
    status, text, _ = served.ask("POST", "/gradio_api/upload", form, **kind, Origin=f"http://127.0.0.1:{served.port}")
    assert status == 200 and json.loads(text)[0].endswith("a.csv")


def test_an_upload_that_is_too_large_or_broken_off_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    from ui import bodies

    monkeypatch.setattr(bodies, "UPLOAD_MB", 1)
    folder = Path(served.demo.app.uploaded_file_dir)
    before = set(folder.rglob("*"))
    begin = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        host = f"Host: 127.0.0.1:{served.port}\r\n"
        client.sendall(f"POST /gradio_api/upload HTTP/1.1\r\n{host}Connection: close\r\nTransfer-Encoding: chunked\r\n"
                       "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())  # fmt: skip
        for piece in [begin, *[b"a" * 2**18] * 5]:
            client.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    assert answer.startswith("HTTP/1.1 413") and "upload them one by one" in answer
    assert set(folder.rglob("*")) == before


def test_bodies_and_drafts_are_bounded(served: Served) -> None:
    status, text, _ = served.ask("POST", "/gradio_api/queue/join", b" " * (2 * 2**20 + 1))
    assert status == 413 and "2 MB" in text
    restore = served.fn("restore")
    kept = {"draft": json.loads(json.dumps(served.demo.blocks[restore.outputs[0]._id].value)), "run": ""}
    kept["draft"]["data"]["template"] = "x" * STATE_BYTES
    served.event(restore._id, [kept, None], "large")
    held = served.demo.state_holder["large"].state_data[restore.outputs[0]._id]
    assert len(json.dumps(held)) < 100_000, "the draft is a first visit's"


@pytest.mark.parametrize("value", [None, {"a": 1}])
def test_every_event_ends_in_an_answer_or_in_words(
    served: Served, value: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = 0
    for index, fn in served.demo.fns.items():
        if fn.fn is None:
            continue
        message = served.event(index, [value] * len(fn.inputs), f"fresh{index}")
        ended += 1
        if not message["success"]:
            assert len(message["output"]["error"] or "") > 20, fn.name
            assert "fault of this program" not in message["output"]["error"], fn.name
    assert ended > 150 and "Traceback" not in capfd.readouterr().err


def test_server_functions_answer_whatever_they_are_asked(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    asked = 0
    odd = [None, [], {}, "x", 3, True, {"run": None}, {"run": {"a": 1}, "kind": [], "seen": 3, "log": "x"},
    {"run": "../..", "seen": []},
           {"run": "x\ud800", "kind": "export/"}, {"run": "x" * 5000}, {"run": "a\x00b", "filtered": {}, "words": 3,
           "kind": 1e400}]  # fmt: skip
    for index, block in served.demo.blocks.items():
        for fn in getattr(block, "server_fns", []):
            for data in odd:
                body = {"data": data, "component_id": index, "fn_name": fn.__name__, "session_hash": "abc"}
                status, text, _ = served.ask("POST", "/gradio_api/component_server/", body)
                assert status in (200, 400), (fn.__name__, data, text)
                asked += 1
    assert asked >= 4 * len(odd) and "Traceback" not in capfd.readouterr().err


def test_what_the_page_does_not_have_is_refused(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    def join(**more: Any) -> int:
        body = {"data": [], "fn_index": 0, "session_hash": "abc", "trigger_id": None, "event_data": None} | more
        return served.ask("POST", "/gradio_api/queue/join", body)[0]

    for index in (-1, 99_999, None, "0", [], 10**40, True):
        assert join(fn_index=index) == 400
    assert join(trigger_id="x") == join(data="x") == 422
    top = next(index for index, block in served.demo.blocks.items() if getattr(block, "server_fns", []))
    for more in ({"component_id": -1}, {"component_id": None}, {"component_id": {}}, {"fn_name": 3}, {"fn_name": None}):
        body = {"data": {}, "component_id": top, "fn_name": "news", "session_hash": "abc"} | more
        assert served.ask("POST", "/gradio_api/component_server", body)[0] == 400, more
    for name in ("postprocess", "__init__", "constructor_args", "x"):
        body = {"data": {}, "component_id": top, "fn_name": name, "session_hash": "abc"}
        assert served.ask("POST", "/gradio_api/component_server", body)[0] == 404, name
    assert "Traceback" not in capfd.readouterr().err


def test_who_takes_no_answers_gets_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import bodies

    monkeypatch.setattr(bodies, "UNREAD", 5)
    body = {
        "data": [None],
        "fn_index": served.fn("take_path")._id,
        "session_hash": "deaf",
        "trigger_id": None,
        "event_data": None,
    }
    statuses = set()
    for _ in range(400):
        statuses.add(served.ask("POST", "/gradio_api/queue/join", body)[0])
        if 429 in statuses:
            return
    pytest.fail(f"never refused: {statuses}")

"""The door before an app that says what reached it: names, sites, routes, bodies, cookies and headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import visitors as visitors_module
from core.visitors import LOCAL, NOBODY, Visitor, visitors
from ui import bodies, door
from ui.door import Door
from ui.hosts import Hosts

JOIN, SERVER, UPLOAD = "/gradio_api/queue/join", "/gradio_api/component_server", "/gradio_api/upload"
JSON = [("content-type", "application/json")]
EVENT = {"data": [], "fn_index": 1, "session_hash": "abc"}


class Answer:
    """What came back, and what the app behind the door saw: its scope and body, or None where nothing reached it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.scope: dict[str, Any] | None = None
        self.body = b""
        self.taken = 0  # bytes that were read from the connection

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def text(self) -> str:
        return b"".join(m.get("body", b"") for m in self.messages[1:]).decode()

    def headers(self, name: str) -> list[str]:
        return [v.decode() for k, v in self.messages[0]["headers"] if k.lower() == name.encode()]


def ask(path: str = "/", method: str = "GET", headers: list[tuple[str, str]] = (), body: bytes | list[bytes] = b"",
        hosts: Hosts | None = None, host: str | None = "localhost:7860", query: str = "", broken: bool = False,
        root_path: str = "", answers: tuple[int, bytes] = (200, b"text/plain")) -> Answer:  # fmt: skip
    """One request through the door."""
    answer = Answer()
    chunks = body if isinstance(body, list) else [body]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer.scope = scope
        while True:
            message = await receive()
            answer.body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": answers[0], "headers": [(b"content-type", answers[1])]})
        await send({"type": "http.response.body", "body": b"hello"})

    async def receive() -> dict[str, Any]:
        if not chunks:
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        answer.taken += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks) or broken}

    async def send(message: Any) -> None:
        answer.messages.append(message)

    named = [("host", host)] if host is not None else []
    raw = [(name.encode(), value.encode("latin-1")) for name, value in [*named, *headers]]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw,
             "scheme": "http", "root_path": root_path}  # fmt: skip
    asyncio.run(Door(app, hosts or Hosts())(scope, receive, send))
    return answer


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "SPACE_HOST", "TUNESMITH_PUBLIC", "TUNESMITH_HOSTS", "TUNESMITH_OWNER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A public page; the owner's secret."""
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    monkeypatch.setenv("TUNESMITH_OWNER", "the owner's own secret & more")
    monkeypatch.setattr(visitors_module, "_ours", None)
    return "the owner's own secret & more"


# Names


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", "/assets/x.js", "/static/x", "/gradio_api/file=x",
                                  UPLOAD, "/gradio_api/heartbeat/a", "/gradio_api/queue/data", "/nowhere",
                                  "/openapi.json"])  # fmt: skip
@pytest.mark.parametrize("host", ["rebound.evil.example", "rebound.evil.example:7860", "localhost.evil.example",
                                  "127.1", "8.8.8.8:7860", "", "localhost\x00", "[::1", "localhost evil"])  # fmt: skip
def test_a_foreign_name_reaches_nothing(path: str, host: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT"):
        answer = ask(path, method, host=host, headers=[("origin", f"http://{host}")])
        assert answer.scope is None and answer.status == 421 and answer.headers("content-security-policy")
        assert method == "HEAD" or "TUNESMITH_HOSTS" in answer.text


def test_no_host_and_several_hosts_are_refused() -> None:
    assert ask(host=None).status == 400
    for second in ("evil.example", "localhost:7860"):
        assert ask(headers=[("host", second)]).status == 400


def test_a_name_that_the_owner_says_is_let_in() -> None:
    assert ask(host="lab.example.org").status == 421
    assert ask(host="lab.example.org", hosts=Hosts(said=("lab.example.org",))).status == 200


def test_what_a_stranger_says_that_a_proxy_said_is_not_believed() -> None:
    def seen(*values: str, hosts: Hosts | None = None) -> list[bytes]:
        answer = ask(
            headers=[("x-gradio-server", "http://evil.example"), *(("x-forwarded-host", v) for v in values)],
            hosts=hosts,
        )
        assert answer.scope is not None and not any(k == b"x-gradio-server" for k, _ in answer.scope["headers"])
        return [v for k, v in answer.scope["headers"] if k == b"x-forwarded-host"]

    ours = Hosts(said=("lab.example.org",))
    assert (
        seen("evil.example")
        == seen("localhost, evil.example")
        == seen("lab.example.org")
        == seen("localhost", "evil.example")
        == []
    )
    assert seen("lab.example.org", hosts=ours) == [b"lab.example.org"]
    assert seen("lab.example.org, evil.example", hosts=ours) == []


# Other sites


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost:7860.evil.example", "null", "",
                                    "http://localhost:3000", "http://localhost", "http://127.0.0.1:7860", "file://",
                                    "http://localhost:7860/", "http://user@localhost:7860",
                                    "http://localhost:7860, http://evil.example"])  # fmt: skip
def test_another_sites_requests_are_refused(origin: str) -> None:
    for path, method, kind in (
        (JOIN, "POST", "application/json"), (JOIN, "POST", "text/plain"), (SERVER, "POST", "application/json"),
        (UPLOAD, "POST", "multipart/form-data; boundary=x"), ("/gradio_api/queue/data", "GET", ""),
        ("/gradio_api/file=x", "GET", ""), ("/config", "GET", ""), ("/", "GET", ""),
    ):  # fmt: skip
        answer = ask(path, method, [("origin", origin), ("content-type", kind)], query="session_hash=abc")
        assert answer.scope is None and answer.status == 403, (path, method)


def test_the_page_itself_is_served_and_may_ask() -> None:
    for origin, host in (("http://localhost:7860", "localhost:7860"), ("HTTP://LOCALHOST:7860", "localhost:7860"),
                         ("http://localhost", "localhost"), ("https://localhost", "localhost"), ("https://localhost",
                         "localhost:443"),
                         ("http://[::1]:7860", "[::1]:7860"), ("http://127.0.0.1:7860", "127.0.0.1:7860")):  # fmt: skip
        answer = ask(JOIN, "POST", [*JSON, ("origin", origin)], json.dumps(EVENT).encode(), host=host)
        assert answer.status == 200 and json.loads(answer.body) == EVENT, (origin, host)


def test_two_origins_are_none() -> None:
    both = [("origin", "http://localhost:7860"), ("origin", "http://evil.example")]
    assert ask(JOIN, "POST", [*JSON, *both], json.dumps(EVENT).encode()).status == 403


def test_behind_a_proxy_that_changes_the_host_the_said_name_is_the_pages_origin() -> None:
    ours = Hosts(said=("lab.example.org",))
    for origin, status in (
        ("https://lab.example.org", 200),
        ("https://lab.example.org:8443", 403),
        ("https://x.example.org", 403),
    ):
        answer = ask(
            JOIN, "POST", [*JSON, ("origin", origin)], json.dumps(EVENT).encode(), hosts=ours, host="localhost:7860"
        )
        assert answer.status == status, origin


FETCHED = [
    # site, mode, path, may
    ("cross-site", "navigate", "/", True), ("same-site", "navigate", "/", True), ("none", "navigate", "/", True),
    ("cross-site", "no-cors", "/", False), ("cross-site", "cors", "/", False), ("nonsense", "no-cors", "/config",
    False),
    ("cross-site", "navigate", "/gradio_api/file=x", False), ("same-site", "no-cors", "/gradio_api/queue/data", False),
    ("cross-site", "no-cors", "/gradio_api/heartbeat/abc", False), ("cross-site", "no-cors", "/assets/x.js", False),
    ("same-origin", "cors", "/gradio_api/queue/data", True), ("none", "navigate", "/gradio_api/file=x", True),
    ("same-origin", "no-cors", "/assets/x.js", True),
]  # fmt: skip


@pytest.mark.parametrize(("site", "mode", "path", "may"), FETCHED)
def test_where_no_origin_is_sent_the_browser_says_who_asks(site: str, mode: str, path: str, may: bool) -> None:
    headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode)]
    assert ask(path, headers=headers, query="session_hash=abc").status == (200 if may else 403)


def test_where_the_browser_does_not_say_the_referer_does() -> None:
    evil, ours = [("referer", "http://evil.example/x?y")], [("referer", "http://localhost:7860/?run=1")]
    assert ask("/config", headers=evil).status == 403 and ask("/config", headers=ours).status == 200
    assert ask("/", headers=evil).status == 200, "a link to the page"
    assert ask("/config", headers=[("referer", "nonsense")]).status == 403
    assert ask(JOIN, "POST", [*JSON, *evil], json.dumps(EVENT).encode()).status == 403
    assert ask(JOIN, "POST", JSON, json.dumps(EVENT).encode()).status == 200, "no browser: nobody is lured into it"


# Routes


@pytest.mark.parametrize("path", [
    "/openapi.json", "/docs", "/redoc", "/monitoring", "/monitoring/summary", "/monitoring/x",
    "/gradio_api/openapi.json",
    "/gradio_api/info", "/gradio_api/runs", "/gradio_api/run-history/records", "/gradio_api/call/x",
    "/gradio_api/api/x",
    "/gradio_api/run/x", "/gradio_api/deep_link", "/gradio_api/proxy=http://evil.example", "/gradio_api/vibe-code",
    "/gradio_api/dev/reload", "/gradio_api/queue/status", "/gradio_api/stream/x", "/gradio_api/process_recording",
    "/gradio_api/token", "/gradio_api/user", "/gradio_api/file=http://evil.example/x", "/gradio_api/file=HTTPS:/evil",
    "/gradio_api/file=//evil.example", "/gradio_api/file= ftp://x", "/gradio_api/profiling/traces", "/login", "/logout",
    "/gradio_api/mcp/", "//config", "/config/", "/CONFIG", "/gradio_api", "/gradio_api/", "/..", "/assets",
    "http://evil/",
])  # fmt: skip
def test_what_the_page_has_no_use_for_is_not_there(path: str) -> None:
    for method in ("GET", "POST"):
        answer = ask(path, method, JSON, b"{}")
        assert answer.scope is None and answer.status == 404, path


def test_methods_are_those_of_the_route() -> None:
    for path, method in (
        (JOIN, "GET"),
        ("/", "POST"),
        ("/config", "DELETE"),
        (UPLOAD, "PUT"),
        ("/", "OPTIONS"),
        (JOIN, "OPTIONS"),
    ):
        assert ask(path, method).status == 405, (path, method)
    assert ask("/", "HEAD").status == 200


def test_below_a_path_of_a_proxy_it_is_the_same() -> None:
    assert ask("/tune/config", root_path="/tune").status == 200 and ask("/tune/docs", root_path="/tune").status == 404
    assert ask("/config", root_path="/tune").status == 200 and ask("/tunex/config", root_path="/tune").status == 404


def test_a_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def run() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await Door(pytest.fail, Hosts())({"type": "websocket", "path": "/", "headers": []}, pytest.fail, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Bodies


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "",
                                  "multipart/form-data; boundary=x",
                                  "text/json", "application/jsonx"])  # fmt: skip
def test_only_json_is_taken(kind: str) -> None:
    for path in (JOIN, SERVER, "/gradio_api/cancel", "/gradio_api/reset"):
        assert ask(path, "POST", [("content-type", kind)], json.dumps(EVENT).encode()).status == 415
        assert ask(path + "/", "POST", [("content-type", kind)], json.dumps(EVENT).encode()).status == 415
    assert ask(UPLOAD, "POST", JSON, b"{}").status == 415
    assert (
        ask(JOIN, "POST", [("content-type", "Application/JSON; charset=utf-8")], json.dumps(EVENT).encode()).status
        == 200
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"null", b"{", b"{}", b'{"session_hash": null}',
                                  b'{"session_hash": ""}',
                                  b'{"session_hash": "../x"}', b'{"session_hash": ["a"]}', b"\xff\xfe", b"[" * 100_000,
                                  b'{"session_hash": "' + b"a" * 65 + b'"}', 
                                  b'{"session_hash": "a", "x": ' + b"9" * 5000 + b"}",
                                  b'{"session_hash": "a", "x": ' + b"[" * 101 + b"]" * 101 + b"}"])  # fmt: skip
def test_what_is_no_request_of_the_page_is_refused(body: bytes) -> None:
    answer = ask(JOIN, "POST", JSON, body)
    assert answer.scope is None and answer.status == 400 and json.loads(answer.text)["detail"]


def test_a_body_is_bounded_before_and_while_it_is_read() -> None:
    said = ask(JOIN, "POST", [*JSON, ("content-length", str(3 * 2**20))], [b"x" * 2**20] * 3)
    assert said.status == 413 and said.scope is None and said.headers("connection") == ["close"]
    unsaid = ask(JOIN, "POST", JSON, [b"x" * 2**16] * 1000)
    assert unsaid.status == 413 and unsaid.scope is None and unsaid.taken <= (bodies.JSON_MB + 5) * 2**20
    for length in ("-1", "1e3", "9" * 30, "٣", " "):
        assert ask(JOIN, "POST", [*JSON, ("content-length", length.encode().decode("latin-1"))], b"{}").status == 413, (
            length
        )
    large = json.dumps(EVENT | {"data": ["x" * (2**21 - 200)]}).encode()
    assert ask(JOIN, "POST", JSON, [large[:1000], large[1000:]]).body == large


def test_a_request_that_is_broken_off_goes_no_further() -> None:
    assert ask(JOIN, "POST", JSON, [b'{"session_hash"'], broken=True).scope is None


def test_half_a_character_becomes_the_sign_for_one_that_is_missing() -> None:
    body = b'{"data": ["\\ud83d\\ude00 \\uD800 x"], "fn_index": 1, "session_hash": "abc"}'
    assert json.loads(ask(JOIN, "POST", JSON, body).body)["data"] == ["😀 � x"]


def test_an_upload_is_counted_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.formparsers import MultiPartException

    form = [("content-type", "multipart/form-data; boundary=x")]
    most = bodies.UPLOAD_MB * 2**20
    assert ask(UPLOAD, "POST", [*form, ("content-length", str(most + 1))]).status == 413
    monkeypatch.setattr(bodies, "UPLOAD_MB", 1)
    assert len(ask(UPLOAD, "POST", form, [b"x" * 2**19] * 2).body) == 2**20
    with pytest.raises(
        MultiPartException, match="maximum allowed size"
    ):  # which Gradio cleans up after, and answers 413
        ask(UPLOAD, "POST", form, [b"x" * 2**19] * 3)
    with pytest.raises(MultiPartException, match="broken off"):
        ask(UPLOAD, "POST", form, [b"x"], broken=True)


def test_names_of_sessions_and_uploads_are_short() -> None:
    for path, query in (("/gradio_api/queue/data", "session_hash=" + "a" * 65), ("/gradio_api/queue/data", ""),
                        ("/gradio_api/heartbeat/" + "a" * 65, ""), ("/gradio_api/heartbeat/a/b", ""),
                        ("/gradio_api/upload_progress", "upload_id=%20")):  # fmt: skip
        assert ask(path, query=query).status == 400, (path, query)
    form = [("content-type", "multipart/form-data; boundary=x")]
    assert ask(UPLOAD, "POST", form, query="upload_id=" + "a" * 65).status == 400
    assert ask(UPLOAD, "POST", form, query="upload_id=abc").status == ask(UPLOAD, "POST", form).status == 200


# Headers


def test_every_answer_has_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(answer: Answer) -> list[str]:
        [policy] = answer.headers("content-security-policy")
        assert answer.headers("x-content-type-options") == ["nosniff"] and answer.headers("referrer-policy") == [
            "no-referrer"
        ]
        assert answer.headers("cross-origin-resource-policy") == ["same-origin"]
        return policy.split("; ")

    refused = (ask(host="evil.example"), ask("/docs"), ask(JOIN, "POST", JSON, b"{"), ask(JOIN, "PUT"))
    for answer in (ask(), ask("/config"), ask("/theme.css", answers=(404, b"text/html")), *refused):
        assert "default-src 'none'" in of(answer) and "frame-ancestors 'self'" in of(answer)
    monkeypatch.setenv("SPACE_ID", "some/space")
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in of(ask())


# Visitors


def test_on_ones_own_machine_there_are_no_cookies() -> None:
    answer = ask()
    assert answer.scope is not None and answer.scope[door.VISITOR] == LOCAL and not answer.headers("set-cookie")
    cleaned = ask(query="owner=anything&run=x")
    assert cleaned.status == 303 and cleaned.headers("location") == ["./?run=x"] and not cleaned.headers("set-cookie")


def test_a_stranger_gets_a_cookie_with_the_page_and_is_known_by_it(public: str) -> None:
    first = ask()
    [cookie] = first.headers("set-cookie")
    assert (
        "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie and cookie.startswith("tunesmith=")
    )
    assert first.headers("cache-control") == ["no-store"]
    who = first.scope[door.VISITOR]
    again = ask(
        JOIN, "POST", [*JSON, ("cookie", f"other=1; {cookie.partition(';')[0]}; x")], json.dumps(EVENT).encode()
    )
    assert who.id and not who.owner and again.scope[door.VISITOR] == who and not again.headers("set-cookie")
    assert not ask(headers=[("cookie", cookie.partition(";")[0])]).headers("set-cookie")
    assert ask(JOIN, "POST", JSON, json.dumps(EVENT).encode()).scope[door.VISITOR] == NOBODY
    assert ask("/config", headers=[("cookie", "tunesmith=forged.forged.forged")]).scope[door.VISITOR] == NOBODY


def test_over_https_and_in_the_hubs_frame_the_cookie_is_another(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [cookie] = ask(headers=[("x-forwarded-proto", "https")]).headers("set-cookie")
    assert (
        cookie.startswith("__Host-tunesmith=")
        and "; Secure" in cookie
        and "SameSite=Lax" in cookie
        and "Domain" not in cookie
    )
    mine = visitors().issue()
    both = f"tunesmith={visitors().issue()}; __Host-tunesmith={mine}"
    assert ask("/config", headers=[("cookie", both)]).scope[door.VISITOR] == visitors().read(mine)
    monkeypatch.setenv("SPACE_ID", "some/space")
    monkeypatch.setenv("SPACE_HOST", "some-space.hf.space")
    [cookie] = ask().headers("set-cookie")
    assert (
        cookie.startswith("__Host-tunesmith=")
        and "SameSite=None; Partitioned; Secure" in cookie
        and "HttpOnly" in cookie
    )


def test_the_link_makes_its_opener_the_owner(public: str) -> None:
    link = door.owners_link("http://localhost:7860/")
    before = visitors().read(visitors().issue())
    headers = [("cookie", f"tunesmith={visitors().issue(before)}")]
    answer = ask(query=link.partition("?")[2] + "&run=a%20b", headers=headers)
    assert answer.scope is None and answer.status == 303 and answer.headers("location") == ["./?run=a+b"]
    [cookie] = answer.headers("set-cookie")
    owner = ask(headers=[("cookie", cookie.partition(";")[0])]).scope[door.VISITOR]
    assert owner == Visitor(before.id, True)
    for wrong in ("owner=", "owner=x", "owner=the", f"owner={public.partition('&')[0]}"):
        refused = ask(query=wrong)
        assert refused.scope is None and refused.status == 403 and not refused.headers("set-cookie")


def test_the_link_is_the_spaces_own_address(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_HOST", "some-space.hf.space")
    assert door.owners_link("http://0.0.0.0:7860/").startswith("https://some-space.hf.space/?owner=the+owner")
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert door.owners_link("http://0.0.0.0:7860/") == ""


def test_an_event_handler_asks_who_it_is(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio as gr
    from starlette.requests import Request

    who = Visitor("a" * 32, False)
    request: Callable[[dict[str, Any]], Any] = lambda more: gr.Request(Request({"type": "http", "headers": []} | more))  # noqa: E731
    assert door.visitor(request({door.VISITOR: who})) == who
    assert door.visitor(request({door.VISITOR: who}).request) == who, "what a server function is given"
    assert door.visitor(None) == door.visitor(request({})) == door.visitor(gr.Request()) == NOBODY
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert door.visitor(None) == LOCAL

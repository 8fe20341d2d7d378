"""ui.once: the page is written once for all who call the server by one name, and is byte for byte what Gradio wrote."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ui.once import Once


class Page:
    """An application that counts how often it writes, and says by what name it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.count = status, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.count += 1
        body = f"{self.count} {dict(scope['headers']).get(b'host')!r} {scope['path']}".encode() * 50
        headers = [
            (b"content-type", b"text/html"),
            (b"content-length", str(len(body)).encode()),
            (b"set-cookie", b"a=b"),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:10], "more_body": True})
        await send({"type": "http.response.body", "body": body[10:]})


def ask(app: Any, path: str = "/", query: str = "", method: str = "GET", **headers: str) -> tuple[Message, bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in ({"host": "here"} | headers).items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}
    asyncio.run(app(scope, receive, send))
    return sent[0], b"".join(message.get("body", b"") for message in sent[1:])


def header(start: Message, name: str) -> bytes | None:
    return dict(start["headers"]).get(name.encode())


def test_forty_visitors_are_one_writing() -> None:
    page = Page()
    once = Once(page)
    bodies = {ask(once, query=f"run={n}")[1] for n in range(40)}
    assert len(bodies) == 1 and page.count == 1
    start, packed = ask(once, accept_encoding="gzip, br")
    assert gzip.decompress(packed) in bodies and page.count == 1
    assert (header(start, "content-encoding"), header(start, "content-length")) == (b"gzip", str(len(packed)).encode())
    assert header(ask(once)[0], "content-encoding") is None
    assert header(start, "content-type") == b"text/html"


def test_no_cookie_of_one_visitor_reaches_another() -> None:
    once = Once(Page())
    assert all(header(ask(once)[0], "set-cookie") is None for _ in range(2))


@pytest.mark.parametrize(
    "other",
    [{"host": "there"}, {"x_forwarded_host": "there"}, {"x_forwarded_proto": "https"}, {"x_forwarded_prefix": "/a"}],
)
def test_another_name_is_another_page(other: dict[str, str]) -> None:
    page = Page()
    once = Once(page)
    assert ask(once)[1] != ask(once, **other)[1] and page.count == 2
    ask(once), ask(once, **other)
    assert page.count == 2


def test_what_is_no_page_goes_through() -> None:
    page, broken = Page(), Page(500)
    once, failing = Once(page), Once(broken)
    for _ in range(2):
        ask(once, "/config"), ask(once, method="HEAD"), ask(once, query="deep_link=x")
        assert ask(failing)[0]["status"] == 500
    assert page.count == 6 and broken.count == 2


def test_only_so_many_names_are_held() -> None:
    page = Page()
    once = Once(page, most=2)
    for name in ("a", "b", "c"):
        ask(once, host=name)
    assert len(once.written) == 2
    ask(once, host="a")
    assert page.count == 4

"""The page's HTML, written once: it is the same for all visitors, and Gradio takes 40 ms to write its 470 kB."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 8  # names that the page is asked by
NAMED_BY = ("host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix", "x-gradio-server")


@dataclass(frozen=True)
class Written:
    """An answer of 200: its headers, its body, and the body packed."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    packed: bytes


class Once:
    """ASGI: answers `GET /` from what was written for the same names before. Only answers of 200 are kept.

    What the page holds follows from how the server is called. A link to a state of the page is passed on.
    """

    def __init__(self, app: ASGIApp, most: int = MOST) -> None:
        self.app, self.most = app, most
        self.written: OrderedDict[tuple[str, ...], Written] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on and remember."""
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/" or "deep_link" in query:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        names = (*(headers.get(name, "") for name in NAMED_BY), scope.get("scheme", ""), scope.get("root_path", ""))
        packs = "gzip" in headers.get("accept-encoding", "")
        if (known := self.written.get(names)) is None:
            known = await self._write(names, scope, receive, send)
            if known is None:  # it was no 200, and was passed on as it came
                return
        self.written.move_to_end(names)
        await _answer(known, packs, send)

    async def _write(self, names: tuple[str, ...], scope: Scope, receive: Receive, send: Send) -> Written | None:
        start: Message | None = None
        parts: list[bytes] = []

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 200:
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, held)
        if start is None:
            return None
        body = b"".join(parts)
        own = (b"content-length", b"set-cookie")
        kept = [(name, value) for name, value in start["headers"] if name.lower() not in own]
        known = Written(kept, body, gzip.compress(body, 6))
        self.written[names] = known
        while len(self.written) > self.most:
            self.written.popitem(last=False)
        return known


async def _answer(known: Written, packs: bool, send: Send) -> None:
    body = known.packed if packs else known.body
    message: Message = {"type": "http.response.start", "status": 200, "headers": list(known.headers)}
    headers = MutableHeaders(scope=message)
    headers["content-length"] = str(len(body))
    headers["vary"] = "Accept-Encoding"
    if packs:
        headers["content-encoding"] = "gzip"
    await send(message)
    await send({"type": "http.response.body", "body": body})

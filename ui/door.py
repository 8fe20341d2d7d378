"""The front door: every request passes it before anything of Gradio's, and every answer on its way out.

It lets in who asks for this page by a name of its own (ui.hosts), from the page itself and not from another site, for
a route that the page has, with a body that the page could have sent (ui.bodies); it says who asks (core.visitors), and
puts the headers on the answer (ui.policy). It stands outside of all other middleware, so that there is no way around.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.paths import is_public
from core.visitors import LOCAL, NOBODY, Visitor, visitors
from ui import bodies, policy
from ui.bodies import Refused
from ui.hosts import HOSTS, Host, Hosts, parse, parse_origin
from ui.once import Once
from ui.sessions import Sessions

VISITOR = "tunesmith.visitor"  # in a request's scope: who asks
COOKIE, SAFE_COOKIE = "tunesmith", "__Host-tunesmith"  # over http, and over https where no neighbour can set it
YEAR = 365 * 86400  # seconds

API = "/gradio_api/"
READ, WRITE = ("GET", "HEAD"), ("POST",)
# Every route that the page, the browser or the start of the server asks for. All others of Gradio's are shut.
ROUTES = {"/": READ, "/config": READ, "/theme.css": READ, "/favicon.ico": READ, "/manifest.json": READ,
          "/robots.txt": READ, API + "startup-events": READ, API + "app_id": READ, API + "queue/data": READ,
          API + "upload_progress": READ, API + "queue/join": WRITE, API + "component_server": WRITE,
          API + "cancel": WRITE, API + "reset": WRITE, API + "upload": WRITE}  # fmt: skip
FOLDERS = ("/assets/", "/static/", "/pwa_icon/", API + "file=", API + "heartbeat/")
FETCHES = re.compile(re.escape(API) + r"file=\s*(?:[A-Za-z][A-Za-z0-9+.-]+:|[/\\]{2})")  # an address, not a path


class Door:
    """ASGI, outermost. Args: hosts: the names of this page."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on; HTTP only."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        ancestors = policy.frame_ancestors(os.environ)
        started, unread = False, scope["method"] not in READ

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and bool(message.get("more_body"))
            return message

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                policy.dress(message, ancestors)
            await send(message)

        try:
            answer = await self._enter(scope, reading, dressed)
        except Refused as refused:
            if started:
                raise
            answer = _answer(refused.status, refused.sentence, scope)
        if answer is not None:
            if unread:
                wait = answer[0]["status"] == 413 and scope["path"].endswith("/upload")  # a person, with a large file
                await bodies.drain(
                    reading, (bodies.UPLOAD_MB if wait else 2 * bodies.JSON_MB) * 2**20, 30 if wait else 2
                )
            for message in answer:
                await dressed(message)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> list[Message] | None:
        """Pass the request on, or say the answer that is given in its place."""
        headers = Headers(scope=scope)
        hosts = self._hosts(headers)
        path = _path(scope)
        _known_route(scope, path)
        self._from_the_page(scope["method"], path, headers, hosts)
        https = _is_https(scope, headers)
        public = is_public()
        scope[VISITOR] = _whose(headers) if public else LOCAL
        if path == "/":
            if answer := _owners_link(scope, https, public):
                return answer
            if public and scope[VISITOR] is NOBODY:
                cookie = visitors().issue()
                scope[VISITOR] = visitors().read(cookie)
                send = _with_cookie(send, _set_cookie(cookie, https))
        if scope["method"] in WRITE:
            receive = await _checked_body(scope, receive, path, headers)
        elif path.startswith(API):
            _checked_query(scope, path)
        scope["headers"] = [
            (name, value)
            for name, value in scope["headers"]
            if name != b"x-gradio-server" and (name != b"x-forwarded-host" or len(hosts) > 1)
        ]
        await self.app(scope, receive, send)
        return None

    def _hosts(self, headers: Headers) -> list[Host]:
        """What the request calls this page: by its Host header, and by what a proxy says that it was called.

        X-Forwarded-Host is believed where all that it says are names of this page: anybody can write one.
        """
        given = headers.getlist("host")
        if len(given) != 1:
            raise Refused(400, "The request has no Host header, or several.")
        host = parse(given[0])
        if host is None or not self.hosts.allows(host):
            name = given[0].encode("ascii", "backslashreplace").decode()[:100]
            raise Refused(
                421,
                f"This page does not answer to the name {name}. If it is yours, start Tunesmith with "
                f"{HOSTS}={host.name if host else 'name'}, or open the page by a name that it has.",
            )
        forwarded = [parse(part.strip()) for value in headers.getlist("x-forwarded-host") for part in value.split(",")]
        believed = [other for other in forwarded if other is not None and self.hosts.allows(other)]
        return [host, *believed] if len(believed) == len(forwarded) else [host]

    def _from_the_page(self, method: str, path: str, headers: Headers, hosts: list[Host]) -> None:
        """Refuse what another site makes a browser send. Opening the page itself is for everybody."""
        origins = headers.getlist("origin")
        if origins:
            origin = parse_origin(origins[0]) if len(origins) == 1 else None
            if origin is None or not (any(_same(host, origin) for host in hosts) or self.hosts.says(origin)):
                raise Refused(403, "This request comes from another site, which may not use this page.")
            return
        site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:  # an older browser, plain http on a network, or no browser at all
            referer = headers.get("referer")
            origin = parse_origin("/".join(referer.split("/")[:3])) if referer else None
            foreign = referer is not None and (
                origin is None or not (any(_same(host, origin) for host in hosts) or self.hosts.says(origin))
            )
        opens = path == "/" and method in READ and mode in (None, "navigate")
        if foreign and not opens:
            raise Refused(403, "This request comes from another site, which may not use this page.")


def _same(host: Host, origin: Host) -> bool:
    """Whether an origin is that of a Host header, which leaves out a port that the scheme means."""
    return host.name == origin.name and (host.port or origin.port) == origin.port and (
        host.port is not None or origin.port in (80, 443)
    )  # fmt: skip


def _path(scope: Scope) -> str:
    """The path below the one that the page is served at."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "").rstrip("/")
    if root and "://" not in root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    if path.startswith(API) and path.removesuffix("/") in ROUTES:
        path = path.removesuffix("/")  # Gradio has both, and its own code in the browser asks for one and the other
    return path or "/"


def _known_route(scope: Scope, path: str) -> None:
    """Refuse a route that the page has no use for."""
    methods = ROUTES.get(path) or (READ if path.startswith(FOLDERS) else ())
    if not methods or FETCHES.match(path):
        raise Refused(404, "There is nothing here.")
    if path == API + "startup-events" and getattr(scope.get("app"), "startup_events_triggered", False):
        raise Refused(404, "There is nothing here.")  # the server itself asks for it, once
    if scope["method"] not in methods:
        raise Refused(405, f"{scope['method'][:20]} is not for this address.")


def _checked_query(scope: Scope, path: str) -> None:
    """Refuse names of sessions and uploads that the page does not give: they are remembered."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    asked = {API + "queue/data": query.get("session_hash", ""), API + "upload_progress": query.get("upload_id", "")}
    name = path.removeprefix(API + "heartbeat/") if path.startswith(API + "heartbeat/") else asked.get(path)
    if name is not None and not bodies.SESSION.fullmatch(name):
        raise Refused(400, "The request names no session of the page.")


async def _checked_body(scope: Scope, receive: Receive, path: str, headers: Headers) -> Receive:
    """A `receive` whose body the page could have sent."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    upload = path == API + "upload"
    if kind != ("multipart/form-data" if upload else "application/json"):
        raise Refused(415, f"{kind[:50] or 'A body of no type'} is not taken here.")
    most = bodies.UPLOAD_MB if upload else bodies.JSON_MB
    if bodies.declared_too_large(headers.get("content-length"), most):
        raise bodies.too_large("An upload" if upload else "A request", bodies.LIMIT_MB if upload else most)
    if upload:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if not bodies.SESSION.fullmatch(query.get("upload_id", "none")):
            raise Refused(400, "The request names no upload of the page.")
        return bodies.counted(receive)
    value, body = await bodies.read_json(receive, path)
    if app := scope.get("app"):
        bodies.refuse_unknown(app.get_blocks(), path, value)
    return bodies.replay(body, receive)


def _is_https(scope: Scope, headers: Headers) -> bool:
    """Whether the browser came over https: here, at a proxy, or at the Hub, whose Spaces are never seen otherwise."""
    proxied = headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return scope.get("scheme") == "https" or proxied == "https" or bool(os.environ.get("SPACE_HOST"))


def _whose(headers: Headers) -> Visitor:
    """Whose cookie came with a request."""
    for name in (SAFE_COOKIE, COOKIE):
        for line in headers.getlist("cookie"):
            for part in line.split(";"):
                key, _, value = part.strip().partition("=")
                if key == name and (found := visitors().read(value)):
                    return found
    return NOBODY


def _set_cookie(value: str, https: bool) -> bytes:
    """A Set-Cookie header. On a Space the page is in a frame of another site's, so it must be sent from there, too."""
    framed = "SameSite=None; Partitioned" if os.environ.get("SPACE_ID") else "SameSite=Lax"
    safe = f"{framed}; Secure" if https else "SameSite=Lax"
    return f"{SAFE_COOKIE if https else COOKIE}={value}; Path=/; Max-Age={YEAR}; HttpOnly; {safe}".encode()


def _with_cookie(send: Send, cookie: bytes) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie), (b"cache-control", b"no-store")]
        await send(message)

    return sending


def _owners_link(scope: Scope, https: bool, public: bool) -> list[Message] | None:
    """The answer to `?owner=SECRET`: the same address without the secret, and the owner's cookie; or a refusal."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    secrets = [value for name, value in query if name == "owner"]
    if not secrets:
        return None
    left = urlencode([(name, value) for name, value in query if name != "owner"])
    headers = [(b"location", f"./?{left}".rstrip("?").encode()), (b"cache-control", b"no-store")]
    if public:
        if not visitors().opens(secrets[0]):
            raise Refused(403, "This link is not the owner's: the server prints the one that is, when it is started.")
        who = scope[VISITOR]
        headers.append((b"set-cookie", _set_cookie(visitors().issue(who, owner=True), https)))
    return [{"type": "http.response.start", "status": 303, "headers": headers}, {"type": "http.response.body"}]


def _answer(status: int, sentence: str, scope: Scope) -> list[Message]:
    """A refusal in words; as JSON where Gradio's answers are. The connection ends: what is unread is not read."""
    if str(scope["path"]).startswith(API) and not scope["path"].endswith("/upload"):
        kind, body = b"application/json", json.dumps({"detail": sentence}).encode()
    else:
        kind, body = b"text/plain; charset=utf-8", sentence.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"connection", b"close"),
               (b"cache-control", b"no-store")]  # fmt: skip
    body = b"" if scope["method"] == "HEAD" else body
    return [{"type": "http.response.start", "status": status, "headers": headers},
            {"type": "http.response.body", "body": body}]  # fmt: skip


@asynccontextmanager
async def _hung(app: Any) -> AsyncIterator[None]:
    """At the start of the server: the door before all that there is, and sessions that do not grow without an end."""
    if not isinstance(app.middleware_stack, Door):  # Gradio changes LAUNCH: at a second launch this is run twice
        app.middleware_stack = Door(app.middleware_stack, Hosts.of(os.environ))
        app.state_holder = Sessions(app.get_blocks())
    yield


class Uploads:
    """An upload that Gradio's parser stumbles over, such as a field that is no file, is the sender's fault."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an error of an upload becomes a 400 in words."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http" or not scope["path"].rstrip("/").endswith("/upload"):
                raise
            print(f"An upload that cannot be read: {type(error).__name__}: {error}"[:300], file=sys.stderr)
            for message in _answer(400, "The upload cannot be read: send files, as the page does.", scope):
                await send(message)


# For launch(app_kwargs=...). Middleware given to it stands inside of Gradio's own, so the door is hung another way.
APP: dict[str, Any] = {
    "lifespan": _hung,
    "middleware": [Middleware(Uploads), Middleware(Once), Middleware(policy.PagePolicy)],
    "openapi_url": None,
}


def check() -> None:
    """Read what the door is told by the environment, so that what is wrong with it is said at the start.

    Raises:
        InputError: TUNESMITH_HOSTS, TUNESMITH_OWNER or the folder of the visitors' key.
    """
    Hosts.of(os.environ)
    if is_public():
        visitors()


def owners_link(url: str) -> str:
    """The link that makes whoever opens it the owner of a public page; "" where everybody is. `url`: the page's own."""
    if not is_public():
        return ""
    host = os.environ.get("SPACE_HOST", "").split(",")[0].strip()
    return f"{f'https://{host}/' if host else url}?{urlencode({'owner': visitors().link_secret})}"


def visitor(request: gr.Request | Request | None) -> Visitor:
    """Who asks, in an event handler or a server function with `request: gr.Request`, for which Gradio gives the latter
    the request itself. Never fails: without a cookie of ours it is NOBODY."""
    if not is_public():
        return LOCAL
    inner = request.request if isinstance(request, gr.Request) else request
    found = inner.scope.get(VISITOR) if inner is not None else None
    return found if isinstance(found, Visitor) else NOBODY

"""A small server that answers as the Hub is said to: listings, files at a commit, private and gated sets and models."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

GOOD = "hf_good-token"
Files = dict[str, bytes]


def commit_of(revision: str) -> str:
    """The commit of the files that a revision names."""
    return hashlib.sha256(revision.encode()).hexdigest()[:40]


class FakeHub:
    """Data sets by id: {"files": {revision: files}, "private": bool, "gated": bool, "status": int, "sizes": {...}}.

    Models are the same. The commit of a revision follows from its name, or is that of {"commits": {revision: commit}}.

    Attributes:
        asked: "METHOD PATH TOKEN" of each request.
    """

    def __init__(self, sets: dict[str, dict[str, Any]], models: dict[str, dict[str, Any]] | None = None) -> None:
        self.sets, self.models, self.asked = sets, models or {}, list[str]()

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        path = unquote(path.split("?", 1)[0])
        file: str | None = None
        if found := re.fullmatch(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            kind, name, revision = found[1], found[2], found[3] or "main"
        elif found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            kind, name, revision, file = found.groups()
        else:
            return 404, {}, b""
        here = (self.sets if kind == "datasets" else self.models).get(name)
        if token not in ("", GOOD):
            return 401, {}, b'{"error": "Invalid credentials in Authorization header"}'
        if here is None or (here.get("private") and not token):
            return (404 if token else 401), {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}'
        if here.get("status"):
            return here["status"], {}, b'{"error": "No"}'
        kept: dict[str, Files] = {commit_of(known): files for known, files in here["files"].items()}
        sha = revision if revision in kept else here.get("commits", {}).get(revision, commit_of(revision))
        if sha not in kept:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}'
        files = kept[sha]
        if file is None:
            sizes = here.get("sizes", {})
            siblings = [{"rfilename": f, "size": sizes.get(f, len(body))} for f, body in files.items()]
            facts = {"id": name, "sha": sha, "siblings": siblings, "private": False, "tags": [], "downloads": 0}
            return 200, {"Content-Type": "application/json"}, json.dumps(facts).encode()
        if here.get("gated") and not token:
            return 401, {"X-Error-Code": "GatedRepo"}, b'{"error": "Access is restricted"}'
        if file not in files:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        etag = hashlib.sha256(files[file]).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}, files[file]


@contextlib.contextmanager
def serve(hub: FakeHub) -> Iterator[str]:
    """The server; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            hub.asked.append(f"{self.command} {self.path} {token}".strip())
            status, headers, body = hub.answer(self.path, token)
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

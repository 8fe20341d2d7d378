"""A small server that answers as the Hub is said to: listings, files at a commit, private and gated sets."""

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


def _sha(revision: str) -> str:
    return hashlib.sha256(revision.encode()).hexdigest()[:40]


class FakeHub:
    """Data sets by id: {"files": {revision: files}, "private": bool, "gated": bool, "status": int, "sizes": {...}}.

    Attributes:
        asked: "METHOD PATH TOKEN" of each request.
    """

    def __init__(self, sets: dict[str, dict[str, Any]]) -> None:
        self.sets, self.asked = sets, list[str]()

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        path = unquote(path.split("?", 1)[0])
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            name, revision, file = found[1], found[2] or "main", None
        elif found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
        else:
            return 404, {}, b""
        here = self.sets.get(name)
        if token not in ("", GOOD):
            return 401, {}, b'{"error": "Invalid credentials in Authorization header"}'
        if here is None or (here.get("private") and not token):
            return (404 if token else 401), {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}'
        if here.get("status"):
            return here["status"], {}, b'{"error": "No"}'
        revision = {_sha(known): known for known in here["files"]}.get(revision, revision)
        if revision not in here["files"]:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}'
        files: Files = here["files"][revision]
        sha = _sha(revision)
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

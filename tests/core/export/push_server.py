"""A small server that takes a repository, files and a commit as the Hub is said to: HTTP, Git LFS and NDJSON."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

GOOD = "hf_goodtokengoodtokengoodtoken"
OWNER = "me"
JSON = {"Content-Type": "application/json"}
Reply = tuple[int, dict[str, str], bytes]


class PushHub:
    """Repositories by name: {"private", "files" {name: bytes}, "commits" [summary]}.

    Attributes:
        asked: "METHOD PATH" of each request. large: files of at least so many bytes go by Git LFS.
        broken: "METHOD PATH-PART" -> status that is answered instead. losing: a file that a commit forgets.
        slow: set by a test; an upload waits until it is set.
    """

    def __init__(self, large: int = 3000) -> None:
        self.repos: dict[str, dict[str, Any]] = {}
        self.asked, self.blobs, self.large = list[str](), dict[str, bytes](), large
        self.broken: dict[str, int] = {}
        self.losing, self.address = "", ""
        self.uploading, self.slow = threading.Event(), threading.Event()
        self.slow.set()

    def answer(self, method: str, path: str, token: str, body: bytes) -> Reply:
        path = unquote(path.split("?", 1)[0])
        for known, status in self.broken.items():
            if f"{method} {path}".startswith(known):
                return status, JSON, b'{"error": "No, since hf_secretsecretsecretsecret is wrong"}'
        if method == "PUT":  # by a signed address: no token goes there
            self.uploading.set()
            self.slow.wait(60)
            self.blobs[hashlib.sha256(body).hexdigest()] = body
            return 200, {}, b""
        if token != GOOD:
            return 401, JSON, b'{"error": "Invalid username or password."}'
        said = json.loads(body) if body and not path.endswith("/commit/main") else {}
        if path == "/api/repos/create":
            return self._create(said)
        if path == "/api/validate-yaml":
            return 200, JSON, b'{"errors": [], "warnings": []}'
        found = re.fullmatch(r"(?:/api/models)?/([^/]+/[^/]+?)(\.git/.*|/.*)?", path)
        repo = self.repos.get(found[1]) if found else None
        rest = (found[2] or "") if found else ""
        if repo is None or found is None:
            return 404, JSON | {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}'
        if rest.startswith("/preupload/"):
            files = [
                {"path": f["path"], "uploadMode": "lfs" if f["size"] >= self.large else "regular",
                 "shouldIgnore": False, "oid": None}
                for f in said["files"]
            ]  # fmt: skip
            return 200, JSON, json.dumps({"files": files}).encode()
        if rest == ".git/info/lfs/objects/batch":
            objects = [self._room(o) for o in said["objects"]]
            return 200, JSON, json.dumps({"transfer": "basic", "objects": objects}).encode()
        if rest == "/commit/main":
            return self._commit(found[1], repo, body)
        return 200, JSON, json.dumps(self._info(found[1], repo)).encode()

    def _create(self, said: dict[str, Any]) -> Reply:
        if said.get("organization") not in (None, OWNER):
            return 403, JSON, b'{"error": "You don\'t have the rights to create a model under this namespace"}'
        name = f"{said.get('organization') or OWNER}/{said['name']}"
        private = said.get("visibility") == "private" or said.get("private") is True
        self.repos[name] = {"private": private, "files": {}, "commits": []}
        return 200, JSON, json.dumps({"url": f"{self.address}/{name}", "name": name}).encode()

    def _room(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in self.blobs:
            return wanted
        return wanted | {"actions": {"upload": {"href": f"{self.address}/lfs/{wanted['oid']}"}}}

    def _commit(self, name: str, repo: dict[str, Any], body: bytes) -> Reply:
        for line in body.decode().splitlines():
            one = json.loads(line)
            value = one["value"]
            if one["key"] == "header":
                repo["commits"].append(value["summary"])
            elif one["key"] == "file":
                repo["files"][value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                repo["files"][value["path"]] = self.blobs[value["oid"]]
        repo["files"].pop(self.losing, None)
        sha = self._info(name, repo)["sha"]
        facts = {"commitUrl": f"{self.address}/{name}/commit/{sha}", "commitOid": sha, "hookOutput": ""}
        return 200, JSON, json.dumps(facts).encode()

    def _info(self, name: str, repo: dict[str, Any]) -> dict[str, Any]:
        sha = hashlib.sha1(str(len(repo["commits"])).encode(), usedforsecurity=False).hexdigest()
        siblings = []
        for path, content in repo["files"].items():
            lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
            siblings.append({"rfilename": path, "size": len(content)})
            siblings[-1] |= {"lfs": lfs} if len(content) >= self.large else {}
        return {"id": name, "sha": sha, "private": repo["private"], "siblings": siblings, "tags": [], "downloads": 0}


@contextlib.contextmanager
def serve(hub: PushHub) -> Iterator[str]:
    """The server; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self._body()
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            hub.asked.append(f"{self.command} {self.path}")
            status, headers, answer = hub.answer(self.command, self.path, token, body)
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(answer))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub.address
    finally:
        hub.slow.set()
        server.shutdown()
        server.server_close()
        thread.join()

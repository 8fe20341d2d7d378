"""The page's policy names its own scripts, and no other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

from ui import policy


def sha(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def test_scripts_written_into_the_page_are_named() -> None:
    html = (
        b"<script>one</script><script type='module' crossorigin src='./x.js'></script>"
        b'<SCRIPT data-a>\n two </script><script data-src="x"> three</script><script> </script><p>script>four</p>'
    )
    assert policy.hashes(html) == [sha(b"one"), sha(b"\n two "), sha(b" three")]


def test_the_policy_names_no_foreign_host_and_runs_nothing_written_inline() -> None:
    said = dict(part.split(" ", 1) for part in policy.of_page(b"<script>one</script>").split("; "))
    assert sha(b"one") in said["script-src"] and "'unsafe-inline'" not in said["script-src"]
    assert said["default-src"] == "'none'" and said["connect-src"] == "'self'" and said["form-action"] == "'none'"
    known = {"'self'", "'none'", "'unsafe-eval'", "'unsafe-inline'", "data:", "blob:"}
    for name, sources in said.items():
        assert {s for s in sources.split() if not s.startswith("'sha256-")} <= known, name


def through(kind: bytes, parts: list[bytes]) -> list[dict[str, Any]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        for i, part in enumerate(parts):
            await send({"type": "http.response.body", "body": part, "more_body": i < len(parts) - 1})

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(policy.PagePolicy(app)({"type": "http", "path": "/"}, None, send))  # type: ignore[arg-type]
    return sent


def test_a_page_is_held_until_its_scripts_are_known_and_a_stream_is_not() -> None:
    start, body = through(b"text/html; charset=utf-8", [b"<script>o", b"ne</script>"])
    assert (
        sha(b"one") in dict(start["headers"])[b"content-security-policy"].decode()
        and body["body"] == b"<script>one</script>"
    )
    start, *chunks = through(b"text/event-stream", [b"a", b"b"])
    assert [c["body"] for c in chunks] == [b"a", b"b"] and b"content-security-policy" not in dict(start["headers"])

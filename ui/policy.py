"""The headers of every answer: what the page may load and run, who may show it in a frame, and that nothing is guessed.

The page's own scripts are named by their hashes, so that no other script and no event handler written into the page is
run, whatever a name or a row holds. `unsafe-eval` is there because Gradio compiles the few lines of script of our own
components in the browser; styles may be inline because Gradio writes them so. No foreign host is named in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.theme import ASSETS

INLINE = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
FRAMES = "https://huggingface.co https://*.hf.space"  # a Space is shown in a frame there


def frame_ancestors(environ: Mapping[str, str]) -> str:
    """Who may show the page in a frame: itself, and on a Space the Hub."""
    return f"frame-ancestors 'self' {FRAMES}" if environ.get("SPACE_ID") else "frame-ancestors 'self'"


def hashes(html: bytes) -> list[str]:
    """The sources of a policy that stand for the scripts written into a page."""
    return [_hash(script) for script in INLINE.findall(html) if script.strip()]


def _hash(script: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def of_page(html: bytes) -> str:
    """The Content-Security-Policy of the page, without who may frame it."""
    own = _hash(
        (ASSETS / "js" / "page.js").read_text(encoding="utf-8").encode()
    )  # Gradio puts it into the page's head in the browser
    scripts = " ".join(["'self'", "'unsafe-eval'", own, *hashes(html)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'none'"
    )


class PagePolicy:
    """ASGI: gives an HTML page the policy that names its own scripts. What a page of Gradio's holds is the same for all
    visitors, so none of its scripts can be a visitor's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a page back until it is whole; everything else goes straight through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not headers.get("content-type", "").startswith("text/html"):
                    await send(message)
                    return
                start = message
                return
            if start is None:
                await send(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                html = b"".join(parts)
                MutableHeaders(scope=start)["content-security-policy"] = of_page(html)
                await send(start)
                await send({"type": "http.response.body", "body": html})

        await self.app(scope, receive, held)


def dress(message: Message, ancestors: str) -> None:
    """Put the headers of every answer on the start of one. Without a policy of its own it may run nothing at all."""
    headers = MutableHeaders(scope=message)
    policy = headers.get("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'")
    headers["content-security-policy"] = f"{policy}; {ancestors}"
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-resource-policy"] = "same-origin"

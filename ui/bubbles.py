"""A row as the chat that it is: one bubble a turn, those that are trained on in ember. All text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

MOST = 24  # turns that are drawn; of longer conversations the two ends
LONG = 1200  # characters of a turn that are drawn
NAMES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool", "tools": "Tools"}


def drawn(messages: Sequence[Mapping[str, Any]]) -> str:
    """The conversation; every message has role, content and trained."""
    if not messages:
        return ""
    turns = list(messages)
    gap = len(turns) - MOST
    head, tail = (turns[: MOST // 2], turns[-MOST // 2 :]) if gap > 0 else (turns, [])
    between = f'<li class="small quiet">{gap:,} turns not drawn here</li>' if gap > 0 else ""
    items = "".join(map(_bubble, head)) + between + "".join(map(_bubble, tail))
    return f'<ol class="chat" aria-label="The row as a conversation">{items}</ol>'


def _bubble(message: Mapping[str, Any]) -> str:
    role, text = str(message["role"]), str(message["content"])
    short = text if len(text) <= LONG else f"{text[:LONG]}…"
    words = escape(short) if text.strip() else '<span class="quiet">empty</span>'
    trained = ", trained on" if message["trained"] else ""
    kind = "mine" if role in ("user", "tool") else "theirs" if role == "assistant" else "aside"
    learn = " learn" * bool(message["trained"])
    name = f'<b>{escape(NAMES.get(role, role))}<span class="gone">{trained}</span></b>'
    return f'<li class="{kind}{learn}">{name}<p>{words}</p></li>'

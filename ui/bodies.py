"""What may be sent to the page: bodies are counted while they come, what no page sends goes no further."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.formparsers import MultiPartException

from ui.uploads import LIMIT_MB

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

JSON_MB = 2  # of a request that is no upload: twice what a draft may be
UPLOAD_MB = LIMIT_MB + 1  # of all files of one upload together, and what the form writes around them
DEEPEST = 100  # lists and objects in one another
UNREAD = 500  # messages that wait for one page; an event has three or more
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
SURROGATE = re.compile("[\ud800-\udfff]")


class Refused(Exception):
    """A request that goes no further: the status, and the sentence for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def declared_too_large(length: str | None, most_mb: int) -> bool:
    """Whether a Content-Length says, before anything is read, that this is too much."""
    return length is not None and (not length.isdecimal() or len(length) > 18 or int(length) > most_mb * 2**20)


def too_large(what: str, most_mb: int) -> Refused:
    """The refusal of what is too large."""
    return Refused(413, f"{what} of more than {most_mb} MB is not taken.")


async def read_json(receive: Receive, path: str) -> tuple[dict[str, Any], bytes]:
    """The body of a request of the page, read and as it came, but for characters that no answer could be sent with.

    Raises:
        Refused: too large, not JSON, or not what the page sends there.
    """
    parts: list[bytes] = []
    left = JSON_MB * 2**20
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request was broken off.")
        parts.append(message.get("body", b""))
        left -= len(parts[-1])
        if left < 0:
            raise too_large("A request", JSON_MB)
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "The request is not JSON.") from None
    if not isinstance(value, dict) or _depth(value) > DEEPEST:
        raise Refused(400, f"The request is no object, or has more than {DEEPEST} lists and objects in one another.")
    session = value.get("session_hash")
    if not (isinstance(session, str) and SESSION.fullmatch(session)) and not path.endswith("/reset"):
        raise Refused(400, "The request names no session of the page.")
    if b"\\ud" in body.lower():  # half of a character pair: no answer that holds it could be sent
        text = json.dumps(value, ensure_ascii=False)
        body = SURROGATE.sub("\ufffd", text).encode()
    return value, body


def refuse_unknown(blocks: Any, path: str, value: dict[str, Any]) -> None:
    """Refuse a request for an event or a component that the page does not have, and from who takes no answers.

    Args:
        blocks: the page, a gr.Blocks. path: of the request. value: its body.
    """
    if path.endswith("/queue/join"):
        known = type(value.get("fn_index")) is int and value["fn_index"] in blocks.fns
        waiting = blocks._queue.pending_messages_per_session.get(value["session_hash"])
        if waiting is not None and waiting.qsize() > UNREAD:
            raise Refused(429, f"This page has not taken {UNREAD} answers yet: load it again.")
    elif path.endswith("/component_server"):
        known = type(value.get("component_id")) is int and value["component_id"] in blocks.blocks
        known = known and isinstance(value.get("fn_name"), str) and "data" in value
    else:
        known = True
    if not known:
        raise Refused(400, "The request asks for what this page does not have: load it again.")


def _depth(value: Any) -> int:
    """How many lists and objects are in one another; counts to DEEPEST + 1 at most."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        depth += 1
        below = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list))]
        level = [child for children in below for child in children if isinstance(child, (dict, list))]
    return depth


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and after it what comes from the connection."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def counted(receive: Receive) -> Receive:
    """A `receive` for an upload that fails when it grows too large, or is broken off.

    It fails with the error that Gradio's parser of forms removes its temporary files for; they would stay otherwise.
    """
    left = UPLOAD_MB * 2**20
    done = False

    async def receive_counted() -> Message:
        nonlocal left, done
        message = await receive()
        if done:
            return message
        if message["type"] == "http.disconnect":
            raise MultiPartException("The upload was broken off.")
        left -= len(message.get("body", b""))
        if left < 0:
            if message.get("more_body"):
                await drain(receive, UPLOAD_MB * 2**20, 30)
            # Gradio answers 413 to these words
            raise MultiPartException(
                f"Together the files have more than the maximum allowed size of {LIMIT_MB} MB: upload them one by one, "
                "or put them on the machine and give their path."
            )
        done = not message.get("more_body")
        return message

    return receive_counted


async def drain(receive: Receive, most: int, seconds: float) -> None:
    """Read on what nobody wants, so that whoever sends it is still there for the answer: so many bytes, so long."""
    try:
        async with asyncio.timeout(seconds):
            while most > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return

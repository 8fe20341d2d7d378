"""Who a visitor of the page is: a signed cookie tells visitors apart, a secret link makes one the owner.

On one's own machine there is nothing to tell apart: every visitor is the owner. On a public page (core.paths.is_public)
a visitor is a random id in a cookie that is signed (HMAC-SHA256) with a key of this machine, so that nobody can pass
for another; the owner is whoever opened the link that is printed at the start. There are no accounts and nothing is
kept about a visitor: the cookie is all there is.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.paths import cache_dir, is_public

OWNER = "TUNESMITH_OWNER"  # the secret of the owner's link, where it is to be the same at every start
SHORTEST = 16  # characters of an owner's secret: guesses are not counted
ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Visitor:
    """One visitor. `id` is kept beside what they start, and opens nothing; "" is nobody, who owns nothing."""

    id: str
    owner: bool

    def owns(self, starter: str) -> bool:
        """Whether this visitor may change what that one started: everybody their own, the owner everything."""
        return self.owner or bool(self.id) and self.id == starter


LOCAL = Visitor("", True)  # whoever opens the page on their own machine
NOBODY = Visitor("", False)  # a request on a public page that brought no cookie, or a forged one


class Visitors:
    """Issues and reads cookies.

    Args:
        key: signs the cookies; of at least 32 bytes.
        owner: the secret in the owner's link. With another one, who was the owner is an ordinary visitor again.
    """

    def __init__(self, key: bytes, owner: str) -> None:
        self.link_secret = owner
        self._key = hashlib.sha256(b"visitor\0" + key).digest()
        self._owner_key = hmac.digest(key, b"owner\0" + owner.encode(), "sha256")

    def issue(self, visitor: Visitor | None = None, owner: bool = False) -> str:
        """The cookie of a new visitor, or a new one for a known one, whose id stays; as the owner if so said."""
        id = visitor.id if visitor and visitor.id else secrets.token_hex(16)
        return f"{id}.{_sign(self._key, id)}" + (f".{_sign(self._owner_key, id)}" if owner else "")

    def read(self, cookie: str | None) -> Visitor | None:
        """Whose cookie this is, or None where it is none of ours."""
        id, _, rest = (cookie or "").partition(".")
        signed, _, owner = rest.partition(".")
        if not ID.fullmatch(id) or not _same(signed, _sign(self._key, id)):
            return None
        return Visitor(id, _same(owner, _sign(self._owner_key, id)))

    def opens(self, given: str) -> bool:
        """Whether this is the secret of the owner's link; takes equally long for any that is not."""
        return _same(given, self.link_secret)


def _sign(key: bytes, id: str) -> str:
    return hmac.new(key, id.encode(), hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that does not say how much of them is."""
    return hmac.compare_digest(*(hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, wanted)))


def key(folder: Path | None = None) -> bytes:
    """The key of this machine, that only its user can read: `visitors.key` in the cache's folder, made at first use.

    Raises:
        InputError: it can be neither read nor made.
    """
    folder = folder or cache_dir()
    path = folder / "visitors.key"
    try:
        if not path.exists() or path.stat().st_size < 32:
            _make(path)
        os.chmod(path, 0o600)
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The key that signs visitors' cookies cannot be kept in {folder}: {error.strerror or error}. "
            "Set TUNESMITH_CACHE to a folder that can be written."
        ) from error


def _make(path: Path) -> None:
    """Write a new key, whole or not at all; of two processes that do it at once, both use the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".visitors-", dir=path.parent)  # mkstemp's files are of mode 600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
        if path.exists() and path.stat().st_size < 32:
            os.replace(name, path)
        else:
            os.link(name, path)
    except FileExistsError:
        return
    finally:
        Path(name).unlink(missing_ok=True)


_ours: Visitors | None = None
_lock = threading.Lock()


def visitors() -> Visitors:
    """This process's Visitors. The owner's secret is taken out of the environment: no job that is started has it.

    Raises:
        InputError: the secret is too short to be one, or the key can be neither read nor made.
    """
    global _ours
    with _lock:
        if _ours is None:
            said = os.environ.get(OWNER, "").strip()
            if said and len(said) < SHORTEST:
                raise InputError(
                    f"{OWNER} has {len(said)} characters, and everybody may guess at it: give at least {SHORTEST}, "
                    'such as what `python -c "import secrets; print(secrets.token_urlsafe())"` prints, or leave it out.'
                )
            _ours = Visitors(key(), said or secrets.token_urlsafe(24))
            os.environ.pop(OWNER, None)
        return _ours


def of_cookie(cookie: str | None) -> Visitor:
    """Who asks: on one's own machine always the owner; else whose cookie this is, or NOBODY."""
    if not is_public():
        return LOCAL
    return visitors().read(cookie) or NOBODY

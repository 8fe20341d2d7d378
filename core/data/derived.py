"""Tables that follow from another's content: made once, and found again where they are too many rows for memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from core.data import store
from core.data.tables import Table

VERSION = 2  # of how such tables are made


def derived(what: str, digest: str, make: Callable[[], Table]) -> Table:
    """The table that `make` makes, from the cache where it lies there.

    Args:
        what: how it is made.
        digest: of what it is made from; of the same digest it is always the same.
    """
    key = hashlib.sha256(f"{store.VERSION} {VERSION} {what} {digest}".encode()).hexdigest()[:40]
    found = store.find(key)
    return found if found is not None else store.keep(key, make())

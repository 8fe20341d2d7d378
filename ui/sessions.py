"""What the server remembers of a page that is open: little, and of so many pages that memory has an end.

Gradio keeps a copy of the page's whole config for each session (744 kB, 38 ms to make), for links that this page does
not have, and of 10,000 sessions. Here a session is what its states hold: at most 1 MB each, 256 MB of all sessions and
1,000 sessions, beyond which those go first that were asked for least recently. Whoever comes back to such a page is
told to load it again; the draft is in the browser. With the components that events changed, 330 kB where every
event of the page was used once, that makes at most 0.6 GB.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from copy import copy
from datetime import datetime
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder

MOST = 1_000  # sessions
MOST_BYTES = 256 * 2**20  # of all states of all sessions
STATE_BYTES = 2**20  # of one state: a draft above all
FORGOTTEN = (
    "So many pages were opened after this one that the server let go of it. Load the page again: your browser has kept "
    "the settings."
)


def weigh(value: Any) -> int:
    """Bytes of a state as JSON."""
    try:
        return len(json.dumps(value, default=str))
    except (RecursionError, ValueError):
        return STATE_BYTES + 1


def refusal(size: int) -> str:
    """The sentence for a state that is too large."""
    return (
        f"What you wrote would take {size / 2**20:,.1f} MB, and the page keeps at most {STATE_BYTES // 2**20} MB of "
        "settings: shorten the long texts. Rows belong into a file."
    )


class Session(SessionState):
    """The states of one page that is open, and the components that events changed. Without the copy of the config."""

    def __init__(self, blocks: gr.Blocks, holder: Sessions) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600
        self.holder: Sessions | None = holder
        self.sizes: dict[int, int] = {}

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep a state, or a component that an event changed.

        Raises:
            gr.Error: a state is too large; the one before stays.
        """
        block = self.blocks_config.blocks.get(key)
        if not isinstance(block, gr.State):
            self.blocks_config.blocks[key] = value
            return
        size = weigh(value)
        if size > STATE_BYTES:
            raise gr.Error(refusal(size), print_exception=False)
        if self.holder:
            self.holder.weight += size - self.sizes.get(key, 0)
        self.sizes[key] = size
        self._state_ttl[key] = (block.time_to_live, datetime.now())
        self.state_data[key] = value

    def _update_config(self, key: int) -> None:
        """Nothing: no link to a page as it stands is made here."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing, as above."""


class Sessions(StateHolder):
    """All sessions, the one asked for last at the end."""

    def __init__(self, blocks: gr.Blocks, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self.set_blocks(blocks)
        self.capacity, self.most_bytes, self.weight = most, most_bytes, 0
        self.forgotten: OrderedDict[str, None] = OrderedDict()

    def __getitem__(self, session_id: str) -> Session:
        """The session of this name, made if there is none."""
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks, self)
        self.update(session_id)
        self.time_last_used[session_id] = datetime.now()
        return self.session_data[session_id]

    def delete_state(self, session_id: str, expired_only: bool = False) -> None:
        """Gradio's, which lets go of the states of a page an hour after it was closed."""
        super().delete_state(session_id, expired_only)
        if session := self.session_data.get(session_id):
            for key in [key for key in session.sizes if key not in session.state_data]:
                self.weight -= session.sizes.pop(key)

    def update(self, session_id: str) -> None:
        """Put a session last, and let go of the first ones while there are too many or they hold too much."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            while len(self.session_data) > self.capacity or (
                self.weight > self.most_bytes and len(self.session_data) > 1
            ):
                gone, session = self.session_data.popitem(last=False)
                self.weight -= sum(session.sizes.values())
                session.holder = None
                self.time_last_used.pop(gone, None)
                self.forgotten[gone] = None
                self.blocks._queue.pending_event_ids_session.pop(gone, None)
            while len(self.forgotten) > 10 * MOST:
                self.forgotten.popitem(last=False)

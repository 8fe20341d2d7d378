"""A decoder's graph without onnxruntime-genai: greedy search over a cache that goes in and comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.export.packages.sessions import Session

if TYPE_CHECKING:
    import numpy as np

GIVEN, MADE = "past_key_values.", "present."


class Decoder:
    """A graph that reads tokens and a cache, and gives logits and a longer cache.

    Args:
        session: with the inputs input_ids, attention_mask, perhaps position_ids, and past_key_values.I.{key,value}, and
            the outputs logits and present.I.{key,value}. folder: holds genai_config.json, which says how wide it is.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        said = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]["decoder"]
        self._session = session
        self._wide = (int(said["num_key_value_heads"]), int(said["head_size"]))
        self._cached = [name for name in session.inputs if name.startswith(GIVEN)]

    def greedy(
        self, ids: list[int], ends: Collection[int], limit: int, see: Callable[[Any], None] | None = None
    ) -> Iterator[int]:
        """The tokens of the answer, one by one, an end token among them; at most `limit`. see: see Prompted."""
        cache = self._empty()
        given, length = ids, 0
        for _ in range(limit):
            logits, cache = self._pass(given, length, cache)
            length += len(given)
            if see is not None:
                see(logits[-1])
            token = int(logits[-1].argmax())
            yield token
            if token in ends:
                return
            given = [token]

    def logits(self, ids: list[int], answer: list[int]) -> np.ndarray:
        """What the model says before each token of a given answer: float32 (tokens of the answer, vocabulary)."""
        import numpy as np

        found, _ = self._pass(ids + answer[:-1], 0, self._empty())
        return found[-len(answer) :].astype(np.float32)

    def _empty(self) -> dict[str, np.ndarray]:
        import numpy as np

        heads, size = self._wide
        return {name: np.zeros((1, heads, 0, size), self._session.type_of(name)) for name in self._cached}

    def _pass(
        self, ids: list[int], length: int, cache: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Read tokens behind `length` others that the cache holds: logits (tokens, vocabulary), and the cache then."""
        import numpy as np

        whole = length + len(ids)
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, whole), np.int64),
            "position_ids": np.arange(length, whole, dtype=np.int64)[None],
        }
        found = self._session.run({name: feeds[name] for name in self._session.inputs if name in feeds} | cache)
        return found["logits"][0], {name: found[MADE + name.removeprefix(GIVEN)] for name in self._cached}

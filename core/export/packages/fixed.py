"""A graph whose sizes are fixed, as some devices want them: rows go through it one by one, filled up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import InputError
from core.export.packages.sessions import Session

if TYPE_CHECKING:
    import numpy as np

IDS = "input_ids"


class Fixed:
    """A session (see there) that takes batches of any size, over one that takes a single row of a fixed length.

    Args:
        session: its inputs are (1, length). pad_id: what fills input_ids; the other inputs are filled with zeros.
    """

    def __init__(self, session: Session, pad_id: int) -> None:
        self._session, self._pad_id = session, pad_id
        self.inputs, self.outputs = session.inputs, session.outputs
        self._length = int(session.shape_of(IDS)[1] or 0)

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass for each row; what has a value for each token is cut to the tokens that were given.

        Raises:
            InputError: the rows are longer than the graph.
        """
        import numpy as np

        rows, tokens = feeds[IDS].shape
        if tokens > self._length:
            raise InputError(f"This model was made for {self._length} tokens, and here are {tokens}.")
        found = [self._one({name: value[n : n + 1] for name, value in feeds.items()}, tokens) for n in range(rows)]
        return {name: np.concatenate([one[name] for one in found]) for name in self.outputs}

    def _one(self, row: dict[str, np.ndarray], tokens: int) -> dict[str, np.ndarray]:
        import numpy as np

        more = ((0, 0), (0, self._length - tokens))
        fills = {name: self._pad_id if name == IDS else 0 for name in row}
        said = self._session.run({name: np.pad(v, more, constant_values=fills[name]) for name, v in row.items()})
        return {name: value[:, :tokens] if value.ndim == 3 else value for name, value in said.items()}

    def type_of(self, name: str) -> np.dtype[Any]:
        """See Session."""
        return self._session.type_of(name)

    def shape_of(self, name: str) -> list[int | None]:
        """See Session: any number of rows, and of tokens up to the length."""
        return [None] * len(self._session.shape_of(name))


def loose(session: Session, pad_id: int) -> Session:
    """A session that takes batches of any size, whatever the graph behind it takes."""
    return session if session.shape_of(IDS)[1] is None else Fixed(session, pad_id)

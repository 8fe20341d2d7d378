"""Ask this model: python run.py "a text", or python run.py --field name=value, or python run.py for one after another.

Needs what requirements.txt names, and nothing of the machine that made it. The prompt is rendered by the very code that
training used (the folder tunesmith), and the answer is greedy and ends at the model's end token.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.export.packages.loop import Decoder
from core.export.packages.prompts import Prompted, See
from core.export.packages.sessions import open_session
from core.export.packages.terminal import converse

HERE = Path(__file__).resolve().parent


class Package(Prompted):
    """A decoder that no onnxruntime-genai runs: its graph is looped over here. Loaded with the first answer.

    Args:
        path: holds model.onnx, genai_config.json, tokenizer.json and tunesmith.json.
    """

    def __init__(self, path: Path = HERE, adapter: str | None = None) -> None:
        super().__init__(path, adapter)
        self._decoder: Decoder | None = None

    @property
    def decoder(self) -> Decoder:
        """The graph, loaded."""
        if self._decoder is None:
            device, place = self.settings["device"], self.settings.get("place", "")
            self._decoder = Decoder(open_session(self.folder / "model.onnx", device, place=place), self.folder)
        return self._decoder

    def load(self) -> None:
        """See Prompted."""
        self.decoder  # noqa: B018 - loading it is all that is wanted

    def generate(self, ids: list[int], limit: int | None = None, see: See | None = None) -> Iterator[int]:
        """See Prompted."""
        yield from self.decoder.greedy(ids, self.settings["end_ids"], self.room(ids, limit), see)

    def logits(self, ids: list[int], answer: list[int]) -> Any:
        """See Prompted."""
        return self.decoder.logits(ids, answer)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; see terminal.converse."""
    return converse(Package, HERE, (__doc__ or "").splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())

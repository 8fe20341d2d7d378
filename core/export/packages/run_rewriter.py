"""Ask this model: python run.py "a text", or python run.py --field name=value, or python run.py for one after another.

Needs what requirements.txt names, and nothing of the machine that made it. The text is rendered by the very code that
training used (the folder tunesmith); it is read once, and the answer is written beside it, greedily, up to its end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.segments import Segment
from core.data.sides import encode_question
from core.errors import InputError
from core.export.packages.prompts import Prompted, See
from core.export.packages.sessions import Session, open_session
from core.export.packages.terminal import converse

if TYPE_CHECKING:
    import numpy as np

HERE = Path(__file__).resolve().parent
ENCODER, DECODER = "encoder_model.onnx", "decoder_model_merged.onnx"
GIVEN, MADE = "past_key_values.", "present."


class Package(Prompted):
    """An encoder and a decoder, in a graph each. They are loaded with the first answer.

    Args:
        path: holds both graphs, tokenizer.json and tunesmith.json.
    """

    def __init__(self, path: Path = HERE, adapter: str | None = None) -> None:
        super().__init__(path, adapter)
        self._graphs: tuple[Session, Session] | None = None

    @property
    def graphs(self) -> tuple[Session, Session]:
        """Encoder and decoder, loaded."""
        if self._graphs is None:
            device, place = self.settings["device"], self.settings.get("place", "")
            encoder, decoder = (open_session(self.graph(name), device, place=place) for name in (ENCODER, DECODER))
            self._graphs = encoder, decoder
        return self._graphs

    def load(self) -> None:
        """See Prompted."""
        self.graphs  # noqa: B018 - loading it is all that is wanted

    def generate(self, ids: list[int], limit: int | None = None, see: See | None = None) -> Iterator[int]:
        """See Prompted."""
        read, cache = self._read(ids)
        given, most = self.settings["start_id"], limit or self.settings["max_new_tokens"]
        for _ in range(min(most, self.settings["context"] or most)):
            logits, cache = self._write([given], read, cache)
            if see is not None:
                see(logits[-1])
            given = int(logits[-1].argmax())
            yield given
            if given in self.settings["end_ids"]:
                return

    def logits(self, ids: list[int], answer: list[int]) -> Any:
        """See Prompted."""
        import numpy as np

        return self._write([self.settings["start_id"], *answer[:-1]], *self._read(ids))[0].astype(np.float32)

    def _encode(self, segments: Sequence[Segment]) -> list[int]:
        return encode_question(segments, self.tokenizer, self.settings["prompt_tokens"])

    def _read(self, ids: list[int]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What the decoder is fed of a text that was read, and the cache before anything is written."""
        import numpy as np

        most = self.settings["context"]
        if most and len(ids) > most:
            raise InputError(f"The text has {len(ids)} tokens, and this model reads {most}.")
        encoder, decoder = self.graphs
        mask: np.ndarray = np.ones((1, len(ids)), np.int64)
        hidden = encoder.run({"input_ids": np.array([ids], np.int64), "attention_mask": mask})["last_hidden_state"]
        cache = {}
        for name in decoder.inputs:
            if name.startswith(GIVEN):
                _, heads, _, width = decoder.shape_of(name)
                cache[name] = np.zeros((1, heads or 0, 0, width or 0), decoder.type_of(name))
        return {"encoder_attention_mask": mask, "encoder_hidden_states": hidden}, cache

    def _write(
        self, ids: list[int], read: dict[str, np.ndarray], cache: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The logits behind each of these tokens (tokens, vocabulary), and the cache with them."""
        import numpy as np

        found = self.graphs[1].run(read | cache | {"input_ids": np.array([ids], np.int64)})
        return found["logits"][0], {name: found[MADE + name.removeprefix(GIVEN)] for name in cache}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; see terminal.converse."""
    return converse(Package, HERE, (__doc__ or "").splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())

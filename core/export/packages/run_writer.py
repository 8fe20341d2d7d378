"""Ask this model: python run.py "a text", or python run.py --field name=value, or python run.py for one after another.

Needs what requirements.txt names, and nothing of the machine that made it. The prompt is rendered by the very code that
training used (the folder tunesmith), and the answer is greedy and ends at the model's end token.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.export.packages.prompts import Prompted, See
from core.export.packages.sessions import plugin
from core.export.packages.terminal import converse

HERE = Path(__file__).resolve().parent


class Package(Prompted):
    """A decoder in onnxruntime-genai. The model is loaded with the first answer.

    Args:
        path: holds model.onnx, genai_config.json, tokenizer.json and tunesmith.json.
    """

    def __init__(self, path: Path = HERE, adapter: str | None = None) -> None:
        super().__init__(path, adapter)
        self._model: Any = None
        self._adapters: Any = None
        self._loaded: set[str] = set()
        self._read: tuple[list[int], int, Any] = ([], 0, None)  # newest prompt; room, generator

    @property
    def model(self) -> Any:
        """The model in onnxruntime-genai."""
        if self._model is None:
            import onnxruntime_genai as og

            config = og.Config(str(self.folder))
            if self.settings["device"] == "cpu":
                config.clear_providers()
            elif (library := plugin(self.settings["device"])) is not None:
                og.register_execution_provider_library(library.get_ep_name(), library.get_library_path())
            self._model = og.Model(config)
        return self._model

    def load(self) -> None:
        """See Prompted."""
        self.model  # noqa: B018 - loading it is all that is wanted

    def generate(self, ids: list[int], limit: int | None = None, see: See | None = None) -> Iterator[int]:
        """See Prompted."""
        limit = self.room(ids, limit)
        generator = self._generator(len(ids) + limit)
        generator.append_tokens(ids)
        try:
            for _ in range(limit):
                if see is not None:
                    see(generator.get_logits()[0, -1])
                generator.generate_next_token()
                token = int(generator.get_next_tokens()[0])
                yield token
                if token in self.settings["end_ids"] or generator.is_done():
                    return
        finally:
            self._read = (ids, len(ids) + limit, generator)

    def logits(self, ids: list[int], answer: list[int]) -> Any:
        """See Prompted."""
        import numpy as np

        whole = len(ids) + len(answer) + 1
        read, room, generator = self._read
        if read == ids and room >= whole and self.settings["device"] == "cpu":  # the prompt need not be read again
            generator.rewind_to(len(ids) - 1)
            generator.append_tokens([ids[-1], *answer[:-1]])
        else:
            generator = self._generator(whole)
            generator.append_tokens(ids + answer[:-1])
            self._read = (ids, whole, generator)
        return np.asarray(generator.get_output("logits"))[0, -len(answer) :].astype(np.float32)

    def _generator(self, length: int) -> Any:
        import onnxruntime_genai as og

        self._read = ([], 0, None)  # its memory is given back first
        params = og.GeneratorParams(self.model)
        params.set_search_options(max_length=length, do_sample=False)
        generator = og.Generator(self.model, params)
        if file := self.settings.get("file"):
            self._adapters = self._adapters or og.Adapters(self.model)
            if file not in self._loaded:
                self._adapters.load(str(self.folder / file), file)
                self._loaded.add(file)
            generator.set_active_adapter(self._adapters, file)
        return generator


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; see terminal.converse."""
    return converse(Package, HERE, (__doc__ or "").splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())

"""Encoder-decoders: a model that reads a text as a whole and then writes, run by onnxruntime as two graphs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.onnx.errors import OnnxExporterError

from core.errors import InputError
from core.export import questions
from core.export.graphs import encoder_decoder, families, quantize, weights_only
from core.export.graphs.builder import TOKENIZER_FILES
from core.export.makers import writer
from core.export.makers.base import Say
from core.export.options import Options
from core.export.targets import Target
from core.methods.prompt import in_front
from core.runs.files import read_json

GRAPHS = (encoder_decoder.ENCODER, encoder_decoder.DECODER)


class Work(writer.Work):
    """See Maker: prompts and proof are those of every model that writes."""

    entry = "core.export.packages.run_rewriter"
    kind = "rewriter"
    apart = True

    @classmethod
    def check_model(cls, config: Mapping[str, Any], options: Options, target: Target) -> None:
        """See Maker."""
        encoder_decoder.check_family(dict(config))
        families.check_weights(config)
        if options.keep_adapter or options.adapters:
            raise InputError(
                "Adapters stay apart only in packages of models that go on from a prompt: this one reads a text first, "
                "and its adapter is merged. Export each run by itself.",
                "export.adapters",
            )

    @property
    def context(self) -> int:
        """How many tokens it reads, and how many it writes; 0 where it takes any number (T5)."""
        most = getattr(self._inner.config, "max_position_embeddings", None)
        return max(1, int(most) - in_front(self.given.model)) if most else 0

    def limit(self, asked: questions.Questions) -> int:
        """The longest answer, in tokens: what was read takes nothing of it."""
        most = self.config.evaluation.max_new_tokens if self.config is not None else writer.NEW_TOKENS
        return min(most, self.context or most)

    def build(self, out: Path, say: Say) -> None:
        """See Maker: the graphs in float32 are compared with PyTorch on the spot, whatever is made of them then."""
        given, precision = self.given, self.options.precision
        small = precision in ("int8", "int4")
        with tempfile.TemporaryDirectory(prefix=".graphs-", dir=out.parent) as folder:
            full = Path(folder) if small else out
            try:
                encoder_decoder.write(given.model, full, half=precision == "fp16")
            except OnnxExporterError as error:
                kind, reason = type(self._inner).__name__, str(error.__cause__ or error).strip().splitlines()[0][:200]
                raise InputError(f"torch's exporter cannot trace a {kind}: {reason}", "model.path") from error
            if small:
                say("quantising")
                for name in GRAPHS:
                    self._smaller(full / name, out / name)
                encoder_decoder.try_out(out, given.model, None)
        for name in TOKENIZER_FILES:
            if (given.folder / name).exists():
                shutil.copyfile(given.folder / name, out / name)
        self._configure(out)

    def _smaller(self, full: Path, out: Path) -> None:
        """Quantise a graph. Of int4 the embeddings have eight bits: of them one row a token is read, and in four bits
        they cost most.
        """
        if self.options.precision == "int8":
            quantize.dynamic(full, out)
            return
        quantize.dynamic(full, out, ("Gather",))
        options = self.options
        weights_only.quantise(out, bits=4, block_size=options.block_size, accuracy_level=options.accuracy_level)

    def _configure(self, out: Path) -> None:
        """config.json and generation_config.json, for optimum and transformers.js: greedy, as it was compared."""
        config = read_json(self.given.folder / "config.json") or {}
        config.pop("_name_or_path", None)
        ids = {
            "decoder_start_token_id": self._start(),
            "eos_token_id": self.given.end_ids,
            "pad_token_id": self.given.pad_id,
        }
        greedy = {"do_sample": False, "num_beams": 1, "max_new_tokens": 512}
        for name, values in (("config.json", config), ("generation_config.json", ids | greedy)):
            (out / name).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def settings(self, asked: questions.Questions) -> dict[str, Any]:
        """See Maker."""
        return super().settings(asked) | {"start_id": self._start()}

    def _start(self) -> int:
        """The token that an answer starts from, as training has it."""
        return int(self._inner.prepare_decoder_input_ids_from_labels(labels=torch.zeros(1, 1, dtype=torch.long))[0, 0])

    @property
    def _inner(self) -> Any:
        """The model without an adapter's wrapper."""
        model = self.given.model
        return model.get_base_model() if isinstance(model, PeftModel) else model

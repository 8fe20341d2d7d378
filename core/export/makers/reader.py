"""Models that read: a label of a text, tags of its words, or a vector, run by onnxruntime."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.onnx.errors import OnnxExporterError

from core.config import DataConfig
from core.data.dataset import open_examples
from core.data.split import split_source
from core.errors import InputError
from core.evaluation.rows import Chosen
from core.export.graphs import families, qnn, quantize, reader
from core.export.graphs.builder import TOKENIZER_FILES
from core.export.makers import readings
from core.export.makers.base import Maker, Say
from core.export.makers.readings import Readings
from core.export.options import Options
from core.export.proof import judge, read
from core.export.targets import Target
from core.methods.prompt import in_front
from core.models.heads import LABEL, TAGS, VECTOR
from core.runs.files import read_json
from core.tasks.headed import Headed
from core.tasks.vectors import embed, fill

GRAPH = "model.onnx"
CALIBRATED = 128  # rows that static scales are measured on
HOW = {LABEL: "label for label", TAGS: "tag for tag", VECTOR: "to a hundredth"}  # how answers are compared


class Work(Maker):
    """See Maker."""

    entry = "core.export.packages.run_reader"
    kind = "reader"

    @classmethod
    def check_model(cls, config: Mapping[str, Any], options: Options, target: Target) -> None:
        """See Maker."""
        families.check_weights(config)
        if options.keep_adapter or options.adapters:
            raise InputError(
                "Adapters stay apart only in packages of models that write: this one reads, and its adapter is merged. "
                "Export each run by itself.",
                "export.adapters",
            )

    @property
    def longest(self) -> int:
        """How many tokens of a text the model reads."""
        context = getattr(self.given.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        return int(context) - in_front(self.given.model)

    @property
    def limit(self) -> int:
        """How many tokens of a text are read at most."""
        return min(self.config.data.max_tokens if self.config is not None else DataConfig().max_tokens, self.longest)

    def ask(self, rows: int, data: str | None) -> Readings:
        """See Maker."""
        return readings.ask(self.given, self.config, rows, data, self.longest)

    def reference(
        self, asked: Readings, work: Path, on_row: Callable[[float], None], should_stop: Callable[[], bool]
    ) -> read.Said:
        """See Maker: by the very functions of training."""
        each = len(asked.texts) / len(asked.rows)
        return read.look(lambda many: self._outputs(asked, many), asked.texts, lambda n: on_row(n / each), should_stop)

    @torch.inference_mode()
    def _outputs(self, asked: Readings, many: Any) -> list[np.ndarray]:
        """What PyTorch says of texts, in one batch; see run_reader.Package.outputs."""
        model, head = self.given.model, self.given.head
        ids, mask = fill(many, self.given.pad_id)
        if not isinstance(asked.objective, Headed):
            return list(embed(model, ids, mask).numpy())
        said = asked.objective.say(model, {"input_ids": ids, "attention_mask": mask}).float().numpy()
        return [one[: len(text)] for one, text in zip(said, many, strict=True)] if head is TAGS else list(said)

    def build(self, out: Path, say: Say) -> None:
        """See Maker: the graph in float32 is compared with PyTorch on the spot, whatever is made of it then."""
        given, half = self.given, self.options.precision == "fp16"
        if self.target.fixed and self.options.precision == "int8" and self.config is None:
            raise qnn.no_rows()
        module = reader.wrap(given.model, given.head, pad_id=given.pad_id)
        small = self.options.precision in ("int8", "int4") or self.target.fixed
        with tempfile.TemporaryDirectory(prefix=".graph-", dir=out.parent) as folder, self._told():
            full = Path(folder) / GRAPH if small else out / GRAPH
            names = reader.export(module, full, half=half)
            reader.try_out(full, module, names, pad_id=given.pad_id, longest=self.longest, half=half)
            if small:
                say("quantising")
                self._smaller(full, out / GRAPH, names)
                if not self.target.fixed:
                    reader.try_out(out / GRAPH, None, names, pad_id=given.pad_id, longest=self.longest)
        for name in TOKENIZER_FILES:
            if (given.folder / name).exists():
                shutil.copyfile(given.folder / name, out / name)
        config = read_json(given.folder / "config.json") or {}
        config.pop("_name_or_path", None)
        (out / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What the exporter or the first trial of a graph complains of, as the one sentence of an InputError."""
        kind = type(self.given.model).__name__
        try:
            yield
        except OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0][:200]
            raise InputError(f"torch's exporter cannot trace a {kind}: {reason}", "model.path") from error
        except RuntimeError as error:
            raise InputError(
                f"A {kind} does not export in {self.options.precision}: {error} Take another precision.",
                "export.precision",
            ) from error

    def _smaller(self, full: Path, out: Path, names: list[str]) -> None:
        if self.target.fixed and self.options.precision == "int8":
            qnn.integers(full, out, self.limit, self.calibration(names), self.given.pad_id)
        elif self.target.fixed:
            qnn.fix(full, out, self.limit)
        elif self.options.precision == "int4":
            levels = {"block_size": self.options.block_size, "accuracy_level": self.options.accuracy_level}
            quantize.four_bits(full, out, **levels)
        elif self.options.calibration == "static":
            quantize.static(full, out, self.calibration(names))
        else:
            quantize.dynamic(full, out)

    def calibration(self, names: list[str]) -> Iterator[quantize.Feeds]:
        """Rows that were trained on, as the graph is fed them one by one; none of them is compared later.

        Raises:
            InputError: (field export.calibration) a model alone knows no such rows.
        """
        if self.config is None:
            return
        source = open_examples(self.config)
        places = split_source(source, self.config).train
        if readings.none_kept(self.config):  # then every other row is for the comparison
            places = places[1::2]
        step = max(1.0, len(places) / CALIBRATED)
        chosen = [places[int(i * step)] for i in range(min(CALIBRATED, len(places)))]
        rows = Chosen(source, chosen, "train")
        for text in readings.of_rows(self.given, self.config, rows, self.longest).texts:
            ids = np.array([text], dtype=np.int64)
            feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            yield {name: feeds[name] for name in names}

    def settings(self, asked: Readings) -> dict[str, Any]:
        """See Maker: how a text becomes tokens, and what the outputs are called."""
        return {
            **asked.form,
            "chat": asked.form["template"] is None and asked.form["chat_template"] is not None,
            "head": self.given.head.name,
            "labels": self.given.labels,
            "pad_id": self.given.pad_id,
            "prompt_tokens": asked.limit,
        }

    def compare(self, staged: Path, asked: Readings, truth: read.Said | None) -> dict[str, Any]:
        """See Maker."""
        if truth is None:
            read.check_prompts(staged, asked.prompts, asked.rows)
            status, message = judge.not_here(self.target)
            return {"status": status, "message": message}
        ours, cost = read.compare(staged, asked.prompts, asked.rows, asked.texts, self.stands_in)
        gaps = read.gaps(truth, ours)
        right = [
            a and b
            for a, b in zip(asked.same(truth.alone, ours.alone), asked.same(truth.alone, ours.batched), strict=True)
        ]
        wrong = [row for row, same in enumerate(right) if not same]
        margins = [asked.margin(truth.alone[row], ours.alone[row]) for row in wrong]
        metrics = self._metrics(asked, truth, ours)
        status, message = judge.judge(
            same=sum(right),
            rows=len(right),
            gap=gaps.largest,
            span=gaps.span,
            margins=margins,
            metric=metrics[0] if metrics else None,
            precision=self.options.precision,
            weights=self.given.weights,
            take=self.target.default_for(self.kind),
            what=HOW[self.given.head],
        )
        return cost | {
            "status": status,
            "message": message,
            "same": sum(right) / len(right),
            "max_logit_difference": _finite(gaps.largest),
            "mean_logit_difference": _finite(gaps.mean),
            "batch_difference": _finite(gaps.batch),
            "logit_range": gaps.span,
            "largest_logit": gaps.most,
            "logit_rows": len(right),
            "differing": [{"row": row, "margin": margin} for row, margin in zip(wrong, margins, strict=True)][:10],
            "metric": asdict(metrics[0]) if metrics else None,
            "metrics": [asdict(one) for one in metrics],
            "tokens_per_second": _both(truth.tokens_per_second, ours.tokens_per_second, 1),
            "texts_per_second": _both(truth.texts_per_second, ours.texts_per_second, 2),
            "first_token_seconds": _both(truth.text_seconds, ours.text_seconds, 5),
        }

    def _metrics(self, asked: Readings, truth: read.Said, ours: read.Said) -> list[judge.Metric]:
        """The task's metrics for both, the main one first; none where nobody knows what is right."""
        if not asked.metrics:
            return []
        theirs, mine = asked.answers(truth.alone), asked.answers(ours.alone)
        return [judge.metric(name, asked.prepared.wants, theirs, mine) for name in asked.metrics]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _both(pytorch: float, onnx: float, digits: int) -> dict[str, float]:
    return {"pytorch": round(pytorch, digits), "onnx": round(onnx, digits)}

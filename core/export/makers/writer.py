"""Decoders: a model that writes, run by onnxruntime-genai."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

from core import tasks
from core.data.reasoning import answer_of
from core.export import questions
from core.export.graphs import adapters, decoder, families, genai
from core.export.graphs.base import whole_base
from core.export.makers.base import Maker, Say
from core.export.options import Options
from core.export.proof import judge, written
from core.export.proof.reference import Reference
from core.export.proof.reference import answer as pytorch
from core.export.source import Source
from core.export.targets import Target

NEW_TOKENS = 64  # where no config says how long an answer may be


class Work(Maker):
    """See Maker. The prompts and the proof are the same for every model that writes."""

    entry = "core.export.packages.run_writer"
    kind: ClassVar[Literal["writer", "rewriter", "reader"]] = "writer"
    looped = "core.export.packages.run_looped"
    apart = False  # what is read and what is answered are texts of their own
    adapter: str | None = None  # which of several in the package is compared

    def __init__(self, given: Source, options: Options, target: Target) -> None:
        super().__init__(given, options, target)
        if self.kind == "writer" and target.offers["writer"].runtime != "genai":
            self.entry = self.looped  # type: ignore[misc]
        if not given.merged:
            decoder.adapted(given.model)  # which says what no graph can hold
        if options.keep_adapter:
            adapters.read(
                adapters.folder_of(given.run)
            )  # which says what cannot be kept apart, before PyTorch is asked

    @classmethod
    def check_model(cls, config: Mapping[str, Any], options: Options, target: Target) -> None:
        """See Maker."""
        families.check_family(config)
        families.check_device(config, options, target.builder)

    def ask(self, rows: int, data: str | None) -> questions.Questions:
        """See Maker."""
        return questions.ask(self.config, self.given.tokenizer, rows, data, self.apart)

    def limit(self, asked: questions.Questions) -> int:
        """The longest answer, in tokens."""
        most = self.config.evaluation.max_new_tokens if self.config is not None else NEW_TOKENS
        return max(1, min(most, self.context - max(map(len, asked.prompts))))

    @property
    def context(self) -> int:
        """How many tokens the model reads in all."""
        return genai.context_of(self.given.config.to_dict())

    def reference(
        self,
        asked: questions.Questions,
        work: Path,
        on_row: Callable[[float], None],
        should_stop: Callable[[], bool],
    ) -> Reference:
        """See Maker."""
        return pytorch(
            self.given.model,
            self.given.tokenizer,
            asked.prompts,
            work,
            end_ids=self.given.end_ids,
            max_new_tokens=self.limit(asked),
            wanted=asked.right,
            on_row=on_row,
            should_stop=should_stop,
        )

    def build(self, out: Path, say: Say) -> None:
        """See Maker. With keep_adapter the graph is that of the base, and the LoRA is put beside it."""
        if not self.options.keep_adapter:
            by_builder = self.given.merged and families.route(self.given.config.to_dict()) == "builder"
            how: dict[str, Any] = {"loaded": self.given.take} if by_builder else {"model": self.given.model}
            self.graph(self.given.folder, out, self.given.end_ids, **how)
            return
        adapter = adapters.folder_of(self.given.run)
        with tempfile.TemporaryDirectory(prefix=".base-", dir=out.parent) as work:
            self.graph(whole_base(adapter, Path(work)), out, self.given.end_ids, adapters.BUILDER)
        adapters.keep(out / "model.onnx", adapter)

    def graph(self, folder: Path, out: Path, end_ids: Sequence[int], extra: Sequence[str] = (), **more: Any) -> None:
        """Build the graph of a whole model in a folder, ending at these tokens.

        extra: more options of the builder. more: `model` or `loaded`, see core.export.graphs.decoder.build.
        """
        decoder.build(
            folder,
            self.target.builder_for(self.options.precision),
            self.options,
            out,
            end_ids=end_ids,
            pad_id=self.given.pad_id,
            extra=(*self.target.builder_options(self.options.precision), *extra),
            tied=self.target.builder != "cpu",
            **more,
        )

    def settings(self, asked: questions.Questions) -> dict[str, Any]:
        """See Maker: how a prompt is made, where an answer ends."""
        return {
            **asked.form,
            "chat": asked.form["template"] is None,
            "end_ids": self.given.end_ids,
            "pad_id": self.given.pad_id,
            "prompt_tokens": self.config.data.max_tokens if self.config is not None else 512,
            "max_new_tokens": self.limit(asked),
            "context": self.context,
        }

    def compare(self, staged: Path, asked: questions.Questions, truth: Reference | None) -> dict[str, Any]:
        """See Maker."""
        if truth is None:
            written.check_prompts(staged, asked.prompts, asked.rows, self.adapter)
            status, message = judge.not_here(self.target)
            return {"status": status, "message": message}
        found = written.compare(
            staged,
            asked.prompts,
            truth.answers,
            truth.logits,
            max_new_tokens=self.limit(asked),
            rows=asked.rows,
            wanted=asked.right,
            timed=truth.timed,
            adapter=self.adapter,
            stand_in=self.stands_in,
        )
        return self._report(asked, truth, found)

    def _report(self, asked: questions.Questions, truth: Reference, found: written.Comparison) -> dict[str, Any]:
        metrics = self._metrics(asked, truth, found)
        status, message = judge.judge(
            same=round(found.greedy_match * found.rows),
            rows=found.rows,
            gap=found.max_logit_difference,
            span=found.logit_range,
            margins=[d["margin"] for d in found.differing],
            metric=metrics[0] if metrics else None,
            precision=self.options.precision,
            weights=self.given.weights,
            take=self.target.default_for(self.kind),
        )
        report = asdict(found)
        del report["answers"], report["nll"]
        for name in ("max_logit_difference", "mean_logit_difference"):
            if not math.isfinite(report[name]):
                report[name] = None
        tokens = sum(map(len, asked.right or ()))
        odds = [judge.perplexity(nll, tokens) for nll in (truth.nll, found.nll)]
        return report | {
            "status": status,
            "message": message,
            "same": found.greedy_match,
            "metric": asdict(metrics[0]) if metrics else None,
            "metrics": [asdict(one) for one in metrics],
            "perplexity": dict(zip(("pytorch", "onnx"), odds, strict=True)) if None not in odds else None,
            "tokens_per_second": _both(truth.tokens_per_second, found.tokens_per_second, 1),
            "first_token_seconds": _both(truth.first_token_seconds, found.first_token_seconds, 5),
        }

    def _metrics(self, asked: questions.Questions, truth: Reference, found: written.Comparison) -> list[judge.Metric]:
        """The task's metrics for both, the main one first; none where nobody knows what is right."""
        if asked.wants is None or self.config is None:
            return []
        theirs, ours = ([self._text(ids) for ids in some] for some in (truth.answers, found.answers))
        names = tasks.get(self.config.task).METRICS
        return [judge.metric(name, asked.wants, theirs, ours) for name in names]

    def _text(self, ids: list[int]) -> str:
        """An answer as evaluation reads it."""
        decode = self.given.tokenizer.decode
        return answer_of(str(decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)))


def _both(pytorch: float, onnx: float, digits: int) -> dict[str, float]:
    return {"pytorch": round(pytorch, digits), "onnx": round(onnx, digits)}

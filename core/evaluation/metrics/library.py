"""Our metrics as classes of the `evaluate` library. Importing this imports evaluate, which takes seconds."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from core.evaluation.metrics.base import Metric

_TYPES = {"nll": "float64", "tokens": "int64", "bytes": "int64", "stopped": "bool"}


def wrap(metric: Metric) -> evaluate.Metric:
    """An `evaluate.Metric` whose compute gives {key: value}."""
    kind = type(metric.key, (_Base,), {"metric": metric})
    return kind(keep_in_memory=True)


class _Base(evaluate.Metric):
    """Hands the columns on to the plain metric."""

    metric: Metric

    def _info(self) -> evaluate.MetricInfo:
        features = {name: datasets.Value(_TYPES.get(name, "string")) for name in self.metric.inputs}
        return evaluate.MetricInfo(
            description=self.metric.meaning,
            citation="",
            inputs_description=f"{' and '.join(self.metric.inputs)}, one value a row.",
            features=datasets.Features(features),
        )

    def _compute(self, **columns: Any) -> dict[str, float]:
        given = {name: list(columns[name]) for name in self.metric.inputs}
        return {self.metric.key: self.metric.compute(**given)}

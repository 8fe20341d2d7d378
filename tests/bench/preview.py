"""What it costs to show one row: segments, tokens and the loss mask, against the tokenizer alone on the same text.

And how long the page waits for it: the same row from a child with limits (core.limited), against this process.
"""

from __future__ import annotations

import time
from typing import Any

from core.config import load
from core.data.encode import preview
from core.data.sources import Source, open_data
from core.data.template import Wording
from core.limited.asks import Asked
from core.limited.pool import Pool
from core.models.tokenizer import load_tokenizer
from core.paths import ROOT
from tests.bench.table import Row, cpu_seconds, in_turn


def measure(quick: bool) -> list[Row]:
    """Processor time of a row's preview, by template and by chat template."""
    found = []
    for name in ("fields", "instructions"):
        config = load(ROOT / "assets" / "configs" / f"{name}.yaml")
        source, tokenizer = open_data(config.data.path), load_tokenizer(config.model.path)
        rows = [source.rows[i] for i in range(20 if quick else 100)]
        template = config.data.template
        texts = [preview(row, source.layout, template, tokenizer, 512).text for row in rows]

        def ours(
            rows: list[Any] = rows, data: Source = source, template: str | None = template, t: Any = tokenizer
        ) -> float:
            return cpu_seconds(lambda: [preview(row, data.layout, template, t, 512) for row in rows]) / len(rows)

        def theirs(texts: list[str] = texts, t: Any = tokenizer) -> float:
            return cpu_seconds(lambda: [t(text)["input_ids"] for text in texts]) / len(texts)

        one, other = in_turn(ours, theirs, times=3 if quick else 9)
        kind = "chat template" if template is None else "text template"
        found.append(
            Row("preview", f"one row of {name} ({kind})", one * 1000, "the tokenizer alone", other * 1000, "ms")
        )
        found.append(_waited(name, rows, source, template, config.model.path, 3 if quick else 9))
    return found


def _waited(name: str, rows: list[Any], source: Source, template: str | None, model: str, times: int) -> Row:
    """Time on the clock of a row's preview from a warm child, and in this process."""
    children, tokenizer = Pool(), load_tokenizer(model)

    def ours() -> float:
        began = time.perf_counter()
        for row in rows:
            Asked(model, None, Wording(template), children).preview(row, source.layout, 512)
        return (time.perf_counter() - began) / len(rows)

    def theirs() -> float:
        began = time.perf_counter()
        for row in rows:
            preview(row, source.layout, template, tokenizer, 512)
        return (time.perf_counter() - began) / len(rows)

    try:
        ours()  # the child comes up, and loads the tokenizer
        one, other = in_turn(ours, theirs, times=times)
    finally:
        children.close()
    return Row(
        "preview", f"one row of {name} from a child with limits", one * 1000, "in one's own process", other * 1000, "ms"
    )

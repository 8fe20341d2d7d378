"""A big JSONL file of rows that look like those of the demo set `fields`, all different; the same at every call."""

from __future__ import annotations

import json
import random
from pathlib import Path

from core.paths import ROOT


def write_jsonl(path: Path, count: int) -> Path:
    """Write `count` rows {"note", "fields"}, of about 250 bytes each."""
    lines = (ROOT / "assets" / "data" / "fields" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    chance = random.Random(1)  # noqa: S311 (a seeded sample, no secret)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = rows[chance.randrange(len(rows))]
            file.write(json.dumps(row | {"note": f"{row['note']} ({number})"}, ensure_ascii=False) + "\n")
    return path

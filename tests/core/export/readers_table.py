"""Every family of models that read, as a graph: python -m tests.core.export.readers_table [FAMILY ...]

Prints a table: the largest difference from PyTorch over all shapes (alone and in filled batches) in float32, which is
compared as the graph is written; whether int8 and int4 load and run there, and what share of the size they keep.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from core.export.graphs import quantize, reader
from core.models.heads import LABEL, TAGS, VECTOR, Head
from core.models.load import load_base
from core.models.tokenizer import load_tokenizer, pad_id
from tests import factory
from tests.core.export import heads

HEADS: dict[str, Head] = {"label": LABEL, "tags": TAGS, "vector": VECTOR}
LONGEST = 64


def cell(family: str, name: str, folder: Path) -> str:
    """One line of the table; or why it could not be made."""
    head, path = HEADS[name], folder / f"{name}.onnx"
    base = str(folder / "model")
    model, pad = load_base(base, head=head, labels=heads.NAMES[head]), pad_id(load_tokenizer(base))
    module = reader.wrap(model, head, pad_id=pad)
    names = reader.export(module, path)
    gap = reader.try_out(path, module, names, pad_id=pad, longest=LONGEST)
    shares = []
    for kind, make in (("int8", quantize.dynamic), ("int4", quantize.four_bits)):
        small = folder / f"{name}-{kind}.onnx"
        make(path, small)
        reader.try_out(small, None, names, pad_id=pad, longest=LONGEST)
        shares.append(f"{small.stat().st_size / path.stat().st_size:.0%}")
    return f"| {family} | {name} | {gap:.1e} | {' | '.join(shares)} |"


def main(families: Sequence[str]) -> None:
    """Print the table, of all families where none is named; a T5's encoder makes vectors and nothing else."""
    print("| family | head | fp32: largest difference | int8, size | int4, size |\n|---|---|---|---|---|")
    for family in families or [*factory.FAMILIES, *heads.ENCODERS]:
        with tempfile.TemporaryDirectory() as folder:
            heads.model_of(family, Path(folder) / "model")
            for name in ("vector",) if family == "t5" else HEADS:
                print(cell(family, name, Path(folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Every method on every head of every family: tried, and written down: python -m tests.cells [--write].

A cell is a tiny random model of a family, a method, and what it is to do. It is tried by the product's own functions:
rows are encoded, two steps are taken, the weights are published (which loads them back and compares the answers), and
the second step is taken again from what was kept after the first, to the same bits. The table stands in docs/cells.md,
which tests/core/test_cells.py holds against what comes out. What is registered joins by itself.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.paths import ROOT
from tests import factory

TARGET = ROOT / "docs" / "cells.md"
TRAINED = "trained"
BEGINNING = """# What was trained, and what cannot be

<!-- Written by `python -m tests.cells --write`; tests/core/test_cells.py holds it to what comes out. -->

Each cell is a tiny random model of a family, tuned for two steps on two rows, on a CPU in float32. A tick says: it was
trained, saved, loaded back with equal answers, and resumed to the same bits. A letter says why it cannot be trained.

Generation and summarisation, and classification and extraction as text, are all trained as the first table says.
"""


@dataclass(frozen=True)
class Way:
    """What a model is to do: a heading, the settings of a config that ask for it, and rows that teach it."""

    title: str
    task: str
    head: str | None
    rows: tuple[dict[str, Any], ...]
    template: str | None = None


_TONES = tuple(factory.tone_rows(8))
_TAGGED = (
    {"tokens": ["Ada", "sings", "in", "Ghent"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]},
    {"tokens": ["the", "fox", "saw", "Mara", "Lindqvist"], "ner_tags": ["O", "O", "O", "B-PER", "I-PER"]},
)
_PAIRS = (
    {"premise": "The lake lies still", "hypothesis": "Nothing moves on the water", "label": 1},
    {"premise": "I want my money back", "hypothesis": "The party was a delight", "label": 0},
)
WAYS = {
    "writes": Way("Writes its answer", "generation", None, _TONES, "{phrase}\n{tone}"),
    "label": Way("Chooses a label, with a head", "classification", "task", _TONES, "{phrase}\n{tone}"),
    "tags": Way("Tags each word, with a head", "extraction", "task", _TAGGED * 4),
    "vector": Way("Makes vectors of two texts", "similarity", None, _PAIRS * 4),
}
Cell = tuple[str, str, str]  # way, family, method


def cells() -> list[Cell]:
    """All there are."""
    from core.methods import METHODS

    return [(way, family, method) for way in WAYS for family in factory.FAMILIES for method in METHODS]


def attempt(cell: Cell, model: Path, work: Path) -> str:
    """Try one cell; TRAINED, or the sentence with which it is refused. AssertionError, InputError: it does not work.

    Args:
        model: the folder of the family's tiny model. work: a folder to write in, not there yet.
    """
    import torch

    from core.errors import InputError
    from core.methods import method, prompt
    from core.models.load import fingerprint, parameters, precision
    from core.runs import store
    from core.training.examples import prepare
    from core.training.publish import prove, publish
    from core.training.validation import quiet

    torch.set_num_threads(1)
    on = precision()
    try:
        config = _config(cell, model, work)
        rows = prepare(config, lambda done, total: None)
        tuned = _fresh(config, rows, seed=0)
    except InputError as error:
        return str(error).replace(repr(str(model)), "'…'")
    objective, batch = rows.objective, rows.objective.collate(rows.train[:2])
    with prompt.without(tuned), quiet(tuned, on):  # the base, as the loop looks at it first
        objective.outputs(tuned, [rows.train[0]])
    with quiet(tuned, on):
        before = objective.outputs(tuned, [rows.train[0]])
    optimizer = _optimizer(tuned)
    _step(objective, tuned, optimizer, batch)
    kept = {name: p.detach().clone() for name, p in _trained(tuned)}
    moments, chance = copy.deepcopy(optimizer.state_dict()), torch.get_rng_state()
    _step(objective, tuned, optimizer, batch)

    weights = work / "weights"
    weights.mkdir(parents=True)
    method(config.method.name).save(tuned, weights)
    prove(tuned, objective, rows.train[0], weights, on)
    with quiet(tuned, on):
        assert not torch.equal(before, objective.outputs(tuned, [rows.train[0]])), "nothing was learned"
    facts = {"base_fingerprint": fingerprint(str(model)), "parameters": parameters(tuned), "data": rows.data}
    run = store.create(config, directory=work / "run")
    publish(run, config, objective, weights, facts | {"weights_step": 2, "max_steps": 2, "why": "a try"})

    again = _fresh(config, rows, seed=1)
    assert [name for name, _ in _trained(again)] == list(kept)
    with torch.no_grad():
        for name, parameter in _trained(again):
            parameter.copy_(kept[name])
    resumed = _optimizer(again)
    resumed.load_state_dict(moments)
    torch.set_rng_state(chance)
    _step(objective, again, resumed, batch)
    ends = dict(_trained(tuned))
    assert all(torch.equal(p, ends[name]) for name, p in _trained(again)), "resumed, it is another model"
    return TRAINED


def _config(cell: Cell, model: Path, work: Path) -> Any:
    from core.config import build

    way = WAYS[cell[0]]
    rows = factory.write_jsonl(work / "rows.jsonl", [*way.rows])
    return build(
        {
            "task": way.task,
            "model": {"path": str(model), "head": way.head},
            "data": {"path": str(rows), "template": way.template, "max_tokens": 64, "validation": 0},
            "method": {"name": cell[2]},
        }
    )


def _fresh(config: Any, rows: Any, seed: int) -> Any:
    """A base, made trainable, as core.training.loop does it."""
    import torch

    from core.methods import method
    from core.models.load import load_base, precision

    on, way, objective = precision(), method(config.method.name), rows.objective
    torch.manual_seed(seed)
    base = load_base(
        config.model.path, None, torch.float32, objective.head, objective.labels, way.quantization(config.method, on)
    )
    return way.prepare(base, config.method, config.model.path, None, objective.head)


def _trained(model: Any) -> Iterable[tuple[str, Any]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _optimizer(model: Any) -> Any:
    import torch

    return torch.optim.AdamW([p for _, p in _trained(model)], lr=1e-2)


def _step(objective: Any, model: Any, optimizer: Any, batch: dict[str, Any]) -> None:
    model.train()
    loss = objective.loss(model, dict(batch), objective.items(batch))
    assert loss.isfinite(), f"the loss is {loss.item()}"
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# The table


def document(found: dict[Cell, str]) -> str:
    """docs/cells.md: a table for each way, families down, methods across; the refusals below it."""
    from core.methods import METHODS

    parts = [*BEGINNING.splitlines(), ""]
    for key, way in WAYS.items():
        reasons: dict[str, str] = {}
        parts += [f"## {way.title}", "", f"| | {' | '.join(METHODS)} |", "|---|" + "---|" * len(METHODS)]
        for family in factory.FAMILIES:
            marks = []
            for name in METHODS:
                said = found[key, family, name]
                marks.append("✓" if said == TRAINED else reasons.setdefault(said, chr(ord("a") + len(reasons))))
            parts.append(f"| {family} | {' | '.join(marks)} |")
        parts.append("")
        parts += [f"- **{letter}**: {said}" for said, letter in reasons.items()]
        parts += [""] if reasons else []
    return "\n".join(parts)


def written() -> dict[Cell, str]:
    """What docs/cells.md says of each cell."""
    found: dict[Cell, str] = {}
    titles = {way.title: key for key, way in WAYS.items()}
    for part in re.split(r"^## ", TARGET.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        reasons = dict(re.findall(r"^- \*\*(.)\*\*: (.*)$", body, flags=re.MULTILINE))
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", body, re.M)]
        for family, *marks in lines[2:]:
            for name, mark in zip(lines[0][1:], marks, strict=True):
                found[titles[title], family, name] = TRAINED if mark == "✓" else reasons[mark]
    return found


def small_models(folder: Path) -> Callable[[str], Path]:
    """A function from a family to its model with one layer, made once, without a chat template."""
    made: dict[str, Path] = {}
    layers = {"gpt2": "n_layer", "distilbert": "n_layers", "t5": "num_layers"}

    def get(family: str) -> Path:
        if family not in made:
            one: dict[str, Any] = {layers.get(family, "num_hidden_layers"): 1}
            made[family] = factory.tiny_model(family, folder / family, chat=None, **one)
        return made[family]

    return get


def main() -> int:
    """Try all cells; print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.cells", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/cells.md instead of printing it")
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    with tempfile.TemporaryDirectory(prefix="tunesmith-cells-") as name:
        model, found = small_models(Path(name) / "models"), {}
        for number, cell in enumerate(cells()):
            found[cell] = attempt(cell, model(cell[1]), Path(name) / f"cell-{number}")
            print(f"{' '.join(cell)}: {found[cell]}", file=sys.stderr, flush=True)
    if args.write:
        TARGET.write_text(document(found), encoding="utf-8", newline="\n")
    else:
        print(document(found), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

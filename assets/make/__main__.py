"""`python -m assets.make`: writes the demo data sets and the demo model, in about an hour."""

import argparse
import json
import platform
from pathlib import Path

from . import datasets

ASSETS = Path(__file__).resolve().parent.parent
SCRATCH = Path("build/demo-model")


def main(arguments: list[str] | None = None) -> int:
    """Make what was asked for; everything when nothing was."""
    parser = argparse.ArgumentParser(prog="python -m assets.make", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("all", "data", "tokenizer", "model"), default="all")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder that gets data/ and demo-model/")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="folder for progress and snapshots")
    parser.add_argument("--steps", type=int, help="train for fewer or more steps than the recipe says")
    chosen = parser.parse_args(arguments)
    if chosen.part in ("all", "data"):
        datasets.write(chosen.out / "data")
    if chosen.part == "tokenizer":
        from . import tokenizer

        tokenizer.save(tokenizer.train_tokenizer(), chosen.out / "demo-model")
    if chosen.part in ("all", "model"):
        make_model(chosen.out / "demo-model", chosen.scratch, chosen.steps)
    return 0


def make_model(folder: Path, scratch: Path, steps: int | None) -> None:
    """Train tokenizer and model, and write both with their card to the folder."""
    from . import card, pretrain, tokenizer

    recipe = pretrain.Recipe() if steps is None else pretrain.Recipe(steps=steps)
    words = tokenizer.train_tokenizer()
    model, figures = pretrain.pretrain(words, recipe, scratch)
    figures["machine"] = f"{platform.machine()}, one processor core"
    pretrain.save(model, words, folder)
    (folder / "training.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card.text(figures), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())

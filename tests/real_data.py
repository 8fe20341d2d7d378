"""The demo model on real rows, beside what needs no language model: python -m tests.real_data [--write].

Two files of other people are tuned on and measured with the product's own commands: customers' questions to a bank
(banking77), of which the ten first intents are told apart, and restaurants described in words (E2E). Beside them stand
TF-IDF with logistic regression, and the sentence of the most similar restaurant. docs/real_data.md is written from it.
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import math
import os
import random
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.paths import ROOT

SHARED = ROOT.parent / "shared" / "data"
TARGET = ROOT / "docs" / "real_data.md"
INTENTS = 10
HELD_OUT = 100  # restaurants of E2E that nothing is learned from
SEED = 1

Rows = list[dict[str, str]]
Parts = tuple[Rows, Rows]  # to learn from, to measure on


@functools.cache
def intents() -> Parts:
    """banking77's own training and test rows {"text", "category"} of the ten first categories, capitals first."""
    train, test = (_read(f"banking77_{part}.csv") for part in ("train", "test"))
    chosen = sorted({row["category"] for row in train})[:INTENTS]
    return [row for row in train if row["category"] in chosen], [row for row in test if row["category"] in chosen]


@functools.cache
def restaurants() -> Parts:
    """E2E's development rows {"mr", "ref"}; those about HELD_OUT of its 547 restaurants, drawn, are measured on."""
    rows = _read("e2e_devset.csv")
    known = list(dict.fromkeys(row["mr"] for row in rows))
    held = set(random.Random(SEED).sample(known, HELD_OUT))
    return [row for row in rows if row["mr"] not in held], [row for row in rows if row["mr"] in held]


def _read(name: str) -> Rows:
    with (SHARED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What needs no language model


def tfidf(train: Rows, test: Rows) -> list[str]:
    """The category of each test row by logistic regression on TF-IDF of words and pairs of them.

    Its one setting, C, is the best of three in five folds of the training rows.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    search = GridSearchCV(
        make_pipeline(words, LogisticRegression(max_iter=1000)), {"logisticregression__C": [1, 10, 100]}, cv=5
    )
    search.fit([row["text"] for row in train], [row["category"] for row in train])
    return [str(label) for label in search.predict([row["text"] for row in test])]


def nearest(train: Rows, test: Rows) -> list[str]:
    """For each test row the first sentence about the restaurant that shares most facts (Jaccard; then the first)."""
    first = {row["mr"]: row["ref"] for row in reversed(train)}
    known = [(facts(mr), ref) for mr, ref in reversed(first.items())]

    def answer(mr: str) -> str:
        wanted = facts(mr)
        return max(known, key=lambda pair: len(pair[0] & wanted) / len(pair[0] | wanted))[1]

    return [answer(row["mr"]) for row in test]


def facts(mr: str) -> frozenset[str]:
    """ "name[Aromi], area[riverside]" -> {"name[Aromi]", "area[riverside]"}."""
    return frozenset(part.strip() for part in mr.split("],"))


# What is tuned


@dataclass(frozen=True)
class Tuned:
    """What came of a run: its answers to the test rows, CPU seconds of training and of answering, its updates."""

    answers: list[str]
    train_s: float
    answer_s: float
    steps: int
    config: Any


def tune(values: dict[str, Any], train: Rows, test: Rows, folder: Path) -> Tuned:
    """Train a config on rows, and ask the tuned model the test rows, both as the command line does."""
    from core.cli.train import train as fit
    from core.config import build
    from core.evaluation.evaluate import evaluate
    from core.runs import store

    folder.mkdir(parents=True)
    paths = [folder / "train.jsonl", folder / "test.jsonl"]
    for path, rows in zip(paths, (train, test), strict=True):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    data = values["data"] | {"path": str(paths[0])}
    config = build(values | {"model": {"path": "assets/demo-model"} | values.get("model", {}), "data": data})
    run = store.create(config, directory=folder / "run")
    began = time.process_time()
    result = fit(run)
    between = time.process_time()
    made = evaluate(run, data=str(paths[1]), baseline=None, max_rows=len(test))
    assert made.result["rows"] == len(test), "a row was left out"
    answers = [str(row["tuned"]) for row in made.predictions]
    return Tuned(answers, between - began, time.process_time() - between, int(result["steps"]), config)


def as_text(**training: Any) -> dict[str, Any]:
    """Settings that write the intent's name."""
    few = {"learning_rate": 3e-3, "num_train_epochs": 6, "eval_steps": 100, "save_steps": 100, "logging_steps": 100}
    return {
        "task": "classification",
        "data": {"template": "### Text: {text}\n### Label: {category}", "max_tokens": 160},
        "method": {"name": "lora", "lora_dropout": 0.0},
        "training": few | {"sample_rows": 1, "seed": SEED} | training,
        "evaluation": {"max_new_tokens": 40},
    }


def with_head(**training: Any) -> dict[str, Any]:
    """The same with a layer of ten outputs."""
    return as_text(**training) | {"model": {"head": "task"}}


def description(**training: Any) -> dict[str, Any]:
    """Settings that write a sentence about a restaurant."""
    few = {"learning_rate": 3e-3, "num_train_epochs": 2, "eval_steps": 200, "save_steps": 200, "logging_steps": 100}
    return {
        "task": "generation",
        "data": {"template": "### Facts: {mr}\n### Text: {ref}", "max_tokens": 256, "group_by": "mr"},
        "method": {"name": "lora", "lora_dropout": 0.0},
        "training": few | {"sample_rows": 1, "seed": SEED} | training,
        "evaluation": {"max_new_tokens": 128},
    }


# How good, and how sure that is


def right(test: Rows, answers: Sequence[str]) -> int:
    """How many answers are the row's category."""
    return sum(row["category"] == answer for row, answer in zip(test, answers, strict=True))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return middle - half, middle + half


def overlap(references: Sequence[Sequence[str]], answers: Sequence[str]) -> Any:
    """The statistics [rows, 10] of corpus BLEU against all references of each answer, as core.evaluation.metrics has
    them for one: METRICS["bleu"].value of their sum is the BLEU, 0 to 100."""
    import numpy as np
    from sacrebleu.metrics import BLEU

    count = BLEU(effective_order=True)
    found = [count.sentence_score(got, list(wanted)) for wanted, got in zip(references, answers, strict=True)]
    return np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found], dtype=np.float64)


def beside(metric: str, one: Any, other: Any) -> str:
    """How much better the other is, with its 95 % interval, in points of 100; statistics of the same rows."""
    from core.evaluation.bootstrap import paired
    from core.evaluation.metrics import METRICS

    found = paired({metric: (METRICS[metric], one, other)})[metric]
    scale = 100 if METRICS[metric].unit == "share" else 1
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(scale * found[key] for key in ("mean", "low", "high")))


# The page


def banking(folder: Path) -> list[str]:
    """The part about intents; takes some minutes of CPU time."""
    from core.evaluation.metrics import METRICS

    train, test = intents()
    began = time.process_time()
    plain = tfidf(train, test)
    found = [("TF-IDF and logistic regression", plain, time.process_time() - began, 0.0)]
    ways = {"demo model, writes the label": as_text(), "demo model, with a head": with_head()}
    for number, (name, values) in enumerate(ways.items()):
        print(f"{name} ...", file=sys.stderr, flush=True)
        one = tune(values, train, test, folder / str(number))
        found.append((name, one.answers, one.train_s, one.answer_s))
    wanted = [row["category"] for row in test]
    sums = [METRICS["accuracy"].rows({"references": wanted, "predictions": answers}) for _, answers, _, _ in found]
    lines = [
        "| | Right | Accuracy, % (95 % interval) | Beside TF-IDF, points (95 % interval) | Training | Answering |",
        "|---|---|---|---|---|---|",
    ]
    for (name, answers, train_s, answer_s), counted in zip(found, sums, strict=True):
        hits = right(test, answers)
        low, high = wilson(hits, len(test))
        share = f"{100 * hits / len(test):.1f} ({100 * low:.1f} to {100 * high:.1f})"
        against = "" if answers is plain else beside("accuracy", sums[0], counted)
        lines.append(f"| {name} | {hits} of {len(test)} | {share} | {against} | {_time(train_s)} | {_time(answer_s)} |")
    ahead = max(found, key=lambda one: right(test, one[1]))[0]
    names = ", ".join(f"`{name}`" for name in sorted({row["category"] for row in test}))
    known = {row["text"].strip().lower() for row in train}
    twice = sum(row["text"].strip().lower() in known for row in test)
    return [
        "## Ten intents of banking77",
        "",
        f"The ten first of its 77 categories in alphabetical order (capitals first): {names}. Its own files: "
        f"{len(train):,} rows to learn from, {len(test)} to measure on, of which {twice} stands among the first, too.",
        "",
        *lines,
        "",
        f"Ahead: **{ahead}**.",
        "",
    ]


def sentences(folder: Path) -> list[str]:
    """The part about restaurants; takes some minutes of CPU time."""
    from core.evaluation.metrics import METRICS

    train, test = restaurants()
    told: dict[str, list[str]] = {}
    for row in test:
        told.setdefault(row["mr"], []).append(row["ref"])
    asked = [{"mr": mr, "ref": refs[0]} for mr, refs in told.items()]
    began = time.process_time()
    near = nearest(train, asked)
    near_s = time.process_time() - began
    print("demo model, describes ...", file=sys.stderr, flush=True)
    one = tune(description(), train, asked, folder / "e2e")
    metric = METRICS["bleu"]
    lines = ["| | BLEU | Beside the nearest, points (95 % interval) | Training | Answering |", "|---|---|---|---|---|"]
    sums = [overlap(list(told.values()), answers) for answers in (near, one.answers)]
    scores = [float(metric.value(counted.sum(axis=0))) for counted in sums]
    lines.append(f"| sentence of the nearest | {scores[0]:.1f} | | | {_time(near_s)} |")
    lines.append(
        f"| demo model | {scores[1]:.1f} | {beside('bleu', *sums)} | {_time(one.train_s)} | {_time(one.answer_s)} |"
    )
    shown = [
        line
        for row, close, tuned in list(zip(asked, near, one.answers, strict=True))[:: HELD_OUT // 3][:3]
        for line in (f"- `{row['mr']}`", f"  - demo model: {tuned}", f"  - nearest: {close}")
    ]
    return [
        "## Restaurants of E2E",
        "",
        f"The development file: {len(train):,} sentences about {547 - HELD_OUT} restaurants to learn from; {HELD_OUT} "
        f"others, drawn, with {len(test)} sentences to measure on. One sentence is written about each of these, and "
        "compared with all that there are about it (sacrebleu). The nearest restaurant is the one that shares most "
        "facts; its first sentence is given as it stands.",
        "",
        *lines,
        "",
        f"Ahead: **{'demo model' if scores[1] > scores[0] else 'sentence of the nearest'}**.",
        "",
        "BLEU does not count facts. Three of them, where one sees which are left out, and which are wrong:",
        "",
        *shown,
        "",
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.1f} CPU s" if seconds < 10 else f"{seconds:.0f} CPU s"


def settings() -> list[str]:
    """What was set; all else has its default."""
    from core import yamltext

    parts = ["## Settings", "", "What is not here has its default. With a head: `model: {head: task}` besides.", ""]
    for values in (as_text(), description()):
        parts += ["```yaml", yamltext.write(values).rstrip(), "```", ""]
    return parts


BEGINNING = f"""# On real data

<!-- Written by `python -m tests.real_data --write`, from files that lie beside the repository. -->

The bundled demo model has 4.2 million parameters and never saw text of people: here it is tuned on two public sets,
and stands beside what needs no language model. All learn from the same rows and are measured on the same others, with
one seed ({SEED}), on one thread of a shared machine. The settings are those of the demo's own configs; no better ones
were searched for.
"""


def main() -> int:
    """Train and measure all; print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_data", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/real_data.md instead of printing it")
    args = parser.parse_args()
    if not SHARED.is_dir():
        parser.error(
            f"the files are not here: put banking77_train.csv, banking77_test.csv and e2e_devset.csv in {SHARED}"
        )
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    with tempfile.TemporaryDirectory(prefix="tunesmith-real-") as name:
        os.environ["TUNESMITH_RUNS"] = name
        text = document(banking(Path(name)), sentences(Path(name)))
    if args.write:
        TARGET.write_text(text, encoding="utf-8", newline="\n")
    else:
        print(text, end="")
    return 0


def document(*parts: list[str]) -> str:
    """The whole page, of the parts that were measured; paragraphs are wrapped."""
    lines = [line for part in parts for line in part]
    wrapped = [textwrap.fill(line, 125) if len(line) > 125 and line[:1] not in "|- " else line for line in lines]
    return "\n".join([*BEGINNING.splitlines(), "", *wrapped, *settings()]).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())

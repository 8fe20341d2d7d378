"""estimate CONFIG.yaml: what a training will take, in memory and time, before anything is loaded."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core import config as configs

HELP = "predict the memory and the time of a training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG.yaml [--set section.key=value ...]."""
    parser.add_argument("config", metavar="CONFIG.yaml", help="a YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="change one setting")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Predict; the dict is what --json prints.

    Raises:
        InputError: the config, the data, the template or the model cannot be used.
    """
    config = configs.load(args.config, args.set)
    from core.data.augment import plan  # after the config: a wrong one needs none of this
    from core.data.dataset import open_examples
    from core.data.labels import head_labels
    from core.data.lengths import measure_lengths
    from core.data.split import split_source
    from core.limited.asks import try_first
    from core.models.heads import head_of
    from core.models.memory import estimate
    from core.models.tokenizer import load_tokenizer
    from core.runs.machine import this_machine

    source = open_examples(config)
    try_first(config, source)
    tokenizer = load_tokenizer(config.model.path, config.model.revision)
    parts = split_source(source, config)
    rows = plan(source, parts.train, config).rows(source, config)
    lengths, machine = measure_lengths(rows, source.layout, config, tokenizer), this_machine()
    labels = 0 if head_of(config).writes else head_labels(source, parts.train)
    made = estimate(config, lengths, len(parts.validation), machine, labels)
    load = lengths.load(config)
    return {
        **asdict(made),
        "device": machine.device,
        "free_bytes": machine.free,
        "rows": {"train": load.rows, "validation": len(parts.validation)},
        "tokens": load.tokens,
        "padding": load.padding,
        "truncated": load.truncated,
        "longest": load.longest,
    }


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    parts = sorted(result["parts"].items(), key=lambda part: -part[1])
    device = "memory" if result["device"] == "cpu" else "memory of the graphics card"
    enough = "it fits" if result["fits"] else "it does not fit"
    lines = [
        f"{device:<12} {_bytes(result['peak_bytes'])} at most, {_bytes(result['free_bytes'])} are free: {enough}",
        f"{'':12} " + ", ".join(f"{name} {_bytes(value)}" for name, value in parts),
        f"{'time':12} {_time(result['seconds'])}: "
        + ", ".join(f"{name} {_time(value)}" for name, value in result["times"].items()),
        f"{'':12} {result['steps']:,} updates; predicted from {result['basis']}",
        f"{'rows':12} {result['rows']['train']:,} to train on, {result['rows']['validation']:,} kept back; "
        f"{result['tokens']:,} tokens in an epoch, {result['padding']:.0%} padding; "
        f"{result['truncated']:.1%} over the limit",
        f"{'weights':12} {result['trained']:,} trained, {result['parameters']:,} in the base model",
    ]
    return "\n".join([*lines, *result["notes"]])


def _bytes(count: float) -> str:
    """Bytes in the unit that suits them."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1024:,.0f} KiB"


def _time(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"

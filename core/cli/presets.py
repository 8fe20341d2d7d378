"""presets CONFIG.yaml: what each preset would change in a config, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core import config as configs
from core.presets import PRESETS, facts_of

HELP = "what each preset would change in a config, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG.yaml [--set section.key=value ...]."""
    parser.add_argument("config", metavar="CONFIG.yaml", help="a YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="change one setting")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compare; the dict is what --json prints.

    Raises:
        InputError: the config is wrong.
    """
    config = configs.load(args.config, args.set)
    facts = facts_of(config)
    found = {
        name: {"label": p.label, "sentence": p.sentence, "changes": [asdict(c) for c in p.changes(config, facts)]}
        for name, p in PRESETS.items()
    }
    return {"presets": found, "facts": asdict(facts)}


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    lines = []
    for name, preset in result["presets"].items():
        lines.append(f"{name}: {preset['sentence']}")
        if not preset["changes"]:
            lines.append("  nothing to change")
        for change in preset["changes"]:
            lines.append(f"  {change['path']}: {_said(change['was'])} -> {_said(change['value'])}  {change['why']}")
    return "\n".join(lines)


def _said(value: Any) -> str:
    return "empty" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

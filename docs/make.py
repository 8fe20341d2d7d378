"""Write docs/settings.md, docs/models.md and docs/devices.md from the tables in the code: python -m docs.make."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from core.config import (
    METHODS,
    AugmentationConfig,
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    RunConfig,
    Section,
    TrainingConfig,
    dumps,
)
from core.models.rates import RATES, SMALL, SMALL_RATES
from docs import devices_page, models_page

TARGET = Path(__file__).parent / "settings.md"

BEGINNING = """# Settings

<!-- Written by `make docs` from core/config.py: change a setting there, not here. -->

A run is described by one config: the form of the page, its YAML and the command line's `--set section.key=value` are
the same settings. What is left out keeps its default. Names are those of Transformers and PEFT where these have one.
Every problem of a config is told at once, each at its field.

"""


def document() -> str:
    """The whole page."""
    parts = [BEGINNING, "## task\n\n", _table({"task": RunConfig.model_fields["task"]})]
    sections: dict[str, type[Section] | None]
    sections = {"model": ModelConfig, "data": DataConfig, "augmentation": AugmentationConfig, "method": None}
    sections |= {"training": TrainingConfig, "evaluation": EvaluationConfig}
    for name, section in sections.items():
        parts.append(f"## {name}\n\n{_said(section)}")
        if section is None:
            parts += [_method(method, cls) for method, cls in METHODS.items()]
        else:
            parts.append(_table({f"{name}.{key}": field for key, field in section.model_fields.items()}))
    rates, small = (", ".join(f"{r:g} for {method}" for method, r in table.items()) for table in (RATES, SMALL_RATES))
    parts.append(
        f"Where `training.learning_rate` is empty the method's own default counts: {rates}; for a model of fewer than "
        f"{SMALL // 10**6} million parameters {small}.\n\n"
    )
    parts.append(f"## The defaults, as YAML\n\n```yaml\n{dumps(RunConfig())}```\n")
    return "".join(parts)


def _said(section: type[Section] | None) -> str:
    return f"{section.__doc__}\n\n" if section and section.__doc__ else ""


def _method(name: str, cls: type[Section]) -> str:
    fields = {f"method.{key}": field for key, field in cls.model_fields.items() if key != "name"}
    said = f"`name: {name}`: {cls.__doc__}\n\n"
    return said + (_table(fields) if fields else "It has no settings of its own.\n\n")


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = ["| Setting | Default | Allowed | What it does |", "|---|---|---|---|"]
    for path, field in fields.items():
        unit = _extra(field).get("unit", "")
        cells = [f"`{path}`", _default(field.default), _allowed(field), _escaped(field.description or "")]
        cells[1] += f" {unit}" if unit and field.default is not None else ""
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n\n"


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _default(value: Any) -> str:
    if value is None:
        return "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    """What the field takes, with its bounds, in words."""
    members = get_args(field.annotation) if get_origin(field.annotation) in (Union, types.UnionType) else ()
    kinds = [k for k in members or (field.annotation,) if k is not type(None)]
    words = []
    for kind in kinds:
        rules = list(kind.__metadata__[0].metadata) if get_origin(kind) is Annotated else []
        words.append(_kind(get_args(kind)[0] if rules else kind) + _bounds(rules))
    said = " or ".join(words) + _bounds(field.metadata)
    return said + (", or empty" if type(None) in members else "")


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
        return f"list of {_kind(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "role: column, one a line"
    return {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}.get(kind, "list of texts")


def _bounds(rules: list[Any]) -> str:
    signs = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "and below {}"}
    bounds = [
        text.format(f"{getattr(rule, key):,}") for key, text in signs.items() for rule in rules if key in rule.__slots__
    ]
    return f", {' '.join(bounds)}" if bounds else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("[[", "`[[`").replace("]]", "`]]`").replace("{column}", "`{column}`")


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8", newline="\n")
    models_page.TARGET.write_text(models_page.document(), encoding="utf-8", newline="\n")
    devices_page.TARGET.write_text(devices_page.document(), encoding="utf-8", newline="\n")

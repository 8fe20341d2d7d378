"""What all sections of a config are made of: a frozen model, and a setting with its default, bounds, unit and help."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the config: frozen, and with no room for a key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    label: str = "",
    advanced: bool = False,
    group: str = "",
    **bounds: Any,
) -> Any:
    """One setting: its default, one plain sentence of help, its unit, and pydantic's bounds (ge, gt, le, lt).

    `advanced` ones are folded away in the form, those of a `group` together.
    """
    extra: dict[str, Any] = {"unit": unit, "label": label, "advanced": advanced, "group": group}
    return Field(default, description=help, json_schema_extra={k: v for k, v in extra.items() if v}, **bounds)

"""Settings <-> components: every field of the form is derived from core/config.py, with its help and its errors."""

from __future__ import annotations

import types
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import gradio as gr

from core.config import (
    METHODS,
    EvaluationConfig,
    ModelConfig,
    Section,
    TrainingConfig,
    field_errors,
)
from core.errors import InputError
from core.models.catalog import describe_model
from core.models.rates import default_rate

SECTIONS: dict[str, type[Section]] = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "evaluation": EvaluationConfig,
}

Kind = Literal["whole", "number", "choice", "switch", "text", "several"]

PICKED = ("training.loss", "training.metric_for_best_model")  # text that is one of a list, which the draft decides


@dataclass(frozen=True)
class Setting:
    """One field of the config, as the form needs it."""

    path: str  # dotted: training.learning_rate
    label: str
    help: str
    kind: Kind
    optional: bool  # may be left empty
    default: Any
    advanced: bool
    choices: tuple[str, ...] = ()
    method: str = ""  # the method that it belongs to, where it belongs to one
    group: str = ""  # what it is folded away with

    @property
    def key(self) -> str:
        """Its name among the keyword arguments of a handler."""
        return self.path.replace(".", "__") if not self.method else f"method__{self.method}__{self.path.split('.')[1]}"

    @property
    def elem_id(self) -> str:
        """The id of its component in the page; page.js hangs the error there."""
        return "field-" + self.path.replace(".", "-") + (f"-of-{self.method}" if self.method else "")


def settings(section: type[Section], prefix: str, method: str = "") -> list[Setting]:
    """The fields of a section of the config, in its order; a constant such as the method's name is none."""
    found = []
    for name, field in section.model_fields.items():
        kind, optional, choices = _kind(field.annotation)
        if kind == "choice" and len(choices) == 1:
            continue
        extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        label, unit = str(extra.get("label") or name), str(extra.get("unit") or "")
        found.append(
            Setting(
                f"{prefix}.{name}",
                f"{label} ({unit})" if unit and unit not in label.lower() else label,
                field.description or "",
                kind,
                optional,
                field.default,
                bool(extra.get("advanced")),
                choices,
                method,
                str(extra.get("group") or ""),
            )
        )
    return found


def all_settings() -> list[Setting]:
    """What the Model tab asks for: the sections of the config, and each method's own settings."""
    model = [s for s in settings(ModelConfig, "model") if s.path not in ("model.path", "model.head")]
    methods = [s for name, section in METHODS.items() for s in settings(section, "method", name)]
    return [*methods, *settings(TrainingConfig, "training"), *settings(EvaluationConfig, "evaluation"), *model]


def component(setting: Setting) -> gr.components.Component:
    """The component of a setting. It has no bounds: what is out of bounds is said at the field, not snapped back."""
    common: dict[str, Any] = {
        "label": setting.label,
        "info": setting.help,
        "elem_id": setting.elem_id,
        "interactive": True,
        "min_width": 200,
    }
    match setting.kind:
        case "whole" | "number":
            hint = placeholder(setting) if setting.optional else None
            return gr.Number(setting.default, placeholder=hint, step=_step(setting), **common)
        case "switch":
            return gr.Checkbox(setting.default, **common)
        case "choice":
            choices: list[Any] = [*([("automatic", "")] if setting.optional else []), *setting.choices]
            return gr.Dropdown(choices, value=shown(setting, setting.default), **common)
        case "several":
            value, own = shown(setting, setting.default), not setting.choices
            return gr.Dropdown(list(setting.choices), value=value, multiselect=True, allow_custom_value=own, **common)
        case _ if setting.path in PICKED:
            return gr.Dropdown([setting.default], value=setting.default, allow_custom_value=True, **common)
        case _:
            return gr.Textbox(shown(setting, setting.default), lines=1, max_lines=1, **common)


def placeholder(setting: Setting) -> str:
    """What an empty field means."""
    if setting.path == "training.learning_rate":
        return "the default of the method and size"
    return "never" if "never" in setting.help else "no limit" if "no limit" in setting.help else "none"


def usual_rate(draft: dict[str, Any]) -> str:
    """What an empty learning rate means for a draft."""
    path, revision = value_of(draft, "model.path"), value_of(draft, "model.revision")
    try:
        parameters = describe_model(str(path), revision if isinstance(revision, str) and revision else None).parameters
    except InputError:
        parameters = None
    return f"{default_rate(method_of(draft), parameters):g}, the default here"


def shown(setting: Setting, value: Any) -> Any:
    """A value of the config as its component shows it."""
    if setting.kind == "several":
        return list(value) if isinstance(value, (list, tuple)) else [value] if value else []
    if setting.kind in ("whole", "number"):
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if setting.kind == "switch":
        return bool(value)
    return "" if value is None else value


def given(setting: Setting, value: Any) -> Any:
    """What a component holds, as a plain value of the config. Nothing is judged here: core.config does that."""
    if setting.kind == "several":
        parts = value.split(",") if isinstance(value, str) else value or ()
        names = [str(name).strip() for name in parts if str(name).strip()]
        if isinstance(setting.default, str):  # one name alone may stand for many, such as all-linear
            return names[0] if names == [setting.default] else names or setting.default
        return names or (None if setting.optional else [])
    if isinstance(value, str):
        return value.strip() or (None if setting.optional else "")
    if setting.kind == "whole" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def with_value(draft: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a draft with one value changed."""
    draft = deepcopy(draft)
    *sections, last = path.split(".")
    inner = draft
    for section in sections:
        if not isinstance(inner.get(section), dict):
            inner[section] = {}
        inner = inner[section]
    inner[last] = value
    return draft


def put(path: str, value: Any, draft: dict[str, Any]) -> dict[str, Any]:
    """`with_value` in the order of a handler: one setting into the draft, as it was given."""
    return with_value(draft, path, value)


def value_of(draft: dict[str, Any], path: str, default: Any = None) -> Any:
    """The value at a dotted path of a draft, or the default where there is none."""
    inner: Any = draft
    for part in path.split("."):
        if not isinstance(inner, dict) or part not in inner:
            return default
        inner = inner[part]
    return inner


def filled(draft: dict[str, Any]) -> dict[str, Any]:
    """The values of all components, by key, from a draft; what the draft leaves out is at its default."""
    method = method_of(draft)
    return {
        s.key: shown(s, value_of(draft, s.path, s.default) if s.method in ("", method) else s.default)
        for s in all_settings()
    }


def collected(draft: dict[str, Any], method: str, values: dict[str, Any]) -> dict[str, Any]:
    """The draft with what the form holds; of the methods' settings those of the chosen method."""
    draft = deepcopy(draft) | {"method": {"name": method}}
    for setting in all_settings():
        if setting.key in values and setting.method in ("", method):
            draft = with_value(draft, setting.path, given(setting, values[setting.key]))
    return draft


def method_of(draft: dict[str, Any]) -> str:
    """The method of a draft; the default where it names none that there is."""
    name = str(value_of(draft, "method.name", "lora"))
    return name if name in METHODS else "lora"


def is_changed(setting: Setting, draft: dict[str, Any]) -> bool:
    """Whether a setting is not at its default."""
    default = setting.default
    return bool(shown(setting, value_of(draft, setting.path, default)) != shown(setting, default))


def errors(draft: dict[str, Any]) -> dict[str, str]:
    """Every problem of a draft by dotted field, as the form words it: a field left empty is said to be empty."""
    found = field_errors(draft)
    for setting in all_settings():
        if setting.path in found and value_of(draft, setting.path, 0) is None:
            found[setting.path] = f"This cannot be empty. The default is {shown(setting, setting.default)}."
    return {path: text[:1].upper() + text[1:] for path, text in found.items()}


def _step(setting: Setting) -> float:
    """How far an arrow key moves a number."""
    if setting.kind == "whole" or (setting.default or 0) >= 1:
        return 1
    return 0.01 if setting.default is not None else 0.0001


def _kind(annotation: Any) -> tuple[Kind, bool, tuple[str, ...]]:
    """Of a type in the config: what sort of field it is, whether it may be empty, what may be chosen."""
    args = get_args(annotation)
    if get_origin(annotation) is Literal:
        return "choice", False, tuple(map(str, args))
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        optional = len(rest) < len(args)
        if len(rest) > 1:
            return "several", optional, ()
        kind, _, choices = _kind(rest[0])
        return kind, optional, choices
    if get_origin(annotation) is tuple:
        return "several", False, tuple(map(str, get_args(args[0])))
    if annotation is bool:
        return "switch", False, ()
    if annotation is int:
        return "whole", False, ()
    return ("number" if annotation is float else "text"), False, ()

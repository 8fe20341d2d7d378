"""RunConfig: every setting of a run, declared once; the form, YAML, the command line and the docs derive from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from core import yamltext
from core.errors import ConfigError, InputError, nearest
from core.paths import place, quoted
from core.runs.files import open_file
from core.sentences import sections, sentences, variants
from core.settings import METHODS as METHODS
from core.settings import TASKS as TASKS
from core.settings import AdapterMethod as AdapterMethod
from core.settings import AugmentationConfig as AugmentationConfig
from core.settings import DataConfig as DataConfig
from core.settings import EvaluationConfig as EvaluationConfig
from core.settings import FullMethod as FullMethod
from core.settings import IA3Method as IA3Method
from core.settings import LoraMethod as LoraMethod
from core.settings import MethodConfig, Task, setting
from core.settings import ModelConfig as ModelConfig
from core.settings import PromptMethod as PromptMethod
from core.settings import QLoraMethod as QLoraMethod
from core.settings import Section as Section
from core.settings import TrainingConfig as TrainingConfig
from core.settings.together import contradictions


class RunConfig(Section):
    """A whole run. Errors of all fields come at once, as `ConfigError`."""

    task: Task = setting("generation", "What the model is to do.", label="Task")
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    method: MethodConfig = LoraMethod()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _together(self) -> RunConfig:
        """Settings that contradict each other; a ConfigError with a sentence for each field concerned."""
        errors = contradictions(self)
        if errors:
            raise ConfigError(errors)
        return self


def build(values: dict[str, Any]) -> RunConfig:
    """A RunConfig from nested plain values, with every problem at once.

    Raises:
        ConfigError: `errors` has one sentence for each field that is wrong. InputError: not a mapping at all.
    """
    if not isinstance(values, dict):
        raise InputError(f"A config is a mapping of sections such as model and data, not {type(values).__name__}.")
    try:
        return RunConfig.model_validate(_as_meant(values))
    except ValidationError as error:
        raise ConfigError(sentences(error, RunConfig)) from None


def _as_meant(values: dict[str, Any]) -> dict[str, Any]:
    """Where a setting takes no text: 1e3 is a number (YAML 1.1 reads text, for want of a dot), and True is not 1."""

    def meant(value: Any, takes: list[Any]) -> Any:
        if isinstance(value, bool) and bool not in takes:
            return str(value).lower()
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d{1,3}", value):
            return float(value)
        return value

    result = dict(values)
    for name, field in RunConfig.model_fields.items():
        if isinstance(given := values.get(name), dict):
            held = [item for section in sections(field.annotation) for item in section.model_fields.items()]
            takes = {key: variants(inner.annotation) for key, inner in held}
            result[name] = {
                key: meant(value, takes[key]) if key in takes and str not in takes[key] else value
                for key, value in given.items()
            }
    return result


def loads(text: str, name: str = "The config") -> RunConfig:
    """A RunConfig from YAML text. A section with nothing below it keeps its defaults.

    Raises:
        InputError: not YAML (with the line); ConfigError: a field is wrong.
    """
    values = yamltext.read(text, name)
    if values is None:
        raise InputError(f"{name} is empty: it needs at least a data section.")
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if value is not None}
    return build(values)


def load(path: str | Path, overrides: list[str] | None = None, name: str = "") -> RunConfig:
    """A RunConfig from a YAML file, with `section.key=value` overrides applied.

    Args:
        name: what a sentence calls it, instead of its path.

    Raises:
        InputError: no such file, not text, not YAML, an override that is none; ConfigError: a field is wrong.
    """
    name = name or f"The config {quoted(path)}"
    try:
        with open_file(place(path, "the config")) as file:
            text = file.read(4 * yamltext.MOST + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} cannot be read: it is not UTF-8 text.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{name} cannot be read: {reason}.") from None
    return overridden(loads(text, name), overrides or [])


def overridden(config: RunConfig, overrides: list[str]) -> RunConfig:
    """The config with `section.key=value` overrides applied.

    Raises:
        InputError: an override that is none; ConfigError: a field is wrong.
    """
    if not overrides:
        return config
    values = config.model_dump()
    for item in overrides:
        _override(values, item)
    return build(values)


def _override(values: dict[str, Any], item: str) -> None:
    """Apply one `section.key=value` to the plain values of a config."""
    key, mark, text = item.partition("=")
    section, _, name = key.strip().rpartition(".")
    if not mark or not name:
        raise InputError(f"{item!r} is not an override: write it as section.key=value, such as training.max_steps=20.")
    known = [k for k, v in values.items() if isinstance(v, dict)]
    if section and section not in known:
        hint = nearest(section, known)
        raise InputError(f"There is no section {section!r} in a config." + (f" Did you mean {hint!r}?" if hint else ""))
    if (section, name) == ("method", "name") and text.strip() != values["method"]["name"]:
        values["method"] = {}  # the settings of the method that was there before mean nothing to this one
    inner = values[section] if section else values
    inner[name] = _value(section, name, text, item)


def _value(section: str, name: str, text: str, item: str) -> Any:
    """What an override's text stands for: as it is where the setting takes text, since `### {a}` is none in YAML."""
    if section in ("model", "data", "evaluation"):
        field = RunConfig.model_fields[section].annotation.model_fields.get(name)  # type: ignore[union-attr]
        quoted = text[:1] in ("'", '"')
        if field and str in variants(field.annotation) and not quoted and text.strip() not in ("", "null", "~"):
            return text
    return yamltext.read(text, f"The override {item!r}")


def dumps(config: RunConfig) -> str:
    """The config as YAML, byte-stable: `dumps(loads(dumps(c))) == dumps(c)`. Every setting is written out."""
    return yamltext.write(config.model_dump(mode="json"))


def field_errors(config: dict[str, Any]) -> dict[str, str]:
    """Every problem of nested plain values, by dotted field; empty where there is none. For a form."""
    try:
        build(config)
    except ConfigError as error:
        return error.errors
    return {}

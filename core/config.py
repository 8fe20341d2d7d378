"""RunConfig: every setting of a run, declared once; the form, YAML, the command line and the docs derive from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import ConfigError, InputError, nearest

Task = Literal["generation", "classification", "extraction", "summarization"]
TASKS: tuple[str, ...] = get_args(Task)

# Peak learning rates by method. LoRA: 2e-4, the value of the QLoRA paper (Dettmers et al. 2023, table 9); full: 2e-5,
# the value that the Alpaca recipe (Taori et al. 2023) and the source's 1e-5 to 1e-4 agree on. A model of a few million
# parameters wants 1e-3 to 4e-3 (measured: docs/benchmarks.md); the demo configs say so.
LEARNING_RATES = {"full": 2e-5, "lora": 2e-4}


class Section(BaseModel):
    """A part of the config: frozen, and with no room for a key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(default: Any, help: str, *, unit: str = "", label: str = "", advanced: bool = False, **bounds: Any) -> Any:
    """One setting: its default, one plain sentence of help, its unit, and pydantic's bounds (ge, gt, le, lt)."""
    extra: dict[str, Any] = {"unit": unit, "label": label, "advanced": advanced}
    return Field(default, description=help, json_schema_extra={k: v for k, v in extra.items() if v}, **bounds)


class ModelConfig(Section):
    """The base model that is tuned."""

    path: str = setting(
        "assets/demo-model", "A folder of a model, or its id on the Hugging Face Hub.", label="Base model", min_length=1
    )
    revision: str | None = setting(
        None, "Branch, tag or commit of a model on the Hub.", label="Revision", advanced=True
    )


class DataConfig(Section):
    """The examples, and how a row becomes text."""

    path: str = setting("assets/data/fields/train.jsonl", "The file of examples.", label="Data", min_length=1)
    template: str | None = setting(
        None,
        "Text with {column} in it; the last column, or what stands between [[ and ]], is the answer. "
        "Empty: the model's own chat template.",
        label="Template",
    )
    validation: float = setting(
        0.1, "Share of the rows that is kept back to check with.", label="Validation share", ge=0, le=0.5
    )
    max_tokens: int = setting(
        512, "Longer examples lose the middle of their prompt.", unit="tokens", label="Longest example", ge=8, le=131072
    )


class FullMethod(Section):
    """All weights are trained."""

    name: Literal["full"] = "full"


class LoraMethod(Section):
    """Two thin matrices beside each chosen layer are trained; the base stays as it is (Hu et al. 2021)."""

    name: Literal["lora"] = "lora"
    r: int = setting(16, "Rank: how much the adapter can learn.", label="Rank r", ge=1, le=256)
    lora_alpha: int = setting(
        32, "The adapter is scaled by alpha / r; twice the rank is usual.", label="LoRA alpha", ge=1, le=1024
    )
    lora_dropout: float = setting(
        0.05,
        "Share of the adapter's input that is switched off at random.",
        label="LoRA dropout",
        advanced=True,
        ge=0,
        lt=1,
    )
    target_modules: str | tuple[str, ...] = setting(
        "all-linear",
        "Which layers get an adapter: all-linear, or names of modules.",
        label="Target modules",
        advanced=True,
    )


MethodConfig = Annotated[FullMethod | LoraMethod, Field(discriminator="name")]
METHODS: dict[str, type[Section]] = {"full": FullMethod, "lora": LoraMethod}


class TrainingConfig(Section):
    """How the weights are moved; names and meanings are those of transformers.TrainingArguments."""

    learning_rate: float | None = setting(
        None, "How big a step each update takes. Empty: the default of the method.", label="Learning rate", gt=0, le=1
    )
    num_train_epochs: float = setting(
        3.0, "Passes over the training rows.", unit="epochs", label="Epochs", gt=0, le=1000
    )
    max_steps: int | None = setting(
        None,
        "Stop after so many updates, whatever the epochs.",
        unit="steps",
        label="At most (steps)",
        advanced=True,
        ge=1,
    )
    per_device_train_batch_size: int = setting(
        8, "Rows in one forward pass.", unit="rows", label="Batch size", ge=1, le=4096
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches that are summed before an update.",
        unit="batches",
        label="Gradient accumulation",
        advanced=True,
        ge=1,
        le=4096,
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt"] = setting(
        "cosine", "How the learning rate falls.", label="Schedule", advanced=True
    )
    warmup_steps: float = setting(
        0.03,
        "The rate climbs this long: a share of all steps if below 1, otherwise steps.",
        label="Warm-up",
        advanced=True,
        ge=0,
    )
    weight_decay: float = setting(
        0.0, "Pulls trained weights towards zero (AdamW).", label="Weight decay", advanced=True, ge=0, le=1
    )
    max_grad_norm: float = setting(
        1.0, "Gradients longer than this are shortened.", label="Gradient clipping", advanced=True, gt=0
    )
    logging_steps: int = setting(
        10, "A point on the loss curve every so many steps.", unit="steps", label="Log every", advanced=True, ge=1
    )
    eval_steps: int = setting(
        50, "Validation loss every so many steps.", unit="steps", label="Validate every", advanced=True, ge=1
    )
    save_steps: int = setting(
        50, "A checkpoint every so many steps.", unit="steps", label="Save every", advanced=True, ge=1
    )
    save_total_limit: int = setting(
        2, "Checkpoints that are kept besides the best.", unit="checkpoints", label="Keep", advanced=True, ge=1, le=100
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop when the validation loss has not fallen in so many checks. Empty: never.",
        unit="checks",
        label="Early stopping",
        ge=1,
        le=1000,
    )
    seed: int = setting(42, "The same seed gives the same run.", label="Seed", advanced=True, ge=0, le=2**31 - 1)


class EvaluationConfig(Section):
    """What the tuned model is measured on."""

    data: str | None = setting(
        None, "Rows that training never sees. Empty: the validation share.", label="Held-out data"
    )
    max_rows: int = setting(200, "At most so many rows are answered.", unit="rows", label="Rows", ge=1, le=100_000)
    max_new_tokens: int = setting(
        96, "An answer is cut off after so many tokens.", unit="tokens", label="Longest answer", ge=1, le=8192
    )


class RunConfig(Section):
    """A whole run. Errors of all fields come at once, as `ConfigError`."""

    task: Task = setting("generation", "What the model is to do.", label="Task")
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    method: MethodConfig = LoraMethod()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _together(self) -> RunConfig:
        """Settings that contradict each other; a ConfigError with a sentence for each field concerned."""
        t, errors = self.training, {}
        if t.early_stopping_patience is not None and self.data.validation == 0:
            errors["training.early_stopping_patience"] = (
                "early stopping watches the validation loss, and data.validation is 0: "
                "keep some rows back, or leave this empty."
            )
        if t.early_stopping_patience is not None and t.save_steps % t.eval_steps:
            fit = max(1, round(t.save_steps / t.eval_steps)) * t.eval_steps
            errors["training.save_steps"] = (
                f"{t.save_steps} is not a multiple of eval_steps ({t.eval_steps}): with early stopping the best "
                f"checkpoint would not be there to go back to. Try {fit}."
            )
        if t.warmup_steps >= 1 and t.warmup_steps != int(t.warmup_steps):
            errors["training.warmup_steps"] = (
                f"{t.warmup_steps:g} is neither a share below 1 nor a whole number of steps."
            )
        if errors:
            raise ConfigError(errors)
        return self

    @property
    def learning_rate(self) -> float:
        """The peak learning rate: as set, or the default of the method."""
        return self.training.learning_rate or LEARNING_RATES[self.method.name]


def build(values: dict[str, Any]) -> RunConfig:
    """A RunConfig from nested plain values, with every problem at once.

    Raises:
        ConfigError: `errors` has one sentence for each field that is wrong.
    """
    if not isinstance(values, dict):
        raise InputError(f"A config is a mapping of sections such as model and data, not {type(values).__name__}.")
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentences(error)) from None


def loads(text: str, name: str = "The config") -> RunConfig:
    """A RunConfig from YAML text.

    Raises:
        InputError: not YAML (with the line); ConfigError: a field is wrong.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{name} is not YAML{where}: {getattr(error, 'problem', None) or error}.") from None
    if values is None:
        raise InputError(f"{name} is empty: it needs at least a data section.")
    return build(_numbers(values))


def load(path: str | Path, overrides: list[str] | None = None) -> RunConfig:
    """A RunConfig from a YAML file, with `section.key=value` overrides applied.

    Raises:
        InputError: no such file, not text, not YAML, an override that is none; ConfigError: a field is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (
            "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else (error.strerror or str(error)).lower()
        )
        raise InputError(f"The config {str(path)!r} cannot be read: {reason}.") from None
    if not overrides:
        return loads(text, f"The config {str(path)!r}")
    values = loads(text, f"The config {str(path)!r}").model_dump()
    for item in overrides:
        key, mark, value = item.partition("=")
        *sections, last = key.strip().split(".")
        if not mark or not last:
            raise InputError(
                f"{item!r} is not an override: write it as section.key=value, such as training.max_steps=20."
            )
        inner = values
        for section in sections:
            if not isinstance(inner.get(section), dict):
                hint = nearest(section, [k for k, v in inner.items() if isinstance(v, dict)])
                raise InputError(
                    f"There is no section {section!r} in a config." + (f" Did you mean {hint!r}?" if hint else "")
                )
            inner = inner[section]
        if key.strip() == "method.name" and value.strip() != values["method"]["name"]:
            values["method"] = {}
            inner = values["method"]
        inner[last] = _numbers(yaml.safe_load(value))
    return build(values)


def dumps(config: RunConfig) -> str:
    """The config as YAML, byte-stable: `dumps(loads(dumps(c))) == dumps(c)`. Every setting is written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def field_errors(config: dict[str, Any]) -> dict[str, str]:
    """Every problem of nested plain values, by dotted field; empty where there is none. For a form."""
    try:
        build(config)
    except ConfigError as error:
        return error.errors
    return {}


def _numbers(value: Any) -> Any:
    """YAML 1.1 reads 2e-4 as text, for want of a dot; people mean a number."""
    if isinstance(value, dict):
        return {
            k: v if k in ("template", "path", "data") and isinstance(v, str) else _numbers(v) for k, v in value.items()
        }
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() and value[:1] in "+-.0123456789" else value
        except ValueError:
            return value
    return value


def _sentences(error: ValidationError) -> dict[str, str]:
    """Pydantic's errors as dotted field -> sentence: the value given, what is allowed, the remedy."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):
            found.update(cause.errors)
            continue
        parts = [str(p) for p in item["loc"] if p not in METHODS and p not in ("str", "tuple[str, ...]")]
        path = ".".join(parts)
        found.setdefault(path, _sentence(dict(item), parts))
    return found


def _sentence(item: dict[str, Any], parts: list[str]) -> str:
    kind, given, ctx = item["type"], item.get("input"), item.get("ctx", {})
    shown = f"{given:g}" if isinstance(given, float) else repr(given)
    match kind:
        case "greater_than":
            return f"{shown} is too small: it must be above {ctx['gt']:g}."
        case "greater_than_equal":
            return f"{shown} is too small: at least {ctx['ge']:g}."
        case "less_than":
            return f"{shown} is too large: it must be below {ctx['lt']:g}."
        case "less_than_equal":
            return f"{shown} is too large: at most {ctx['le']:g}."
        case "extra_forbidden":
            known = _known(parts[:-1])
            hint = nearest(parts[-1], known)
            return (
                f"there is no such setting. Did you mean {hint!r}?"
                if hint
                else f"there is no such setting. Known: {', '.join(known)}."
            )
        case "literal_error" | "union_tag_invalid" | "union_tag_not_found":
            known = (
                list(METHODS)
                if kind.startswith("union")
                else [a.strip("'") for a in str(ctx["expected"]).replace(" or ", ", ").split(", ")]
            )
            name = (given or {}).get("name") if isinstance(given, dict) else given
            hint = nearest(str(name), known)
            return (
                f"{name!r} is not known."
                + (f" Did you mean {hint!r}?" if hint else "")
                + f" Choose one of {', '.join(known)}."
            )
        case "int_from_float" | "int_parsing" | "int_type":
            return f"{shown} is not a whole number."
        case "float_parsing" | "float_type" | "finite_number":
            return f"{shown} is not a number."
        case "string_too_short":
            return "this cannot be empty."
        case "string_type":
            return f"{shown} is not text."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{shown} is not a section: write its settings below it, one a line."
        case _:
            return f"{shown}: {item['msg'][0].lower()}{item['msg'][1:]}."


def _known(path: list[str]) -> list[str]:
    """The names of the settings in the section at a dotted path."""
    if not path:
        return list(RunConfig.model_fields)
    if path[0] == "method":
        return sorted({name for cls in METHODS.values() for name in cls.model_fields})
    annotation = RunConfig.model_fields[path[0]].annotation
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []

"""RunConfig: every setting of a run, declared once; the form, YAML, the command line and the docs derive from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from core import yamltext
from core.errors import ConfigError, InputError, nearest
from core.sentences import sections, sentences, variants

Task = Literal["generation", "classification", "extraction", "summarization"]
LayoutName = Literal[
    "text", "text_label", "prompt_completion", "alpaca", "sharegpt", "messages", "tokens_tags", "pair", "preference"
]
Fix = Literal[
    "drop_duplicates", "drop_near_duplicates", "drop_leaked", "drop_long", "strip_control", "fix_encoding",
    "mask_personal", "mask_secrets"
]  # fmt: skip
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


Share = Annotated[float, Field(ge=0, le=0.5)]


class DataConfig(Section):
    """The examples, and how a row becomes text."""

    path: str = setting(
        "assets/data/fields/train.jsonl",
        "A file of examples, a folder or a pattern of files, or the id of a data set on the Hugging Face Hub.",
        label="Data",
        min_length=1,
    )
    name: str | None = setting(
        None, "Configuration of a data set on the Hub, or sheet of a workbook.", label="Configuration", advanced=True
    )
    split: str | None = setting(
        None, "Which part is used, such as train or train[:4096]. Empty: all of it.", label="Split", advanced=True
    )
    layout: LayoutName | None = setting(
        None, "How the columns are read. Empty: found from the rows.", label="Layout", advanced=True
    )
    roles: dict[str, str] | None = setting(
        None, "Which column plays which part of the layout. Empty: found from the rows.", label="Roles", advanced=True
    )
    template: str | None = setting(
        None,
        "Text with {column} in it; the last column, or what stands between [[ and ]], is the answer. "
        "A name such as alpaca or chatml: that format. Empty: the model's own chat template.",
        label="Template",
    )
    system: str | None = setting(
        None, "A system prompt for every conversation that has none of its own.", label="System prompt", advanced=True
    )
    train_on: Literal["answers", "last", "all"] = setting(
        "answers",
        "Where the loss is taken: on every answer, on the last answer only, or on all text.",
        label="Loss on",
        advanced=True,
    )
    validation: Share | str = setting(
        0.1,
        "What is kept back to check with: a share of the rows, a slice such as train[90%:], or a file of its own.",
        label="Validation",
    )
    stratify: str | None = setting(
        None,
        "A column whose values are kept back in equal shares. Empty: the label, where the rows have one.",
        label="Stratify by",
        advanced=True,
    )
    group_by: str | None = setting(
        None,
        "A column whose values stay together on one side, such as a customer or a conversation.",
        label="Group by",
        advanced=True,
    )
    folds: int | None = setting(
        None,
        "K-fold: the rows are parted into so many folds, one of which is kept back. Empty: a share is kept back.",
        unit="folds",
        label="Folds",
        advanced=True,
        ge=2,
        le=20,
    )
    fold: int = setting(1, "Which fold is kept back, from 1.", label="Fold", advanced=True, ge=1, le=20)
    fixes: tuple[Fix, ...] = setting(
        (), "What the data doctor mends, before the rows are split.", label="Fixes", advanced=True
    )
    max_tokens: int = setting(
        512, "Longer examples lose the middle of their prompt.", unit="tokens", label="Longest example", ge=8, le=131072
    )

    @field_validator("validation", mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        """A share that was written as text, or in percent, is a share; nothing is not."""
        if isinstance(value, str) and not value.strip():
            return None
        if isinstance(value, str) and (found := re.fullmatch(r"\s*([+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(%?)\s*", value)):
            return float(found[1]) / (100 if found[2] else 1)
        return value


class AugmentationConfig(Section):
    """Changed copies of the training rows, and the balance of their labels; rows kept back are never touched."""

    copies: int = setting(0, "Changed copies of each training row.", unit="copies", label="Copies", ge=0, le=10)
    swap: float = setting(
        0.0, "Share of the words that change places with their neighbour.", label="Word swap", ge=0, le=0.5
    )
    delete: float = setting(0.0, "Share of the words that are left out.", label="Deletion", ge=0, le=0.5)
    synonym: float = setting(
        0.0, "Share of the words in the list below that are replaced.", label="Synonyms", ge=0, le=1
    )
    synonyms: str | None = setting(
        None, "One word a line with what may stand for it: big = large, huge.", label="List of synonyms"
    )
    case: float = setting(0.0, "Share of the words whose capitals change.", label="Capitals", ge=0, le=0.5)
    typo: float = setting(0.0, "Share of the words with a slip of the keyboard.", label="Typing errors", ge=0, le=0.5)
    balance: Literal["none", "over", "under"] = setting(
        "none",
        "Labels in equal number: by repeating rows of the rare ones (over), or by leaving out rows of the others "
        "(under).",
        label="Balance labels",
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
    augmentation: AugmentationConfig = AugmentationConfig()
    method: MethodConfig = LoraMethod()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _together(self) -> RunConfig:
        """Settings that contradict each other; a ConfigError with a sentence for each field concerned."""
        t, d, a, errors = self.training, self.data, self.augmentation, {}
        if t.early_stopping_patience is not None and d.validation == 0 and d.folds is None:
            errors["training.early_stopping_patience"] = (
                "early stopping watches the validation loss, and data.validation is 0: "
                "keep some rows back, or leave this empty."
            )
        if t.warmup_steps >= 1 and t.warmup_steps != int(t.warmup_steps):
            errors["training.warmup_steps"] = (
                f"{t.warmup_steps:g} is neither a share below 1 nor a whole number of steps."
            )
        if d.folds is not None and d.fold > d.folds:
            errors["data.fold"] = f"{d.fold} is too large: there are {d.folds} folds, counted from 1."
        if d.folds is not None and isinstance(d.validation, str):
            errors["data.folds"] = f"the rows kept back are named already ({d.validation}): leave one of the two empty."
        if d.roles is not None and d.layout is None:
            errors["data.roles"] = "roles belong to a layout: set data.layout as well."
        if a.copies and not any((a.swap, a.delete, a.synonym, a.case, a.typo)):
            errors["augmentation.copies"] = (
                "nothing would be changed in the copies: set a share of words to swap, delete, replace or alter."
            )
        if a.synonym and not (a.synonyms or "").strip():
            errors["augmentation.synonyms"] = "the list is empty: write one word a line, such as big = large, huge."
        if any("\ud800" <= c <= "\udfff" for c in d.template or ""):
            errors["data.template"] = "it holds half of a character (a lone surrogate): type that place again."
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


def load(path: str | Path, overrides: list[str] | None = None) -> RunConfig:
    """A RunConfig from a YAML file, with `section.key=value` overrides applied.

    Raises:
        InputError: no such file, not text, not YAML, an override that is none; ConfigError: a field is wrong.
    """
    name = f"The config {str(path)!r}"
    try:
        with Path(path).open("rb") as file:
            text = file.read(4 * yamltext.MOST + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path that no file system takes
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason.lower()
        raise InputError(f"{name} cannot be read: {reason}.") from None
    config = loads(text, name)
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

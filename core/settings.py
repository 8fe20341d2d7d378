"""The sections of a config: each setting with its type, default, bounds, unit, label and help, and nothing else."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

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
        None,
        "Which part is used, such as train or train[:4096]. Empty: what there is to train on.",
        label="Split",
        advanced=True,
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
        label="Validation share",
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

"""The settings of the rows: where they are, how a row becomes text, what is kept back, and what is added."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from core.settings.base import Section, setting

LayoutName = Literal[
    "text", "text_label", "prompt_completion", "alpaca", "sharegpt", "messages", "tokens_tags", "pair", "preference"
]
Fix = Literal[
    "drop_duplicates", "drop_near_duplicates", "drop_leaked", "drop_long", "strip_control", "fix_encoding",
    "mask_personal", "mask_secrets"
]  # fmt: skip
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


class EvaluationConfig(Section):
    """What the tuned model is measured on."""

    data: str | None = setting(
        None, "Rows that training never sees. Empty: the validation share.", label="Held-out data"
    )
    max_rows: int = setting(200, "At most so many rows are answered.", unit="rows", label="Rows", ge=1, le=100_000)
    max_new_tokens: int = setting(
        96, "An answer is cut off after so many tokens.", unit="tokens", label="Longest answer", ge=1, le=8192
    )

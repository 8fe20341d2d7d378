"""What is exported, as it is looked up: a run's weights as they lie, its adapter, base and tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.data.template import Wording
from core.errors import InputError
from core.export import weights
from core.models import load
from core.models.catalog import describe_model
from core.models.heads import Head
from core.models.tokenizer import end_ids, load_tokenizer, model_folder, pad_id
from core.paths import resolve
from core.runs import records, store
from core.runs.store import Run

NEW_TOKENS = 64  # where no config says how long an answer may be


@dataclass(frozen=True)
class Found:
    """A target that was looked up; nothing of it is loaded.

    Attributes:
        target: as core.models.load.load_run takes it. run, config: None for what is no run.
        folder: of its weights. head: what the model ends in.
        adapter: what adapter_config.json says, or None. base, revision: of an adapter; else the weights themselves.
    """

    target: str
    run: Run | None
    config: RunConfig | None
    folder: Path
    adapter: dict[str, Any] | None
    base: str
    revision: str | None
    head: Head

    @property
    def named(self) -> str:
        """The base, as the config or the adapter names it."""
        return self.config.model.path if self.config is not None else self.base

    @property
    def public(self) -> str:
        """The base in a file that goes elsewhere."""
        return weights.public_name(self.named)

    @property
    def title(self) -> str:
        """A heading."""
        return self.run.title if self.run is not None else self.public

    @property
    def licence(self) -> str:
        """Of the base, as its card names it; "" where it names none, or is not here any more."""
        try:
            return describe_model(self.named).licence
        except InputError:
            return ""

    def chosen(self, tokenizer: Any) -> str | None:
        """The chat template that the config chose, or None where that is the tokenizer's own."""
        return Wording.of(self.config.data).chat_template(tokenizer) if self.config is not None else None


@dataclass(frozen=True)
class Subject(Found):
    """What is exported.

    Attributes:
        small: the folder with the base's config and tokenizer. ends, pad, chat: see core.models.tokenizer.
        limit: of an answer, in tokens.
    """

    small: Path
    tokenizer: Any
    ends: list[int]
    pad: int
    chat: str | None
    limit: int


def look_up(target: str | Path) -> Found:
    """Look a target up, as core.models.load.load_run understands it.

    Raises:
        InputError: nothing of that name, no tuned model yet.
    """
    run = store.find(target)
    found = load.weights_of(run or target)
    folder = resolve(found)
    adapter = records.ADAPTER.read(folder / "adapter_config.json")
    base, revision = load.base_of(folder) if adapter is not None else (found, None)
    head = load.head_of_weights(str(folder if folder.is_dir() else found))
    config = run.config() if run is not None else None
    return Found(str(target), run, config, folder, adapter, base, revision, head)


def open_subject(target: str) -> Subject:
    """Look a target up with its tokenizer; no weight is read.

    Raises:
        InputError: see `look_up`; no tokenizer.
    """
    found = look_up(target)
    tokenizer = load_tokenizer(found.base, found.revision)
    small = model_folder(found.base, found.revision)
    chat = found.chosen(tokenizer)
    return Subject(
        **vars(found),
        small=small,
        tokenizer=tokenizer,
        ends=sorted(end_ids(tokenizer, small, chat)),
        pad=pad_id(tokenizer, chat),
        chat=chat or tokenizer.chat_template,
        limit=found.config.evaluation.max_new_tokens if found.config is not None else NEW_TOKENS,
    )

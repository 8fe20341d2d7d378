"""What another format than ONNX is made of: a run's weights as they lie, its adapter, base, tokenizer and rows."""

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
from core.runs import store
from core.runs.files import read_json
from core.runs.store import Run

NEW_TOKENS = 64  # where no config says how long an answer may be


@dataclass(frozen=True)
class Subject:
    """What is exported.

    Attributes:
        target: as core.models.load.load_run takes it. run, config: None for what is no run. folder: of its weights.
        adapter: what adapter_config.json says, or None. base, revision: of an adapter; else the weights themselves.
        small: the folder with the base's config and tokenizer. named: the base, as the config or the adapter names it.
        ends, pad, chat: see core.models.tokenizer. limit: of an answer, in tokens.
    """

    target: str
    run: Run | None
    config: RunConfig | None
    folder: Path
    adapter: dict[str, Any] | None
    base: str
    revision: str | None
    small: Path
    named: str
    head: Head
    tokenizer: Any
    ends: list[int]
    pad: int
    chat: str | None
    licence: str
    limit: int

    @property
    def title(self) -> str:
        """A heading."""
        return self.run.title if self.run is not None else weights.public_name(self.named)


def open_subject(target: str) -> Subject:
    """Look a target up, as core.models.load.load_run understands it; no weight is read.

    Raises:
        InputError: nothing of that name, no tuned model yet, no tokenizer.
    """
    run = store.find(target)
    found = load.weights_of(run or target)
    folder = resolve(found)
    adapter = read_json(folder / "adapter_config.json")
    base, revision = load.base_of(folder) if adapter is not None else (found, None)
    head = load.head_of_weights(str(folder if folder.is_dir() else found))
    tokenizer = load_tokenizer(base, revision)
    config = run.config() if run is not None else None
    chat = Wording.of(config.data).chat_template(tokenizer) if config is not None else None
    small = model_folder(base, revision)
    return Subject(
        target=target,
        run=run,
        config=config,
        folder=folder,
        adapter=adapter,
        base=base,
        revision=revision,
        small=small,
        named=config.model.path if config is not None else base,
        head=head,
        tokenizer=tokenizer,
        ends=sorted(end_ids(tokenizer, small, chat)),
        pad=pad_id(tokenizer, chat),
        chat=chat or tokenizer.chat_template,
        licence=_licence(config.model.path if config is not None else base),
        limit=config.evaluation.max_new_tokens if config is not None else NEW_TOKENS,
    )


def _licence(base: str) -> str:
    """Of a base, as its card names it; "" where it is not here any more."""
    try:
        return describe_model(base).licence
    except InputError:
        return ""

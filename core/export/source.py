"""What is exported: a run, an adapter or a model, as one whole model in float32, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.export.frugal import give_back
from core.export.subject import look_up
from core.methods import method
from core.methods.merge import KINDS, merge_and_load
from core.models import load
from core.models.heads import Head
from core.models.tokenizer import end_ids, load_tokenizer, model_folder, pad_id
from core.runs.files import read_json
from core.runs.store import Run


@dataclass
class Source:
    """A whole model in memory and on disk.

    Attributes:
        loaded: the model, or None after `release`. config: its own. tokenizer: for PyTorch's answers.
        folder: config and tokenizer on the disk, and with `merged` the weights of the whole model.
        merged: whether `model` and `folder` are one plain model; not so for adapters that stay beside their base.
        head, labels: what the model ends in, and the names of its outputs.
        run: the run it comes from, or None. base: the base model, as the config or the adapter names it.
        title: a heading for the package. weights: how many parameters there are.
        end_ids, pad_id: see core.models.tokenizer. licence: of the base, as its card names it, or "".
    """

    loaded: Any
    config: Any
    tokenizer: Any
    folder: Path
    merged: bool
    head: Head
    labels: list[str]
    run: Run | None
    base: str
    title: str
    weights: int
    end_ids: list[int]
    pad_id: int
    licence: str

    @property
    def model(self) -> Any:
        """The model in float32, on the CPU, an adapter merged in where it can be; loaded again after `release`."""
        if self.loaded is None:
            self.loaded = load.load_base(str(self.folder), head=self.head)
        return self.loaded

    def take(self) -> Any:
        """`model`, for the caller alone: it is not kept here."""
        model, self.loaded = self.model, None
        return model

    def release(self) -> None:
        """Give the model's memory back, where `folder` has all of it."""
        if self.merged:
            self.loaded = None
            give_back()


def open_source(
    target: str | Path,
    work: Path,
    say: Callable[[str], None] = lambda what: None,
    check: Callable[[Head, Mapping[str, Any]], None] = lambda head, config: None,
) -> Source:
    """Load a target (as `core.models.load.load_run` understands it), and merge its adapter.

    Args:
        work: a folder of the caller's, where a merged model is written. say: told what is being done.
        check: asked before anything is loaded, with the model's config.json; raises where it is none to be exported.

    Raises:
        InputError: nothing of that name, no model, a kind of model that `check` refuses, an adapter that does not load.
    """
    found = look_up(target)
    run, adapter, head, base, revision = found.run, found.adapter, found.head, found.base, found.revision
    check(head, read_json(model_folder(base, revision) / "config.json") or {})  # before anything is loaded
    say("loading")
    kind = KINDS.get(str(adapter.get("peft_type"))) if adapter is not None else None
    merged = kind is None or not method(kind).mergeable  # of a kind that nobody knows, `merge` says so
    if merged and (adapter is not None or found.folder.is_dir()):
        whole, model = merge_and_load(run or target, work / "model")  # checked there: it says what base and adapter say
        tokenizer = load_tokenizer(whole)
    else:
        model, tokenizer = load.load_run(run or target, head=head)
        whole = work / "model"
        whole.mkdir(parents=True)
        if merged:
            model.save_pretrained(whole)
        else:
            model.config.save_pretrained(whole)
        load.copy_companions(base, revision, whole)
    check(head, read_json(whole / "config.json") or {})
    chat = found.chosen(tokenizer)
    return Source(
        loaded=model,
        config=model.config,
        tokenizer=tokenizer,
        folder=whole,
        merged=merged,
        head=head,
        labels=load.labels_of(model, head),
        run=run,
        base=found.public,  # a folder's path says nothing elsewhere
        title=found.title,
        weights=sum(p.numel() for p in model.parameters()),
        end_ids=sorted(end_ids(tokenizer, whole, chat)),
        pad_id=pad_id(tokenizer, chat),
        licence=found.licence,
    )

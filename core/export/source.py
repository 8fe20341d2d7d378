"""What is exported: a run, an adapter or a model, as one whole model in float32 that the builder can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.template import Wording
from core.export.decoder import check_family
from core.methods.merge import merge
from core.models import load
from core.models.catalog import describe_model
from core.models.tokenizer import end_ids, load_tokenizer, pad_id
from core.paths import resolve
from core.runs import store
from core.runs.store import Run


@dataclass(frozen=True)
class Source:
    """A whole model in memory and on disk.

    Attributes:
        model, tokenizer: for PyTorch's answers; float32, on the CPU, an adapter merged in.
        folder: the same on disk, config and tokenizer with it, for the builder.
        run: the run it comes from, or None. base: the base model, as the config or the adapter names it.
        title: a heading for the package. weights: how many parameters there are.
        end_ids, pad_id: see core.models.tokenizer. licence: of the base, as its card names it, or "".
    """

    model: Any
    tokenizer: Any
    folder: Path
    run: Run | None
    base: str
    title: str
    weights: int
    end_ids: list[int]
    pad_id: int
    licence: str


def open_source(target: str | Path, work: Path, say: Callable[[str], None] = lambda what: None) -> Source:
    """Load a target (as `core.models.load.load_run` understands it), and merge its adapter.

    Args:
        work: a folder of the caller's, where a merged model is written. say: told what is being done.

    Raises:
        InputError: nothing of that name, no model that writes text, a family that is not exported yet, an adapter that
        does not merge.
    """
    run = store.find(target)
    weights = load.weights_of(run or target)
    folder = resolve(weights)
    adapter = (folder / "adapter_config.json").is_file()
    base = load.base_of(folder)[0] if adapter else weights
    if resolve(base).is_dir() and (resolve(base) / "config.json").is_file():
        check_family(resolve(base))  # in a moment, before anything is loaded
    say("loading")
    if adapter or folder.is_dir():
        whole = merge(run or target, work / "model")  # checked there: it says what base and adapter say
        model, tokenizer = load.load_base(str(whole)), load_tokenizer(whole)
    else:
        model, tokenizer = load.load_run(target)
        whole = work / "model"
        whole.mkdir(parents=True)
        model.save_pretrained(whole)
        load.copy_companions(str(target), None, whole)
    check_family(whole)
    config = run.config() if run is not None else None
    chat = Wording.of(config.data).chat_template(tokenizer) if config is not None else None
    named = config.model.path if config is not None else base
    shown = Path(named).name if resolve(named).is_dir() else named  # a folder's path says nothing elsewhere
    return Source(
        model=model,
        tokenizer=tokenizer,
        folder=whole,
        run=run,
        base=shown,
        title=run.title if run is not None else shown,
        weights=sum(p.numel() for p in model.parameters()),
        end_ids=sorted(end_ids(tokenizer, whole, chat)),
        pad_id=pad_id(tokenizer, chat),
        licence=describe_model(base).licence,
    )

"""What is exported: a run, an adapter or a model, as one whole model in float32 that the builder can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.export.decoder import check_family
from core.models import load
from core.models.tokenizer import end_ids, pad_id
from core.paths import resolve
from core.runs import store
from core.runs.store import Run

# A merged model may differ from the adapter beside its base by rounding: this share of the span of its logits.
MERGE_ROUNDING = 1e-4


@dataclass(frozen=True)
class Source:
    """A whole model in memory and on disk.

    Attributes:
        model, tokenizer: for PyTorch's answers; float32, on the CPU, an adapter merged in.
        folder: the same on disk, config and tokenizer with it, for the builder.
        run: the run it comes from, or None. base: the base model, as the config or the adapter names it.
        title: a heading for the package. weights: how many parameters there are.
        end_ids, pad_id: see core.models.tokenizer.
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
    base, revision = load.base_of(folder) if adapter else (weights, None)
    if resolve(base).is_dir() and (resolve(base) / "config.json").is_file():
        check_family(resolve(base))  # in a moment, before anything is loaded
    say("loading")
    model, tokenizer = load.load_run(run or target)
    whole = folder
    if adapter:
        model = _merge(model)
    if adapter or not folder.is_dir():
        whole = work / "model"
        whole.mkdir(parents=True)
        model.save_pretrained(whole)
        load.copy_companions(base, revision, whole)
        if adapter:
            load.copy_companions(str(folder), None, whole)
    check_family(whole)
    config = run.config() if run is not None else None
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
        end_ids=sorted(end_ids(tokenizer, whole)),
        pad_id=pad_id(tokenizer),
    )


@torch.inference_mode()
def _merge(model: Any) -> Any:
    """The model with its adapter merged into float32 weights. InputError where the two do not say the same."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    probe = (torch.arange(32) * 7 % vocabulary).unsqueeze(0)
    before = model(probe).logits
    try:
        merged = model.merge_and_unload(safe_merge=True)
    except (ValueError, AttributeError, NotImplementedError) as error:
        raise InputError(f"This adapter cannot be merged into its base: {error}") from None
    after = merged(probe).logits
    gap, span = (after - before).abs().max().item(), (before.max() - before.min()).item()
    if not gap <= MERGE_ROUNDING * max(1.0, span):
        raise InputError(
            f"Merged into its base, this adapter gives other answers (logits differ by {gap:.2g} of {span:.2g}). "
            "It is not exported, since the package would not be the model that was tuned."
        )
    return merged.eval()

"""Several LoRAs as one: their changes of the base are added by weight, and the sum is a run like any other."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from core.adapters.several import WEIGHTS, Adapters, info_of
from core.errors import InputError, unknown
from core.models.load import load_run, precision
from core.runs import records, store
from core.runs.files import whole_folder, write_json, write_text
from core.runs.state import StateFile
from core.runs.store import Run

METHODS = {
    "cat": "exact: the adapters stand side by side, and their ranks add up",
    "svd": "near: the sum is brought back to the largest rank by its singular values",
    "linear": "rough: the two matrices are added each for itself, which needs equal ranks",
}
MOST_RANK = 256
TOLERANCE = 1e-5  # of the logits' spread; a CPU gives the same numbers again, a GPU may sum in another order


def combine(targets: Sequence[Run | str], weights: Sequence[float], name: str = "", method: str = "cat") -> Run:
    """A new run whose adapter is the weighted sum of those of LoRA runs on one base; checked by loading it back.

    Args:
        targets: runs, or their ids. weights: how much of each; below 0 takes away what an adapter does.
        name: what to call it. method: a key of METHODS, as PEFT's `combination_type`.

    Raises:
        InputError: fewer than two runs, weights that do not fit, another method than LoRA, ranks that do not go
            together, layers that were trained whole; or the result, loaded again, answers differently.
    """
    if method not in METHODS:
        raise InputError(unknown("way to combine", method, METHODS), "method")
    infos = [info_of(target) for target in targets]
    runs = [info.run for info in infos]
    ids = [run.id for run in runs]
    if len(set(ids)) < 2 or len(set(ids)) < len(ids):
        raise InputError("Name two or more different runs to combine.", "runs")
    if len(weights) != len(ids) or not all(map(math.isfinite, weights)) or not any(weights):
        raise InputError(
            f"{len(ids)} runs need {len(ids)} weights that are numbers and not all 0, and {list(weights)} are given.",
            "weights",
        )
    for info in infos:
        if info.kind != "LORA":
            raise InputError(
                f"The run {info.run.id} was tuned by {info.label}, and only LoRAs can be added to one another: what "
                "other adapters do is no sum.",
                "runs",
            )
    together = Adapters.of(runs)
    whole = together.switch(ids[0])
    names = [together.peft_name(i) for i in ids]
    for run, peft in zip(runs, names, strict=True):
        said = whole.peft_config[peft]
        if said.modules_to_save or said.use_dora:
            what = "layers that were trained whole" if said.modules_to_save else "DoRA"
            raise InputError(f"The run {run.id} has {what}, which cannot be added to another's.", "runs")
    ranks = [whole.peft_config[peft].r for peft in names]
    rank = sum(ranks) if method == "cat" else max(ranks)
    if method == "linear" and len(set(ranks)) > 1:
        raise InputError(f"linear needs equal ranks, and these are {', '.join(map(str, ranks))}: choose cat.", "method")
    if rank > MOST_RANK:
        raise InputError(f"Side by side the ranks are {rank}, more than {MOST_RANK}: choose svd.", "method")
    whole.peft_config[names[0]].use_rslora = False  # PEFT copies it, and would scale the sum by it once more
    whole.add_weighted_adapter(names, list(weights), "combined", combination_type=method)
    whole.set_adapter("combined")
    whole.eval()  # the new adapter's dropout
    return _write(runs, list(weights), name, method, rank, whole)


def _write(runs: list[Run], weights: list[float], name: str, method: str, rank: int, whole: Any) -> Run:
    """The run directory: config, environment, state and model."""
    first = runs[0].config()
    settings = first.method.model_copy(update={"r": rank, "lora_alpha": rank, "use_rslora": False})
    run = store.create(first.model_copy(update={"method": settings}), name or f"{runs[0].title} combined")
    parts = [{"run": part.id, "title": part.title, "weight": w} for part, w in zip(runs, weights, strict=True)]
    combined = {"method": method, "parts": parts}
    before = {key: value for key, value in runs[0].environment().items() if key in ("data", "base_fingerprint")}
    write_json(run.dir / "environment.json", run.environment() | before | {"combined": combined})
    try:
        with StateFile(run.dir / "state.json").working("combining"), whole_folder(run.dir / "model") as work:
            for path in (runs[0].dir / "model").iterdir():
                if path.is_file() and path.name not in ("adapter_config.json", WEIGHTS, "README.md"):
                    shutil.copyfile(path, work / path.name)
            _save(whole, work)
            write_text(work / "README.md", _card(run, parts, method))
            _check(whole, work)
    except BaseException:
        shutil.rmtree(run.dir, ignore_errors=True)
        raise
    return run


def _check(whole: Any, folder: Path) -> None:
    """InputError unless the adapter in a folder, put on its base anew, answers as it does in memory."""
    ids = torch.arange(8, 24).remainder(whole.config.get_text_config().vocab_size).unsqueeze(0).to(whole.device)
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if whole.config.is_encoder_decoder else {})
    again, _ = load_run(folder, precision().frozen)
    with torch.inference_mode():
        want, got = (model(**inputs).logits.float() for model in (whole, again.to(whole.device)))
    off, on_cpu = (want - got).abs().max().item(), whole.device.type == "cpu"
    if not off <= TOLERANCE * max(1.0, want.abs().max().item()) * (1 if on_cpu else 1000):
        raise InputError(f"The combined adapter, loaded again, answers differently: its logits are off by {off:.3g}.")


def _save(whole: Any, folder: Path) -> None:
    """The adapter alone, in `folder` itself, where PEFT would make a folder of its name."""
    whole.save_pretrained(str(folder), selected_adapters=["combined"], save_embedding_layers=False)
    for path in (folder / "combined").iterdir():
        path.rename(folder / path.name)
    (folder / "combined").rmdir()
    said = records.ADAPTER.read(folder / "adapter_config.json") or {}
    said["target_modules"] = sorted(said["target_modules"])  # a set has another order in each process
    write_json(folder / "adapter_config.json", said)


def _card(run: Run, parts: list[dict[str, Any]], method: str) -> str:
    rows = [f"| `{part['run']}` | {part['title']} | {part['weight']:g} |" for part in parts]
    return "\n".join(
        [
            "---", "library_name: peft", "tags: [tunesmith, lora]", "---", "", f"# {run.title}", "",
            f"LoRA adapters of several runs, added by weight ({method}: {METHODS[method]}). It was not trained itself.",
            "", "| run | | weight |", "|---|---|---|", *rows, "",
        ]
    )  # fmt: skip

"""Our data section as Olive's data sets: the rows to train on, those kept back, and how a row becomes text."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from core.config import RunConfig
from core.data.named import NAMED
from core.models.tokenizer import looks_like_id
from core.olive import templates
from core.olive.imported import Note
from core.paths import resolve

READERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".txt": "text"}
TRAIN, KEPT = "train", "kept_back"
_SLICE = re.compile(r"^(?P<path>.*?)(?P<slice>\[[^\[\]]*\])$", re.DOTALL)
_PART = re.compile(r"(?P<split>[\w.-]+)?\s*(?P<slice>\[[^\[\]]*\])?")


def rows(config: RunConfig, notes: list[Note]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """(data_configs, what a pass names them by). Notes say what Olive cannot."""
    d = config.data
    inline = _SLICE.match(d.path)
    path = inline["path"] if inline else d.path
    here = resolve(path, "data.path").exists() or any(c in path for c in "*?") or not looks_like_id(path)
    found = _PART.fullmatch(d.split or "") or _PART.fullmatch("")
    split, part = (found["split"], found["slice"]) if found else (None, None)
    part = part or (inline["slice"] if inline else None)
    kept, cut = _kept(config, split or "train", part, notes)
    train = _set(TRAIN, config, path, here, f"{split or 'train'}{cut or part or ''}", notes)
    made, named = [train], {"train_data_config": TRAIN}
    if kept is not None:
        made.append(train | {"name": KEPT, "load_dataset_config": _loaded(path, here, d.name, kept)})
        named["eval_data_config"] = KEPT
    return made, named


def _kept(config: RunConfig, split: str, part: str | None, notes: list[Note]) -> tuple[Any, str | None]:
    """(the rows kept back: a split, or the path of a file as a tuple, or None; the slice to train on, or None)."""
    kept = config.data.validation
    if isinstance(kept, str):
        found = _PART.fullmatch(kept.strip())
        if found and found["slice"] and not found["split"]:
            notes.append(Note("data.validation", kept, f"{split}{kept} is written, and trained on as well."))
            kept = f"{split}{found['slice']}"
            return kept, None
        if found and (found["slice"] or not re.search(r"[./\\]", kept)):
            return kept.strip(), None
        return (kept.strip(),), None
    share = 1 / config.data.folds if config.data.folds else kept
    if not share:
        return None, None
    label = "data.folds" if config.data.folds else "data.validation"
    value = config.data.folds or kept
    if part is not None:
        reason = f"Olive parts rows by their place, and {split}{part} is a part already: none are kept back."
        notes.append(Note(label, value, reason))
        return None, None
    mark = 100 - round(100 * share)
    reason = f"Olive parts rows by their place: the last {100 - mark} % are kept back, other rows than here."
    notes.append(Note(label, value, reason))
    return f"{split}[{mark}%:]", f"[:{mark}%]"


def _set(name: str, config: RunConfig, path: str, here: bool, split: str, notes: list[Note]) -> dict[str, Any]:
    """One data set."""
    return {
        "name": name,
        "type": "HuggingfaceContainer",
        "load_dataset_config": _loaded(path, here, config.data.name, split),
        "pre_process_data_config": _wording(config, notes)
        | {
            "strategy": "line-by-line",
            "max_seq_len": config.data.max_tokens,
            "pad_to_max_len": False,
            "add_special_tokens": False,
        },
    }


def _loaded(path: str, here: bool, name: str | None, split: Any) -> dict[str, Any]:
    """How rows are opened; a split that is a tuple names a file of its own."""
    file, chosen = (split[0], "train") if isinstance(split, tuple) else (path, split)
    if not here and not isinstance(split, tuple):
        return {"data_name": path, "split": chosen} | ({"subset": name} if name else {})
    reader = READERS.get(PurePosixPath(file.replace("\\", "/").removesuffix(".gz")).suffix.lower(), "json")
    found: dict[str, Any] = {"data_name": reader, "data_files": file, "split": chosen}
    return found | ({"sep": "\t"} if file.lower().endswith((".tsv", ".tsv.gz")) else {})


def _wording(config: RunConfig, notes: list[Note]) -> dict[str, Any]:
    """How a row becomes text."""
    d = config.data
    if d.train_on != "all":
        notes.append(Note("data.train_on", d.train_on, "Olive takes the loss on all of the text, the prompt included."))
    if d.template is None or d.template in NAMED:
        if d.template is not None:
            notes.append(
                Note("data.template", d.template, "Olive knows no formats by name: the model's own is written.")
            )
        column = (d.roles or {}).get("messages", "messages")
        if d.layout not in (None, "messages"):
            notes.append(Note("data.layout", d.layout, f"Olive reads conversations from the column {column} alone."))
        return {"chat_template": True, "message_col": column}
    made = templates.olives(d.template)
    for lost in made.lost:
        notes.append(Note("data.template", d.template, f"{lost}."))
    end = templates.end_token(config.model.path)
    if not end:
        reason = "Olive adds no end token, and the model is not here to ask: write its own at the end of text_template."
        notes.append(Note("data.template", d.template, reason))
    return {"text_template": made.text + end.replace("{", "{{").replace("}", "}}")}

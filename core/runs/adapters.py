"""Adapters: which runs have one, which of them share a base, and what to call a run. From files alone."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.models.heads import BY_TASK_TYPE, CAUSAL
from core.runs import records, store
from core.runs.files import write_json
from core.runs.typed import Unreadable
from core.runs.store import Run
from core.runs.versions import OfVersion, version

BASE = "base"  # the name of the base itself among those that are asked
LONGEST_NAME = 80
KINDS = {"LORA": "LoRA", "IA3": "IA3", "BOTTLENECK": "bottleneck adapter", "PROMPT_TUNING": "prompt tuning"}
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


@dataclass(frozen=True)
class Base:
    """What adapters must share to stand on one model.

    Attributes:
        path, revision: of the model, as the adapters name it. fingerprint: of its weights, or "" where nobody noted it.
        head: a key of core.models.heads.HEADS. labels: of the head's outputs.
        quantization: arguments of BitsAndBytesConfig as JSON; "": not quantised.
    """

    path: str
    revision: str | None = None
    fingerprint: str = ""
    head: str = CAUSAL.name
    labels: tuple[str, ...] = ()
    quantization: str = ""


@dataclass(frozen=True)
class AdapterInfo:
    """The adapter of a run. kind: PEFT's name of its method. label: in words, such as "LoRA r 8"."""

    run: Run
    base: Base
    kind: str
    label: str


KNOWN: OfVersion[AdapterInfo | None] = OfVersion(10_000)


def adapter_of(run: Run) -> AdapterInfo | None:
    """What a run's adapter says of itself; None for a run without a model, and for one that was tuned whole.

    Raises:
        Unreadable: it is there, and does not say what an adapter says.
    """
    place = f"{run.dir}/model"
    versions = (version(f"{place}/adapter_config.json"), version(f"{place}/base.json"))
    return KNOWN.get(place, versions, lambda: read_adapter(run.dir / "model", run)) if versions[0] else None


def read_adapter(folder: Path, run: Run) -> AdapterInfo | None:
    """The same for a folder with an adapter in it."""
    said = records.ADAPTER.read(folder / "adapter_config.json")
    if said is None or not said.get("base_model_name_or_path"):
        return None
    note = records.BASE.read(folder / "base.json") or {}
    quantization = note.get("quantization")
    kind = str(said.get("peft_type") or "")
    head = str(note.get("head") or BY_TASK_TYPE.get(said.get("task_type") or "", CAUSAL).name)
    base = Base(
        str(said["base_model_name_or_path"]),
        said.get("revision"),
        str(note.get("fingerprint") or ""),
        head,
        tuple(note.get("labels") or ()),
        json.dumps(quantization, sort_keys=True) if quantization else "",
    )
    label = KINDS.get(kind, kind)
    return AdapterInfo(run, base, kind, f"{label} r {said.get('r', '?')}" if kind == "LORA" else label)


def by_base() -> dict[Base, list[AdapterInfo]]:
    """All runs with an adapter by what they stand on, the newest first; the base that was used last stands first."""
    found: dict[Base, list[AdapterInfo]] = {}
    for run in store.list_runs():
        with contextlib.suppress(Unreadable):  # what it stands on is not known: its row in the list of runs says why
            if (info := adapter_of(run)) is not None:
                found.setdefault(info.base, []).append(info)
    return found


def differs(a: Base, b: Base) -> str:
    """Why adapters of `b` cannot stand on `a`, as the end of a sentence; "" where they can."""
    if (a.path, a.revision) != (b.path, b.revision):
        return f"its base is {b.path}, not {a.path}"
    if a.fingerprint and b.fingerprint and a.fingerprint != b.fingerprint:
        return f"it was trained on other weights of {a.path} than these"
    if a.head != b.head or a.labels != b.labels:
        return "it ends in another head or has other labels"
    if a.quantization != b.quantization:
        return "one of the two was trained on a base in 4 bits, and the other was not, or otherwise"
    return ""


def rename(run: Run, name: str) -> None:
    """Give a run another name, as the page and the command line show it; its id and its folder stay.

    Raises:
        InputError: the name is empty, too long, or holds what cannot be seen; or the run's folder cannot be written, or
            its environment.json not be read.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or _HIDDEN.search(name):
        what = "is empty" if not name else "is too long" if len(name) > LONGEST_NAME else "holds hidden characters"
        raise InputError(f"The name {name[:LONGEST_NAME]!r} {what}: write 1 to {LONGEST_NAME} characters on one line.")
    known = records.ENVIRONMENT.read(run.dir / "environment.json") or {}  # one that cannot be read is not written over
    try:
        write_json(run.dir / "environment.json", known | {"name": name})
    except OSError as error:
        raise InputError(f"The run {run.id} cannot be renamed: {(error.strerror or str(error)).lower()}.") from None

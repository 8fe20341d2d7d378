"""Where a model can go: the devices, and the files for other tools, as one list to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import InputError, unknown
from core.export import formats, targets
from core.export.targets import PRECISIONS, Target
from core.models.heads import HEADS, head_in
from core.runs.files import read_json
from core.runs.store import Run

ALL = "all"
WRITER = "writer"


@dataclass(frozen=True)
class Place:
    """One device or file format, for one kind of model.

    Attributes:
        name, label: see the tables. precisions: name -> what it means, in one sentence; empty where the place does not
            take this kind of model. default: the one to take. sentence: where it runs, or what opens it.
        needs: driver or system. mark: in a few words whether a package can be compared with PyTorch here.
        why: the same in a sentence. verifiable: whether it can be, on the very device.
        device: whether it is a device of core.export.targets.
    """

    name: str
    label: str
    precisions: Mapping[str, str]
    default: str
    sentence: str
    needs: str
    mark: str
    why: str
    verifiable: bool
    device: bool


def kind_of(run: Run | None) -> str:
    """The kind of model that a run tunes, by its weights: writer, rewriter or reader."""
    if run is None:
        return WRITER
    note = read_json(run.dir / "model" / "base.json") or {}
    head = HEADS.get(str(note.get("head") or "")) or head_in(read_json(run.dir / "model" / "config.json") or {})
    return targets.kind_of(head.name)


def places(kind: str = WRITER) -> dict[str, Place]:
    """Every place, devices first."""
    found = [_device(target, kind) for target in targets.TARGETS.values()]
    found += [
        Place(
            one.name, one.label, one.precisions, next(iter(one.precisions)), one.sentence, f"Opened by {one.opens}.",
            "can be verified here", "It is read back from the disk and compared.", True, False,
        )
        for one in formats.FORMATS.values()
    ]  # fmt: skip
    return {place.name: place for place in found}


def _device(target: Target, kind: str) -> Place:
    known = {name: PRECISIONS[name].sentence for name in target.precisions_for(kind)}
    default = target.default_for(kind) or ""
    able, reason = target.verifiable(kind)
    built, lacks = target.buildable(kind)
    if not known:
        mark, reason = "✕ not for this model", target.missing.get(kind, "")
    elif not built:
        mark, reason = "✕ cannot be built here", lacks
    elif able:
        mark = "can be verified here"
    elif target.compared_on_cpu(default):
        mark = "graph check only on this machine"
        reason = f"{reason} The same graph is compared on this machine's processor; the device itself is not verified."
    else:
        mark = "cannot be run here"
    able = bool(known) and built and able
    return Place(target.device, target.label, known, default, target.sentence, target.needs, mark, reason, able, True)


def place(name: str, kind: str = WRITER) -> Place:
    """The place of a name. InputError, with the name that was probably meant, where there is none."""
    found = places(kind)
    if name not in found:
        raise InputError(unknown("device", name, found), "export.device")
    return found[name]


def check(name: str, precision: str, kind: str | None = None) -> Place:
    """The place, if it has this precision ("all": each). InputError otherwise: the browser may say what it likes."""
    if name in targets.TARGETS:
        targets.check(name, None if precision == ALL else precision, kind)
    else:
        formats.check(name, None if precision == ALL else precision)
    return place(name, kind or WRITER)

"""Several adapters in one package: a graph of their base, and a small file for each run that is put in at run time."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.adapters.several import info_of
from core.errors import InputError
from core.export import bundle, targets
from core.export.graphs import adapters
from core.export.graphs.base import whole_base
from core.export.make import ROWS, Say, begun, by_proxy, common, finish, staging
from core.export.makers.base import FIGURES
from core.export.makers.writer import Work
from core.export.options import Options
from core.export.proof.judge import Status
from core.export.proof.reference import Reference
from core.export.questions import Questions
from core.export.source import open_source
from core.models.heads import CAUSAL, HEADS
from core.runs import records
from core.runs.adapters import BASE, AdapterInfo, differs
from core.runs.state import Stopped

LONGEST = 48  # of an adapter's name, which is a file's name too
BASE_ROWS = 8  # the base is asked so many of the first run's rows: it only has to be the base
_WORST: tuple[Status, ...] = ("failed", "not verified here", "verified with loss", "verified")


@dataclass(frozen=True)
class _Part:
    """One adapter, or the base by itself: its name, its run, how it is made and proven, and what PyTorch answered."""

    name: str
    info: AdapterInfo
    maker: Work
    asked: Questions
    truth: Reference | None


def make_several(
    runs: Sequence[str],
    options: Options,
    out: Path,
    *,
    rows: int = ROWS,
    say: Say = lambda what: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> dict[str, Any]:
    """Build a package of several LoRAs on one base, and compare each with its run's merged PyTorch model.

    Each adapter brings its own prompts, end tokens and length of an answer. The first one answers where none is named,
    and `base` is the base by itself. Nothing else differs from core.export.make.make.

    Args:
        runs: ids or directories of runs with a LoRA on the same base; ranks, layers, data and tasks may differ.

    Returns:
        A report as `make` gives it, of what `together` says. "adapters": for each {"name", "run", "title", "status",
        "message", "rows", "bytes" and what of FIGURES was measured}, the base last. "separate_bytes": what as many
        merged packages would take.

    Raises:
        InputError: fewer than two runs, other kinds of adapters, bases that differ. OSError: the disk is full.
    """
    began = time.monotonic() if began is None else began
    device = targets.target(options.device)
    offer = device.offers.get(Work.kind)
    if offer is None or offer.runtime != "genai" or device.device == "webgpu":  # which is a page in a browser
        raise InputError(
            f"A package for {device.label} holds one model: adapters are switched by onnxruntime-genai, which does not "
            "run there. Take cpu, or export each run by itself.",
            "export.device",
        )
    infos = _fitting(runs)
    options = replace(options, adapters=tuple(info.run.id for info in infos[1:]))
    with staging(out) as (staged, work):
        parts: list[_Part] = []
        for name, info in zip(names_of([info.run.title for info in infos]), infos, strict=True):
            place = work / str(len(parts))
            place.mkdir()
            say(f"asking PyTorch: {name}")
            parts.append(_ask(None, name, info, info.run.dir, options, place, rows, progress, should_stop))
        base = whole_base(infos[0].run.dir / "model", work / "base")
        first = parts[0]
        say(f"asking PyTorch: {BASE}")
        parts.append(_ask(first, BASE, infos[0], base, options, work, BASE_ROWS, progress, should_stop))
        say("building")
        progress(0, 0)
        first.maker.graph(base, staged, _shared_ends([part.maker.given.end_ids for part in parts]), adapters.BUILDER)
        alone = bundle.model_bytes(staged)
        adapters.open_up(
            staged / "model.onnx", {part.name: part.info.run.dir / "model" for part in parts if part.name != BASE}
        )
        _heed(should_stop)
        settings = common(first.maker.given, first.maker) | first.maker.settings(first.asked)
        settings |= {"adapters": {part.name: _settings(part) for part in parts}, "adapter": first.name}
        settings["title"] = f"{len(infos)} adapters on {first.maker.given.base}"
        settings["chat"] = any(one["template"] is None for one in settings["adapters"].values())
        bundle.write(staged, settings, Work.entry, device, first.maker.requirements())
        found = []
        for part in parts:
            say(f"comparing {part.name}")
            found.append(_compare(part, staged))
            _heed(should_stop)
        report = begun(first.maker.given, options) | together(found)
        report |= {"separate_bytes": alone * len(infos)}
        return finish(staged, work, out, settings, device, report, first.maker.given, began, say, should_stop)


def names_of(titles: Sequence[str]) -> list[str]:
    """A short name for each of some titles, fit for a file: small letters, digits and dashes; no two are the same."""
    names: list[str] = []
    for title in titles:
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST].strip("-") or "adapter"
        name, count = plain, 2
        while name in (*names, BASE):
            name, count = f"{plain}-{count}", count + 1
        names.append(name)
    return names


def _fitting(runs: Sequence[str]) -> list[AdapterInfo]:
    """The adapters of runs that can be in one package. InputError where they cannot."""
    infos = [info_of(run) for run in runs]
    if len({info.run.dir for info in infos}) < max(2, len(infos)):
        raise InputError("A package of several adapters needs two or more different runs.", "export.adapters")
    for info in infos:
        said = records.ADAPTER.read(info.run.dir / "model" / "adapter_config.json") or {}
        if info.base.head != CAUSAL.name:
            raise InputError(
                f"The run {info.run.id} is a model that {HEADS[info.base.head].label}: only models that write on after "
                "a prompt share a package. Export it by itself.",
                "export.adapters",
            )
        if reason := adapters.why_not(said):
            raise InputError(
                f"The run {info.run.id} cannot be in a package with others: {reason}. Export it by itself.",
                "export.adapters",
            )
        if reason := differs(infos[0].base, info.base):
            raise InputError(
                f"The run {info.run.id} cannot be in a package with {infos[0].run.id}: {reason}.", "export.adapters"
            )
    return infos


def _ask(
    first: _Part | None,
    name: str,
    info: AdapterInfo,
    weights: Path,
    options: Options,
    work: Path,
    rows: int,
    progress: Callable[[float, float], None],
    should_stop: Callable[[], bool],
) -> _Part:
    """One adapter's real rows and PyTorch's answers to them; its merged model is gone again afterwards.

    first: for the base by itself, the part that it is asked like.
    """
    device = targets.target(options.device)
    given = open_source(weights, work / "whole", check=lambda head, config: Work.check(config, options, device))
    if first is not None:
        given = replace(given, run=info.run, end_ids=first.maker.given.end_ids)
    maker = Work(given, options, device)
    maker.adapter = name
    asked = maker.ask(rows, None)
    if first is not None:
        asked = replace(asked, wants=None, right=None)  # how well the base does is of no interest here
    truth = None
    if maker.compared:
        truth = maker.reference(asked, work, lambda done: progress(done, len(asked.prompts)), should_stop)
    # Only its config is wanted from here on: the memory and the disk are the next one's.
    given.release()
    shutil.rmtree(work / "whole", ignore_errors=True)
    return _Part(name, info, maker, asked, truth)


def _settings(part: _Part) -> dict[str, Any]:
    """What tunesmith.json says of one adapter, over what it says of all."""
    given = part.maker.given
    return part.maker.settings(part.asked) | {
        "file": None if part.name == BASE else part.name + adapters.SUFFIX,
        "run": part.info.run.id,
        "title": "The base by itself" if part.name == BASE else given.title,
        "task": part.maker.config.task if part.maker.config is not None else None,
    }


def _shared_ends(each: Sequence[Sequence[int]]) -> list[int]:
    """The ends that all have: where the runtime itself stops. Each adapter's own ones are seen to by run.py."""
    shared = set(each[0]).intersection(*each[1:])
    return sorted(shared or set(each[0]))


def _compare(part: _Part, staged: Path) -> dict[str, Any]:
    """The report of one adapter."""
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    file = staged / (part.name + adapters.SUFFIX)
    found |= {
        "name": part.name,
        "run": part.info.run.id,
        "title": _settings(part)["title"],
        "rows": len(part.asked.prompts) if part.truth is not None else 0,
        "rows_from": part.asked.told,
        "bytes": file.stat().st_size if file.is_file() else 0,
    }
    try:
        found |= part.maker.compare(staged, part.asked, part.truth)
    except (RuntimeError, OSError) as error:
        found |= {"status": "failed", "message": str(error)}
    return by_proxy(found, part.maker)


def together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One report of the reports of all adapters: the worst of each figure.

    The base by itself is nobody's tuned model: where it only rounds otherwise that is said and lowers no badge, but one
    that fails does, for then what the adapters stand on is damaged.
    """
    tuned, [base] = [part for part in parts if part["name"] != BASE], [part for part in parts if part["name"] == BASE]
    counted = [*tuned, *([base] if base["status"] == "failed" else [])]
    status = min((part["status"] for part in counted), key=_WORST.index)
    rows = sum(part["rows"] for part in tuned)
    report: dict[str, Any] = {
        "status": status,
        "message": _message(status, tuned, base),
        "rows": rows,
        "rows_from": f"rows of {len(tuned)} runs",
        "adapters": list(parts),
    }
    for name in ("same", "greedy_match", "token_match"):
        if all(part[name] is not None for part in tuned):
            report[name] = sum(part[name] * part["rows"] for part in tuned) / max(1, rows)
    for name in ("max_logit_difference", "mean_logit_difference", "largest_logit", "load_seconds", "peak_bytes"):
        report[name] = max((part[name] for part in tuned if part[name] is not None), default=None)
    spans = [part["logit_range"] for part in tuned if part["logit_range"] is not None]
    speeds = [part["tokens_per_second"] for part in tuned if part["tokens_per_second"] is not None]
    firsts = [part["first_token_seconds"] for part in tuned if part["first_token_seconds"] is not None]
    return report | {
        "logit_range": min(spans, default=None),
        "tokens_per_second": min(speeds, key=lambda speed: speed["onnx"], default=None),
        "first_token_seconds": max(firsts, key=lambda first: first["onnx"], default=None),
    }


def _message(status: Status, tuned: Sequence[dict[str, Any]], base: dict[str, Any]) -> str:
    """The sentence for the badge, and one for each adapter that is not verified."""
    if status == "not verified here":
        return str(tuned[0]["message"])
    off = [part for part in (*tuned, base) if part["status"] != "verified"]
    if status == "verified":
        said = f"All {len(tuned)} adapters answer as their runs' merged models do, token for token"
        return f"{said}. The base by itself: {base['message']}" if off else f"{said}, and without one the base does."
    told = [part for part in off if part in tuned or status == "failed"]
    sentences = [f"{part['name']} ({part['status']}): {part['message']}" for part in told]
    whole = len([part for part in tuned if part["status"] == "verified"])
    if whole:
        sentences.append(f"{whole} of {len(tuned)} adapters answer as their runs' merged models do, token for token.")
    return " ".join(sentences)


def _heed(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped

"""Jobs: a detached process for each training, evaluation and export, which outlives the server that started it.

Whoever is at the page acts on runs through these functions: each asks who it is, whether they may (core.runs.rights),
and whether it is not too much (core.limits).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from core import config as configs
from core.config import RunConfig
from core.errors import InputError
from core.models.hub import checked_token
from core.runs import adapters, records, rights, standby, store, turn
from core.runs.commands import command as answer_of
from core.runs.failures import explain
from core.runs.files import locked, write_json
from core.runs.quota import refuse_crowd, refuse_more
from core.runs.rights import refuse_nobody, refuse_others
from core.runs.state import State, StateFile, ask_to_stop, end, read
from core.runs.store import Run, create
from core.visitors import Visitor

TWICE_S = 10.0  # the same settings again within this time are a second click, not a second run
_STARTING = threading.Lock()
_STARTED: dict[str, tuple[float, Run]] = {}  # what was asked for -> when (of time.monotonic()), and the run made of it


def start_training(
    config: RunConfig, name: str = "", token: str | None = None, visitor: Visitor | None = None
) -> Run:
    """Make a run and start its training. The same settings from the same visitor within some seconds are one run.

    Args:
        token: for the Hub, for a gated or private model; as in all functions here it goes into the environment of the
            process and nowhere else. None: that of this machine (HF_TOKEN), if there is one and it is the owner's run.
        visitor: who asks; as in all functions here, None is the owner of this machine, and nobody on a public page.

    Raises:
        InputError: the run cannot be made, or this visitor may have no more.
    """
    who, token = refuse_nobody(visitor), checked_token(token, "model.path")
    asked = hashlib.sha256("\0".join((who.id, str(who.owner), name, configs.dumps(config))).encode()).hexdigest()
    with _STARTING:
        before = _STARTED.get(asked)
        if before and time.monotonic() - before[0] < TWICE_S and before[1].state().under_way:
            return before[1]
        refuse_more(who, keep=True)
        refuse_crowd(who, turn.line())
        run = create(config, name)
        try:
            rights.sign(run, who)
            command = ["train", str(run.dir / "config.yaml"), "--run-dir", str(run.dir)]
            _launch(StateFile(run.dir / "state.json"), "training", command, token, who)
        except BaseException as error:
            shutil.rmtree(run.dir, ignore_errors=True)
            if isinstance(error, OSError):
                raise InputError(f"The training cannot be started: {_why(error, run.dir.parent)}") from None
            raise
        now = time.monotonic()
        for key in [key for key, (then, _) in _STARTED.items() if now - then > TWICE_S]:
            del _STARTED[key]
        _STARTED[asked] = (now, run)
        return run


def resume(run: Run, token: str | None = None, visitor: Visitor | None = None) -> Run:
    """Go on with a training that was stopped or has failed, from its newest complete checkpoint (or from the start).

    Raises:
        InputError: it is under way, or it is done; or it is somebody else's.
    """
    who = _owner_of(run, visitor, "resumed")
    if run.state().state == "done":
        raise InputError(f"The run {run.id} is done: there is nothing to resume.")
    run.config()
    refuse_more(who)
    _launch(StateFile(run.dir / "state.json"), "training", ["train", "--resume", str(run.dir)], token, who)
    return run


def stop(run: Run, visitor: Visitor | None = None) -> None:
    """Ask the training to end within a step and to keep its weights. Asked again after half a minute, it is killed.

    Raises:
        InputError: it is somebody else's.
    """
    refuse_others(run, visitor, "stopped")
    ask_to_stop(run.dir / "state.json")


def delete(run: Run, visitor: Visitor | None = None) -> None:
    """Delete a run with all that is in it. Raises InputError while something of it is under way, or for another's."""
    refuse_others(run, visitor, "deleted")
    store.delete(run)


def rename(run: Run, name: str, visitor: Visitor | None = None) -> None:
    """Call a run something else: see core.runs.adapters.rename. Raises InputError, also for another's run."""
    refuse_others(run, visitor, "renamed")
    adapters.rename(run, name)


def merge(run: Run, visitor: Visitor | None = None) -> Path:
    """The adapter of a run added into its base, in the run's folder `merged`; waited for.

    Raises:
        InputError: it cannot be merged, or is somebody else's.
    """
    who = _owner_of(run, visitor, "merged")
    out = run.dir / "merged"  # written by rename: what is there is whole, and was compared
    if not out.is_dir():
        refuse_more(who)
        _waited_for(who, "merge", str(run.dir), "--out", str(out))
    return out


def combine(
    runs: Sequence[str], way: str, weights: str = "", name: str = "", visitor: Visitor | None = None
) -> dict[str, Any]:
    """A new run from the adapters of several, whoever started those; waited for. See core.adapters.combine.

    Args:
        weights: numbers with commas between them, or "" for equal shares.

    Returns:
        {"run", "dir", "title", "model"}.

    Raises:
        InputError: they cannot be combined, or this visitor may have no more runs.
    """
    who, runs = refuse_nobody(visitor), [store.open_run(run).id for run in runs]
    refuse_more(who, keep=True)
    more = [f"--weights={weights}"] if weights else []
    more += [f"--name={name}"] if name else []
    made = _waited_for(who, "adapters", "combine", f"--runs={','.join(runs)}", "--method", way, *more)
    if not who.owner:
        rights.sign(store.open_run(made["run"]), who)
    return made


def start_evaluation(
    run: Run, data: str | None = None, token: str | None = None, visitor: Visitor | None = None
) -> None:
    """Measure base and tuned model on held-out rows; progress is in `run.evaluation_state()`."""
    who = _owner_of(run, visitor, "evaluated")
    _needs_model(run)
    refuse_more(who)
    command = ["evaluate", str(run.dir), *(["--data", data] if data else [])]
    _launch(StateFile(run.dir / "evaluation" / "state.json"), "evaluation", command, token, who)


def start_export(
    run: Run,
    device: str,
    precision: str,
    token: str | None = None,
    *,
    form: str = "onnx",
    block_size: int = 32,
    accuracy_level: int | None = None,
    calibration: str = "dynamic",
    keep_adapter: bool = False,
    adapters: Sequence[str] = (),
    visitor: Visitor | None = None,
) -> None:
    """Build and check a package; progress is in `run.export_state(device, precision)`.

    Args:
        device: with a `form` beside ONNX (core.export.formats) the name of that. precision: "all" makes every one of a
            device. The rest: see core.export.options.
    """
    who = _owner_of(run, visitor, "exported")
    _needs_model(run)
    refuse_more(who)
    command = ["export", str(run.dir), "--precision", precision]
    command += ["--device", device] if form == "onnx" else ["--format", form]
    command += ["--block-size", str(block_size), "--calibration", calibration]
    command += [] if accuracy_level is None else ["--accuracy-level", str(accuracy_level)]
    command += ["--keep-adapter"] if keep_adapter else []
    command += ["--adapters", ",".join(adapters)] if adapters else []
    _launch(StateFile(run.export_dir(device, precision) / "state.json"), "export", command, token, who)


def start_push(
    run: Run, what: str, repo: str, public: bool = False, token: str | None = None, visitor: Visitor | None = None
) -> None:
    """Send an export to the Hub (see core.export.push); progress is in `push_state(run)`, the end in result.json there.

    Raises:
        InputError: it is somebody else's run, or a push of it is under way; or it is a visitor of a public page who
            asks, and gave no token of their own.
    """
    who = _owner_of(run, visitor, "sent")
    if not who.owner and not checked_token(token, "export.repo"):
        raise InputError("Give a token of your own that may write: the one of this machine is not yours.", "export.repo")
    command = ["push", str(run.dir), "--repo", repo, "--what", what, *(["--public"] if public else [])]
    file = StateFile(run.dir / "export" / "push" / "state.json")
    _launch(file, "push", command, token, who, waits=False)


def push_state(run: Run) -> State | None:
    """The state of the last push of a run, or None when none was started."""
    return read(run.dir / "export" / "push" / "state.json")


def stop_push(run: Run, visitor: Visitor | None = None) -> None:
    """End a push that is under way; what was sent so far is no commit yet."""
    refuse_others(run, visitor, "stopped")
    _cancel(run.dir / "export" / "push" / "state.json")


def stop_evaluation(run: Run, visitor: Visitor | None = None) -> None:
    """End an evaluation that is under way."""
    refuse_others(run, visitor, "stopped")
    _cancel(run.dir / "evaluation" / "state.json")


def stop_export(run: Run, device: str, precision: str, visitor: Visitor | None = None) -> None:
    """End an export that is under way."""
    refuse_others(run, visitor, "stopped")
    _cancel(run.export_dir(device, precision) / "state.json")


def _owner_of(run: Run, visitor: Visitor | None, what: str) -> Visitor:
    """Who wants something done to a run. InputError unless they may."""
    who = refuse_nobody(visitor)
    refuse_others(run, who, what)
    return who


def _waited_for(who: Visitor, *words: str) -> dict[str, Any]:
    """What a command answers that somebody waits for; on a public page it waits for its turn, as everything does."""
    if who.owner:
        return answer_of(*words, visitor=who)
    ticket = turn.draw(who.id, allowed=partial(refuse_crowd, who))
    try:
        return answer_of(*words, visitor=who, env={turn.TICKET: str(ticket.number)})
    finally:
        ticket.give_back()


def _needs_model(run: Run) -> None:
    if not run.has_model:
        raise InputError(f"The run {run.id} has no tuned model yet: its training is {run.state().state}.")


def _cancel(path: Path) -> None:
    """Ask by file, and by a signal at once: these jobs have nothing to save."""
    state: State | None = read(path)
    ask_to_stop(path)
    if state is not None and state.under_way:
        end(state)


def _launch(
    file: StateFile, name: str, command: list[str], token: str | None, who: Visitor, *, waits: bool = True
) -> None:
    """Start `python -m core COMMAND` as a process of its own, whose output goes to the log beside the state.

    Args:
        waits: for its turn, by itself (core.runs.turn).

    Raises:
        InputError: such a job is under way there already, the token is none, or the visitor may have no more.
    """
    token = checked_token(token, "model.path")
    try:
        process, job = _started(file, name, command, token, who, waits)
    except OSError as error:
        raise InputError(f"The {name} cannot be started: {_why(error, file.folder)}") from None
    threading.Thread(target=_reap, args=(process, file.job, job), name=f"reap-{process.pid}", daemon=True).start()


def _started(
    file: StateFile, name: str, command: list[str], token: str, who: Visitor, waits: bool
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    with locked(file.folder / ".launch") as mine:
        state = read(file.path)
        launched = records.JOB.find(file.job) or {}
        fresh = state is not None and state.state == "queued" and not launched
        if not mine or (state is not None and state.under_way and not fresh):
            raise InputError(f"The {name} of this run is under way already.")
        ticket = turn.draw(who.id, file.path, partial(refuse_crowd, who)) if waits else None
        try:
            before = turn.ahead(ticket) if ticket else 0
            now = ticket is None or before < turn.at_once()
            file.queue("" if now else turn.words(before))
            start = file.log.stat().st_size if file.log.exists() else 0
            env = standby.environment({turn.TICKET: str(ticket.number)} if ticket else None, who, token)
            process = standby.start(command, env, file.log, spare=now)
        except BaseException:
            if ticket:
                ticket.give_back()
            raise
        job = {"name": name, "pid": process.pid, "created": _created(process), "log_from": start}
        write_json(file.job, job)
        if ticket:
            turn.hand_over(ticket, process.pid, _created(process))
    return process, job


def _why(error: OSError, folder: Path) -> str:
    """The reason of an error of the system, as the end of a sentence."""
    reason, sentence = explain(error, folder)
    return sentence if reason != "error" else f"{(error.strerror or str(error)).lower()}."


def _created(process: subprocess.Popen[bytes]) -> float | None:
    try:
        return psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _reap(process: subprocess.Popen[bytes], path: Path, job: dict[str, object]) -> None:
    """Wait for the end, so that no zombie stays, and note the exit code for whoever reads the state later."""
    code = process.wait()
    if not turn.line():  # else the next one has begun to load
        standby.STANDBY.ended()
    if (records.JOB.find(path) or {}).get("pid") == process.pid:
        try:
            write_json(path, {**job, "exit": code})
        except OSError:
            return  # the run was deleted, or the disk is full: then the state says "killed" without the code

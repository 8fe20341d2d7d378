"""Jobs: a detached process for each training, evaluation and export, which outlives the server that started it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from core.config import RunConfig
from core.errors import InputError
from core.models.hub import checked_token
from core.paths import is_public
from core.runs import records, standby
from core.runs.failures import explain
from core.runs.files import locked, write_json
from core.runs.state import State, StateFile, ask_to_stop, end, read
from core.runs.store import Run, create


def start_training(config: RunConfig, name: str = "", token: str | None = None) -> Run:
    """Make a run and start its training.

    Args:
        token: for the Hub, for a gated or private model; as in all functions here it goes into the environment of the
            process and nowhere else. None: that of this machine (HF_TOKEN), if there is one.

    Raises:
        InputError: the run cannot be made.
    """
    token = checked_token(token, "model.path")
    run = create(config, name)
    command = ["train", str(run.dir / "config.yaml"), "--run-dir", str(run.dir)]
    _launch(StateFile(run.dir / "state.json"), "training", command, token)
    return run


def resume(run: Run, token: str | None = None) -> Run:
    """Go on with a training that was stopped or has failed, from its newest complete checkpoint (or from the start).

    Raises:
        InputError: it is under way, or it is done.
    """
    if run.state().state == "done":
        raise InputError(f"The run {run.id} is done: there is nothing to resume.")
    run.config()
    _launch(StateFile(run.dir / "state.json"), "training", ["train", "--resume", str(run.dir)], token)
    return run


def stop(run: Run) -> None:
    """Ask the training to end within a step and to keep its weights. Asked again after half a minute, it is killed."""
    ask_to_stop(run.dir / "state.json")


def start_evaluation(run: Run, data: str | None = None, token: str | None = None) -> None:
    """Measure base and tuned model on held-out rows; progress is in `run.evaluation_state()`."""
    _needs_model(run)
    command = ["evaluate", str(run.dir), *(["--data", data] if data else [])]
    _launch(StateFile(run.dir / "evaluation" / "state.json"), "evaluation", command, token)


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
) -> None:
    """Build and check a package; progress is in `run.export_state(device, precision)`.

    Args:
        device: with a `form` beside ONNX (core.export.formats) the name of that. precision: "all" makes every one of a
            device. The rest: see core.export.options.
    """
    _needs_model(run)
    command = ["export", str(run.dir), "--precision", precision]
    command += ["--device", device] if form == "onnx" else ["--format", form]
    command += ["--block-size", str(block_size), "--calibration", calibration]
    command += [] if accuracy_level is None else ["--accuracy-level", str(accuracy_level)]
    command += ["--keep-adapter"] if keep_adapter else []
    command += ["--adapters", ",".join(adapters)] if adapters else []
    _launch(StateFile(run.export_dir(device, precision) / "state.json"), "export", command, token)


def start_push(run: Run, what: str, repo: str, public: bool = False, token: str | None = None) -> None:
    """Send an export to the Hub (see core.export.push); progress is in `push_state(run)`, the end in result.json there.

    Raises:
        InputError: strangers may use this page, and gave no token of their own; or a push of this run is under way.
    """
    if is_public() and not checked_token(token, "export.repo"):
        raise InputError(
            "Give a token of your own that may write: the one of this machine is not yours.", "export.repo"
        )
    command = ["push", str(run.dir), "--repo", repo, "--what", what, *(["--public"] if public else [])]
    file = StateFile(run.dir / "export" / "push" / "state.json")
    _launch(file, "push", command, token)


def push_state(run: Run) -> State | None:
    """The state of the last push of a run, or None when none was started."""
    return read(run.dir / "export" / "push" / "state.json")


def stop_push(run: Run) -> None:
    """End a push that is under way; what was sent so far is no commit yet."""
    _cancel(run.dir / "export" / "push" / "state.json")


def stop_evaluation(run: Run) -> None:
    """End an evaluation that is under way."""
    _cancel(run.dir / "evaluation" / "state.json")


def stop_export(run: Run, device: str, precision: str) -> None:
    """End an export that is under way."""
    _cancel(run.export_dir(device, precision) / "state.json")


def _needs_model(run: Run) -> None:
    if not run.has_model:
        raise InputError(f"The run {run.id} has no tuned model yet: its training is {run.state().state}.")


def _cancel(path: Path) -> None:
    """Ask by file, and by a signal at once: these jobs have nothing to save."""
    state: State | None = read(path)
    ask_to_stop(path)
    if state is not None and state.under_way:
        end(state)


def _launch(file: StateFile, name: str, command: list[str], token: str | None = None) -> None:
    """Start `python -m core COMMAND` as a process of its own, whose output goes to the log beside the state.

    Raises:
        InputError: such a job is under way there already, or the token is none.
    """
    token = checked_token(token, "model.path")
    try:
        process, job = _started(file, name, command, token)
    except OSError as error:
        raise InputError(f"The {name} cannot be started: {_why(error, file.folder)}") from None
    threading.Thread(target=_reap, args=(process, file.job, job), name=f"reap-{process.pid}", daemon=True).start()


def _started(
    file: StateFile, name: str, command: list[str], token: str | None
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    with locked(file.folder / ".launch") as mine:
        state = read(file.path)
        launched = records.JOB.find(file.job) or {}
        fresh = state is not None and state.state == "queued" and not launched
        if not mine or (state is not None and state.under_way and not fresh):
            raise InputError(f"The {name} of this run is under way already.")
        file.queue()
        start = file.log.stat().st_size if file.log.exists() else 0
        process = standby.start(command, standby.environment({"HF_TOKEN": token} if token else None), file.log)
        job = {"name": name, "pid": process.pid, "created": _created(process), "log_from": start}
        write_json(file.job, job)
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
    standby.STANDBY.ended()
    if (records.JOB.find(path) or {}).get("pid") == process.pid:
        try:
            write_json(path, {**job, "exit": code})
        except OSError:
            return  # the run was deleted, or the disk is full: then the state says "killed" without the code

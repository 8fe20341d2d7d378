"""How long a training takes on this machine: from runs that were made here, or from counted operations.

A step's seconds are the sum of five terms, each of which is counted: floating point operations at the measured rate of
a matrix product, what the activations and the logits move through memory, the update of the trained weights, and the
calls of each block. The constants were fitted to 51 trainings of nine families on one core (benchmarks.md); they are
those of a core that multiplies at REFERENCE, and are scaled by the rate of this one.
"""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.config import RunConfig
from core.errors import InputError
from core.runs import store
from core.runs.machine import Machine
from core.runs.store import Run

REFERENCE = 100e9  # floating point operations a second, one core, float32
ACTIVATIONS_S, LOGITS_S = 1.1e-9, 1.7e-9  # a byte
UPDATE_S = 1.2e-9  # a trained weight
CALLS_S = {"full": 2.5e-3, "adapter": 4.5e-3}  # a block and pass, forth and back
START_S = 9.0  # imports, the model, and loading it back at the end
ENCODED_ROWS = 9000  # a second and core
WRITTEN_S = 0.6e-3  # a block and token of a sample answer

# Tensor cores, bf16 without sparsity, from the makers' data sheets; about a third of it is reached in training.
CARDS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40": 362e12, "4090": 165e12, "A10": 125e12, "L4": 121e12,
         "V100": 125e12, "3090": 71e12, "T4": 65e12}  # fmt: skip
OTHER_CARD, REACHED = 40e12, 0.3

PROBE = """
import numpy, time
a = numpy.ones((384, 384), numpy.float32) * 0.5
best, until = 1.0, time.perf_counter() + 0.25
while time.perf_counter() < until:
    began = time.perf_counter()
    a @ a
    best = min(best, time.perf_counter() - began)
print(2 * 384**3 / best)
"""


@dataclass(frozen=True)
class Work:
    """What one update, or one pass over validation rows, computes.

    Attributes:
        flops: floating point operations. activations, logits: bytes that are kept for the way back, of all passes.
        trained: weights that are updated. calls: blocks times passes. adapter: whether the base is frozen.
    """

    flops: float
    activations: float
    logits: float
    trained: float
    calls: float
    adapter: bool


@dataclass(frozen=True)
class Rate:
    """How fast a device is.

    Attributes:
        flops: operations a second on all threads. factor: on the seconds that are not operations. basis: in words.
    """

    flops: float
    factor: float
    basis: str

    def seconds(self, work: Work) -> float:
        """What some work takes."""
        calls = work.calls * CALLS_S["adapter" if work.adapter else "full"]
        moved = work.activations * ACTIVATIONS_S + work.logits * LOGITS_S + work.trained * UPDATE_S
        return work.flops / self.flops + (moved + calls) * self.factor

    def times(self, factor: float, basis: str) -> Rate:
        """A rate at which everything takes `factor` times as long."""
        return Rate(self.flops / factor, self.factor * factor, basis)


def rate_of(machine: Machine) -> Rate:
    """What this machine reaches, measured with a matrix product on a processor; of a graphics card by its name."""
    if machine.device == "cuda":
        peak = next((flops for name, flops in CARDS.items() if name in machine.name), OTHER_CARD)
        return Rate(
            peak * REACHED, 0.02, f"operations at a third of what a {machine.name} is said to reach, not verified"
        )
    one = one_core()
    basis = f"operations at {one / 1e9:,.0f} GFLOP/s for each of {machine.threads} threads, measured on this machine"
    if machine.threads == 1:
        basis = f"operations at {one / 1e9:,.0f} GFLOP/s, measured on this machine"
    # Memory is shared by the cores; how it scales beyond one of them is an assumption (not verified).
    return Rate(one * machine.threads, REFERENCE / one / machine.threads**0.5, basis)


@functools.cache
def one_core() -> float:
    """Floating point operations a second of one core, of a matrix product in float32; measured once a process.

    In a process of its own, since how many threads numpy computes with is settled when it is imported.
    """
    alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=os.environ | alone,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return float(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return REFERENCE


# Earlier runs


def rate_before(
    config: RunConfig, machine: Machine, rate: Rate, work_of: Callable[[RunConfig, float, float], Work]
) -> Rate | None:
    """The rate that the newest run of the same model and method reached on this machine; None where there is none.

    Args:
        rate: by counting. work_of: what an update of a run computes, from its config, its tokens and the share of them
            that is trained.
    """
    for run in store.list_runs()[:50]:
        try:
            before = run.config()
        except InputError:
            continue
        same = (before.model.path, before.model.revision, before.method.name)
        if same != (config.model.path, config.model.revision, config.method.name) or not _here(run, machine):
            continue
        found = [seconds / rate.seconds(work_of(before, tokens, trained)) for seconds, tokens, trained in _updates(run)]
        if len(found) >= 2:
            return rate.times(statistics.median(found), f"the speed of the run {run.id} on this machine")
    return None


def _here(run: Run, machine: Machine) -> bool:
    """Whether a run was made on this machine, as far as its environment tells."""
    known = run.environment()
    device: dict[str, Any] = known.get("device") or {}
    if device.get("type") != machine.device or known.get("cpus") != machine.cpus:
        return False
    return device.get("name") == machine.name if machine.device == "cuda" else device.get("threads") == machine.threads


def _updates(run: Run) -> list[tuple[float, float, float]]:
    """(seconds, tokens, share of them that is trained) of an update, for each stretch between two log events in which
    nothing else was done."""
    found, last, clean = list[tuple[float, float, float]](), None, False
    for event in run.events()[0]:
        if event.get("kind") != "log":
            clean = clean and event.get("kind") in ("resources", "note")
            continue
        if last is not None and clean:
            steps, seconds = event["step"] - last["step"], event["t"] - last["t"]
            tokens, trained = event.get("all_tokens_per_second"), event.get("tokens_per_second")
            if steps > 0 and seconds > 0 and tokens and trained is not None:
                found.append((seconds / steps, tokens * seconds / steps, trained / tokens))
        last, clean = event, True
    return found

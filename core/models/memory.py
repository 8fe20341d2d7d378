"""Peak memory and time of a training, predicted from the config, the lengths of the rows and the model's files alone.

Memory is counted: weights, their gradients and what the optimiser keeps (core/models/ways.py), what each block keeps
for the way back (core/models/shapes.py), the logits, and what the libraries take. Operations are counted as 2 for each
weight and token forth and 4 back, of which a frozen weight saves 2, and 4 for each token, token of its row and query
width in attention (Kaplan et al. 2020, section 2.1; Hu et al. 2021). Measured against real runs on a CPU:
tests/bench/memory.py. On a graphics card nothing here is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.config import RunConfig
from core.data.lengths import Lengths, Load, count_updates
from core.models.heads import head_of
from core.models.shapes import Shape, read_shape
from core.models.speed import ENCODED_ROWS, START_S, WRITTEN_S, Rate, Work, rate_before, rate_of
from core.models.ways import WAYS, optimizer_bytes
from core.models.ways import trained_weights as trained_weights
from core.runs.machine import Machine, this_machine
from core.runs.store import settled

LIBRARIES = 600 * 2**20  # torch, transformers, peft and accelerate, imported
CONTEXT = 600 * 2**20  # a CUDA context with its libraries
A_TOKEN, A_ROW = 5, 100  # bytes of the encoded rows, and of their order
ENOUGH = 2**26  # numbers in the logits of a batch that is only measured (core/training/validation.py)
SAMPLE_TOKENS = 96  # of a sample answer at most (core/training/loop.py)
CUT_OFFS = 40


@dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Attributes:
        peak_bytes: memory of the device at its fullest; the sum of `parts`.
        seconds: from the start to the tuned model, if it is not stopped early; the sum of `times`.
        fits: whether the device has so much free now.
        parts: bytes by name: overhead, rows, weights, gradients, optimizer, activations, logits.
        times: seconds by name: start, training, validation.
        steps: updates. parameters, trained: weights of the base, and those that are trained.
        basis: what the time is predicted from, in words.
        notes: what is uncertain about it, one sentence each.
    """

    peak_bytes: int
    seconds: float
    fits: bool
    parts: dict[str, int]
    times: dict[str, float]
    steps: int
    parameters: int
    trained: int
    basis: str
    notes: list[str]


@dataclass(frozen=True)
class CutOff:
    """What a limit costs: as `Estimate` and `core.data.lengths.Load` say; `tokens` are those of an epoch, unpadded."""

    limit: int
    truncated: float
    padding: float
    rows: int
    steps: int
    tokens: int
    seconds: float
    peak_bytes: int
    fits: bool


def estimate(
    config: RunConfig, lengths: Lengths, kept: int = 0, machine: Machine | None = None, labels: int = 0
) -> Estimate:
    """Predict a training.

    Args:
        config: of the run. lengths: of the rows to train on (`core.data.lengths.measure_lengths`).
        kept: rows that are kept back to validate with. machine: None for this one as it is now.
        labels: that a head of its own is to tell apart (`core.data.labels.head_labels`).

    Raises:
        InputError: the model's files do not say its sizes.
    """
    predictor = _Predictor(config, lengths, kept, machine, labels)
    return predictor.at(predictor.load(config.data.max_tokens))


def by_cut_off(
    config: RunConfig,
    lengths: Lengths,
    kept: int = 0,
    machine: Machine | None = None,
    limits: Sequence[int] | None = None,
    labels: int = 0,
) -> list[CutOff]:
    """What each of some limits would cost, ascending: for a limit that is moved by hand.

    Args:
        limits: values of data.max_tokens; None: some forty up to the longest row, with the config's own.

    Raises:
        InputError: as `estimate`.
    """
    predictor = _Predictor(config, lengths, kept, machine, labels)
    if limits is None:
        longest = max(lengths.tokens, default=8)
        top = max(32, -(-longest * 11 // 80) * 8)
        limits = [config.data.max_tokens, *(8 + round((top - 8) * i / (CUT_OFFS - 1)) for i in range(CUT_OFFS))]
    found = []
    for limit in sorted(set(limits)):
        load = predictor.load(limit)
        made = predictor.at(load)
        found.append(
            CutOff(
                limit, load.truncated, load.padding, load.rows, made.steps, load.tokens, made.seconds, made.peak_bytes,
                made.fits,
            )
        )  # fmt: skip
    return found


class _Predictor:
    """All that does not depend on the limit, found once."""

    def __init__(self, config: RunConfig, lengths: Lengths, kept: int, machine: Machine | None, labels: int) -> None:
        self.config, self.lengths, self.kept = settled(config), lengths, kept
        self.machine = machine or this_machine()
        self.shape = read_shape(config.model.path, config.model.revision).with_head(head_of(config), labels)
        counted = rate_of(self.machine)
        self.rate: Rate = rate_before(self.config, self.machine, counted, self._update_of) or counted

    def load(self, limit: int) -> Load:
        """What is read in an epoch."""
        return self.lengths.load(self.config, limit)

    def at(self, load: Load) -> Estimate:
        """The estimate of what is read."""
        shape, config = self.shape, self.config
        parts = peak_parts(config, shape, load, self.lengths.trained, self.kept, self.machine.device)
        steps = count_updates(load.sequences, config) if load.rows else 0
        times = self._times(load, steps)
        peak = sum(parts.values())
        return Estimate(
            peak_bytes=peak,
            seconds=sum(times.values()),
            fits=peak <= self.machine.free,
            parts=parts,
            times=times,
            steps=steps,
            parameters=shape.parameters,
            trained=trained_weights(config, shape),
            basis=self.rate.basis,
            notes=self._notes(),
        )

    def _times(self, load: Load, steps: int) -> dict[str, float]:
        config, t = self.config, self.config.training
        start = (START_S + (load.rows + self.kept) / ENCODED_ROWS / self.machine.cpus) * self.rate.factor
        if not load.rows:
            return {"start": start, "training": 0.0, "validation": 0.0}
        batches = load.batches / max(1, -(-load.batches // t.gradient_accumulation_steps))  # of an update, in the mean
        update = work_of(
            config, self.shape, batches * load.padded / load.batches, load.width, self.lengths.trained, batches
        )
        check = 0.0
        if self.kept:
            share = self.kept / load.rows
            passes = max(1.0, share * load.batches / 2)
            one = work_of(config, self.shape, share * load.padded, load.width, self.lengths.trained, passes)
            back = 2 / 3 if one.adapter is False else 1 / 2  # of the operations, which validation has not to do
            forth = Work(one.flops * (1 - back), one.activations / 2, one.logits, 0, one.calls / 2, one.adapter)
            check = self.rate.seconds(forth)
        answer = min(config.evaluation.max_new_tokens, SAMPLE_TOKENS) * self.shape.layers * WRITTEN_S * self.rate.factor
        checks = 1 + (steps // t.eval_steps if self.kept else 0)
        return {
            "start": start,
            "training": steps * self.rate.seconds(update),
            "validation": checks * (check + answer),
        }

    def _update_of(self, config: RunConfig, tokens: float, trained: float) -> Work:
        """An update of an earlier run, of which its tokens are known."""
        t = config.training
        passes = t.gradient_accumulation_steps
        width = tokens / passes / (1 if t.batching == "padding_free" else t.per_device_train_batch_size)
        return work_of(config, self.shape, tokens, width, trained, passes)

    def _notes(self) -> list[str]:
        notes = []
        if not self.shape.known:
            family = self.shape.family or "that its config.json does not name"
            notes.append(f"The family {family} is not known here: it is taken to be built like Llama.")
        if self.machine.device == "cuda":
            notes.append("Memory and time on a graphics card are predicted, not verified.")
        if self.lengths.rows > len(self.lengths.tokens):
            notes.append(f"Lengths are those of {len(self.lengths.tokens):,} of the {self.lengths.rows:,} rows.")
        return notes


# Memory


def block_numbers(config: RunConfig, shape: Shape) -> tuple[float, float, float]:
    """Numbers that one block keeps for the way back: for each token, for each token and token of its row, and in any
    case."""
    saved, way = shape.saved, WAYS[config.method.name]
    widths = (shape.hidden, shape.inner, shape.queries, shape.keys)
    counts = saved.trained if way.added is None else saved.frozen
    token = float(sum(count * width for count, width in zip(counts, widths, strict=True)))
    token += way.kept(shape, config.method) if way.kept is not None else 0.0
    fixed = way.fixed(shape, config.method) if way.fixed is not None else 0.0
    return token, float(saved.squares * (shape.heads if saved.by_head else 1)), fixed


def kept_numbers(config: RunConfig, shape: Shape) -> tuple[float, float, float]:
    """The same of all blocks together. With gradient checkpointing: what goes into each block, and all of one, which is
    computed again (Chen et al. 2016)."""
    token, squares, fixed = block_numbers(config, shape)
    if config.training.gradient_checkpointing:
        return shape.layers * shape.hidden + token + 3.0 * shape.hidden, squares, fixed
    return shape.layers * token + 3.0 * shape.hidden, shape.layers * squares, shape.layers * fixed


def in_front(config: RunConfig) -> int:
    """Virtual tokens in front of each row."""
    return int(vars(config.method).get("num_virtual_tokens", 0))


def peak_parts(
    config: RunConfig, shape: Shape, load: Load, trained_share: float, kept: int, device: str
) -> dict[str, int]:
    """Bytes at the fullest moment: in an update, or while rows are validated.

    The logits are there with those of the trained tokens apart and their logarithms; on the way back the gradients of
    both. All are float32 (core/training/losses.py).
    """
    way, size = WAYS[config.method.name], config.training.per_device_train_batch_size
    trained, card = trained_weights(config, shape), device == "cuda"
    if way.added is None:
        weights = 4.0 * shape.parameters + (
            2.0 * shape.inside if card else 0
        )  # autocast keeps a copy in half precision
    else:
        inside = shape.inside if way.width is not None and card else 0
        weights = (2.0 if card else 4.0) * (shape.parameters - inside) + 4.0 * trained
        weights += way.width(config.method) * inside if way.width is not None else 0
    front = in_front(config)
    sequences, widest = load.fullest
    widest += front
    tokens, longest = sequences * widest, load.longest + front
    token, square, fixed = kept_numbers(config, shape)
    number = 2.5 if card else 4.0  # in half precision most of them
    spare = max(way.spare, shape.saved.spare if way.added is None else way.spare)
    moments = optimizer_bytes(config, shape)
    training = {
        "gradients": 4.0 * trained,
        "optimizer": moments,
        "activations": number * spare * (token * tokens + square * tokens * widest + fixed),
        "logits": 4.0 * shape.outputs * tokens * max(1 + 2 * trained_share, 2.0),
    }
    measured = min(kept, max(8, 2 * size))
    numbers = min(measured * longest * shape.outputs, max(ENOUGH, longest * shape.outputs))
    validation = {
        "gradients": 0.0,
        "optimizer": moments,
        "activations": number * measured * longest * (4 * shape.hidden + 3 * shape.inner + 4 * shape.queries),
        "logits": 4.0 * numbers * (1 + 2 * trained_share),
    }
    fullest = max((training, validation), key=lambda parts: sum(parts.values()))
    every = {
        "overhead": CONTEXT if card else LIBRARIES,
        "rows": 0.0 if card else load.tokens * A_TOKEN * (1 + kept / max(1, load.rows)) + (load.rows + kept) * A_ROW,
        "weights": weights,
    }
    return {name: round(value) for name, value in (every | fullest).items()}


# Operations


def work_of(config: RunConfig, shape: Shape, tokens: float, width: float, trained_share: float, passes: float) -> Work:
    """What an update computes.

    Args:
        tokens: padding included. width: those of a row, in the mean. trained_share: of the tokens, those with loss.
        passes: batches of the update.
    """
    trained, adapter = trained_weights(config, shape), WAYS[config.method.name].added is not None
    front = in_front(config)
    tokens, width = tokens * (1 + front / max(width, 1.0)), width + front
    weights, again = shape.inside + shape.head, config.training.gradient_checkpointing
    attention = 4 * width * shape.queries * shape.layers
    flops = tokens * ((4 * weights + 6 * trained * (not front) if adapter else 6 * weights) + 3 * attention)
    flops += tokens * (2 * shape.inside + attention) if again else 0  # each block is computed a second time
    token, square, fixed = block_numbers(config, shape)
    return Work(
        flops=flops,
        activations=4 * shape.layers * (tokens * (token + square * width) + passes * fixed)
        + 12 * tokens * shape.hidden,
        logits=4 * tokens * shape.outputs * (1 + 2 * trained_share),
        trained=trained,
        calls=shape.layers * passes,
        adapter=adapter,
    )

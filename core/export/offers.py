"""What is said of a device in the table of devices: kinds of models, precisions, what builds and runs a package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.export import here

# Kinds of models by what an export makes of them, and the heads (core.models.heads) that each stands for.
WRITER, REWRITER, READER = "writer", "rewriter", "reader"
KINDS = {WRITER: "writes its answer", REWRITER: "reads the whole, then writes", READER: "reads: labels, tags, vectors"}
KIND_OF_HEAD = {
    "causal_lm": WRITER,
    "seq2seq_lm": REWRITER,
    "sequence_classification": READER,
    "token_classification": READER,
    "feature_extraction": READER,
}


@dataclass(frozen=True)
class Precision:
    """How the weights are stored: `bytes_per_weight` is the rough size before what stays in full is added."""

    name: str
    sentence: str
    bytes_per_weight: float


PRECISIONS: dict[str, Precision] = {
    p.name: p
    for p in (
        Precision("fp32", "Full precision: the same numbers as in training, four bytes a weight.", 4.0),
        Precision("fp16", "Half precision: two bytes a weight, the usual choice on a GPU.", 2.0),
        Precision(
            "bf16",
            "Half the bytes with the range of full precision: for models whose numbers overflow in fp16.",
            2.0,
        ),
        Precision("int8", "One byte a weight: about a third of fp32 in all, and answers that hardly ever change.", 1.3),
        Precision(
            "int4",
            "Half a byte a weight: smallest. Models of a billion weights bear it, one of a few million loses a lot.",
            0.8,
        ),
    )
}


@dataclass(frozen=True)
class Offer:
    """What a device takes of one kind of model.

    Attributes:
        precisions: in the order of PRECISIONS. default: the one to take.
        runtime: "genai" (onnxruntime-genai), "onnxruntime" or "openvino"; without genai a writer is looped over by
            core.export.packages.run_looped.
        requirements: lines of the package's requirements.txt, but for what its run.py needs everywhere.
    """

    precisions: tuple[str, ...]
    default: str
    runtime: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Target:
    """A device: its name, what runs it, and what it takes of each kind of model.

    Attributes:
        device: its key. label: its name. provider: the execution provider of onnxruntime (of OpenVINO: its own).
        sentence: where a package runs. needs: the driver or system, in one sentence.
        offers: by kind. missing: why a kind is not offered, and what to take instead.
        hardware: whether this machine is such a device, and why (not) in one sentence.
        stands_in: the precisions that this machine's processor runs in the device's place, so that answers can be
            compared; that proves the graph, and nothing about the device.
        builder: the model builder's name of the device. int4_options: what it must be told besides of int4.
        fixed: a graph takes one row of a fixed length, and of int8 the activations are integers, too.
        block_sizes: of int4, weights that share a scale; the first is the default. accuracy_levels: of MatMulNBits, 0
            unset, 1 fp32, 2 fp16, 3 bf16, 4 activations in int8; the first is the builder's own default.
    """

    device: str
    label: str
    provider: str
    sentence: str
    needs: str
    offers: dict[str, Offer]
    hardware: Callable[[], tuple[bool, str]]
    missing: dict[str, str] = field(default_factory=dict)
    stands_in: tuple[str, ...] = ()
    builder: str = "cpu"
    int4_options: tuple[str, ...] = ()
    fixed: bool = False
    block_sizes: tuple[int, ...] = (32, 16, 64, 128, 256)
    accuracy_levels: tuple[int, ...] = (0, 1, 2, 3, 4)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Every precision that some kind of model has here."""
        return tuple(name for name in PRECISIONS if any(name in offer.precisions for offer in self.offers.values()))

    @property
    def default(self) -> str:
        """The precision to take where the kind of model is not known."""
        return next(iter(self.offers.values())).default

    @property
    def requirements(self) -> tuple[str, ...]:
        """What runs a package of the device's first kind of model; see `requirements` for the others."""
        return next(iter(self.offers.values())).requirements

    def precisions_for(self, kind: str) -> tuple[str, ...]:
        """The precisions of a kind of model; () where the device does not take it."""
        return self.offers[kind].precisions if kind in self.offers else ()

    def default_for(self, kind: str) -> str | None:
        """The precision to take by default; None where the device does not take this kind."""
        return self.offers[kind].default if kind in self.offers else None

    def builder_for(self, precision: str) -> str:
        """The builder's name of the device for a precision.

        What it makes for a CPU in fp16 fails at the second token (a shape that it got wrong), what it makes for CUDA in
        fp16 is sound and runs on a processor: there the provider's options are taken out of genai_config.json.
        """
        if self.builder == "webgpu":  # a GPU may lack float16, in which all but fp32 would compute
            return "webgpu" if precision == "fp16" else "cpu"
        return "cuda" if self.builder == "cpu" and precision == "fp16" else self.builder

    def builder_options(self, precision: str) -> tuple[str, ...]:
        """What the builder must be told for a precision: NAME=VALUE of its extra options."""
        return self.int4_options if precision == "int4" else ()

    def buildable(self, kind: str = WRITER) -> tuple[bool, str]:
        """Whether a package can be built on this very machine, and why (not), with what to do, in a sentence or two."""
        if kind not in self.offers:
            return False, self.missing[kind]
        if lacks := here.lacking(here.BUILDS):
            return False, (
                f"What builds it is not installed here: pip install {' '.join(lacks)}. "
                f"On a machine that has it: {self.command(self.offers[kind].default)}"
            )
        return True, "This machine's processor builds it; the device itself is not needed for that."

    def verifiable(self, kind: str | None = None) -> tuple[bool, str]:
        """Whether this very machine can run such a package on the device, and why (not), in one sentence."""
        able, reason = self.hardware()
        if not able:
            return False, reason
        offer = self.offers.get(kind or "", next(iter(self.offers.values())))
        if lacks := here.lacking(offer.requirements):
            name = "runtime" if self.device == "cpu" else f"{self.label} runtime"
            return False, f"The {name} is not installed here: pip install {' '.join(lacks)}."
        return True, reason

    def compared_on_cpu(self, precision: str) -> bool:
        """Whether this machine's processor can run a package of the device in its place."""
        return precision in self.stands_in

    def command(self, precision: str, run: str = "RUN") -> str:
        """The command that makes and compares such a package, for a machine that can."""
        return f"python -m core export {run} --device {self.device} --precision {precision}"

"""What can be chosen of an export. Light."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InputError, unknown

CALIBRATIONS = ("dynamic", "static")
BLOCK_SIZES = (16, 32, 64, 128, 256)  # what MatMulNBits takes
ACCURACY_LEVELS = {0: "the runtime's own choice", 1: "fp32", 2: "fp16", 3: "bf16", 4: "int8"}


@dataclass(frozen=True)
class Options:
    """One export.

    Attributes:
        device: a key of core.export.targets.TARGETS. precision: fp32, fp16, bf16, int8 or int4.
        block_size: of int4: how many weights share a scale.
        accuracy_level: of int4, the type that the activations are reckoned in (MatMulNBits): see ACCURACY_LEVELS.
        calibration: of int8 of a model that reads: "dynamic" (scales at run time) or "static" (from real rows).
        keep_adapter: a LoRA stays beside the base in the graph.
        adapters: further runs on the same base, to be in the same package.
    """

    device: str
    precision: str
    block_size: int = 32
    accuracy_level: int = 4
    calibration: str = "dynamic"
    keep_adapter: bool = False
    adapters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """InputError where a value is none that there is; device and precision: see core.export.targets.check."""
        if self.block_size not in BLOCK_SIZES:
            sizes = ", ".join(map(str, BLOCK_SIZES))
            raise InputError(f"A block of {self.block_size} weights is none that there is: take {sizes}.")
        if self.accuracy_level not in ACCURACY_LEVELS:
            levels = ", ".join(f"{level} ({what})" for level, what in ACCURACY_LEVELS.items())
            raise InputError(f"There is no accuracy level {self.accuracy_level}. Known: {levels}.")
        if self.calibration not in CALIBRATIONS:
            raise InputError(unknown("calibration", self.calibration, CALIBRATIONS), "export.calibration")

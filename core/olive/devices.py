"""Olive's devices, execution providers and precisions as those of our table of targets, and back."""

from __future__ import annotations

from typing import Any

from core.errors import InputError, nearest
from core.export.targets import TARGETS, Target
from core.export.targets import target as target_of
from core.olive.imported import Draft, Note
from core.olive.values import text

CPU = "CPUExecutionProvider"
# What Olive means by a device where no provider is named.
DEVICES = {"cpu": CPU, "gpu": "CUDAExecutionProvider", "npu": "QNNExecutionProvider", "intel_myriad": CPU}
# Those of onnxruntime-genai's builder, which Olive's ModelBuilder pass has inside.
BUILDS = (
    CPU,
    "CUDAExecutionProvider",
    "DmlExecutionProvider",
    "WebGpuExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
)
# Providers that Olive knows (olive/hardware/constants.py, 0.13.0) and what stands in for those that we lack.
STAND_IN = {
    "TensorrtExecutionProvider": ("NvTensorRTRTXExecutionProvider", "CUDAExecutionProvider"),
    "JsExecutionProvider": ("WebGpuExecutionProvider",),
    "NvTensorRTRTXExecutionProvider": ("CUDAExecutionProvider",),
    "ROCMExecutionProvider": (),
    "MIGraphXExecutionProvider": (),
    "VitisAIExecutionProvider": (),
}
_BITS = {"uint4": "int4", "nf4": "int4", "fp4": "int4", "uint8": "int8", "fp8": "int8", "int16": "fp16",
         "float16": "fp16", "float32": "fp32", "bfloat16": "bf16"}  # fmt: skip


def provider(draft: Draft, value: Any, option: str) -> None:
    """An execution provider, or a list of which the first that we have counts, as the device of the export."""
    given = [str(item) for item in value] if isinstance(value, list) else [text(value, option)]
    found = next((target for name in given if (target := _target(name)) is not None), None)
    if found is not None:
        draft.exports(device=found.device)
        for name in given:
            if _target(name) is not found:
                draft.ignore(option, name, f"A package is made for one device: {found.label}.")
        return
    for name in given:
        stands = next((t for other in STAND_IN.get(name, ()) if (t := _target(other)) is not None), None)
        if stands is not None:
            draft.exports(device=stands.device)
            draft.ignore(option, name, f"{stands.label} is taken, which runs on the same hardware.")
            return
        known = [target.provider for target in TARGETS.values()]
        guess = nearest(name, known)
        hint = f" Did you mean {guess}?" if guess and name not in STAND_IN else ""
        draft.ignore(option, name, f"Packages are made for {', '.join(dict.fromkeys(known))}.{hint}")


def device(draft: Draft, value: Any, option: str) -> None:
    """Olive's cpu, gpu or npu, where no provider says more."""
    name = text(value, option).casefold()
    if name not in DEVICES:
        draft.ignore(option, value, f"Olive knows {', '.join(DEVICES)}.")
        return
    held = (draft.export or {}).get("device")
    if held is None:
        provider(draft, DEVICES[name], option)
    elif name != kind(TARGETS[held]):
        draft.ignore(option, value, f"The execution provider says the device: {TARGETS[held].label}.")


def kind(target: Target) -> str:
    """What Olive calls the kind of device of a target: cpu, gpu or npu."""
    folded = target.provider.casefold()
    if any(name in folded for name in ("qnn", "vitis")):
        return "npu"
    return "cpu" if any(name in folded for name in ("cpu", "openvino")) else "gpu"


def precision(draft: Draft, value: Any, option: str) -> None:
    """A precision; checked against the device when all is read (`settle`)."""
    name = text(value, option).casefold()
    taken = _BITS.get(name, name)
    if taken not in every_precision():
        guess = nearest(name, every_precision())
        hint = f" Did you mean {guess}?" if guess else ""
        draft.ignore(option, value, f"Packages are made in {', '.join(every_precision())}.{hint}")
        return
    if taken != name:
        draft.ignore(option, value, f"{taken} is taken, which is nearest to it.")
    draft.exports(precision=taken)


def every_precision() -> list[str]:
    """All precisions that some target has."""
    return list(dict.fromkeys(p for target in TARGETS.values() for p in target.precisions))


def usual(draft: Draft, option: str) -> None:
    """The precision that Olive's commands take where nothing is said: fp16 on a GPU, fp32 elsewhere."""
    export = draft.export or {}
    target = TARGETS[export.get("device", "cpu")]
    wanted = "fp16" if kind(target) == "gpu" else "fp32"
    if "precision" not in export and wanted in target.precisions:
        draft.exports(precision=wanted)
        draft.assumed.append(Note(option, wanted, "Nothing is said of it, and Olive takes this."))


def settle(draft: Draft, option: str = "precision") -> None:
    """A precision that the device does not have becomes the device's own; said in a note."""
    export = draft.export
    if export is None:
        return
    target = TARGETS[export.setdefault("device", "cpu")]
    wanted = export.get("precision")
    if wanted is not None and wanted not in target.precisions:
        draft.ignore(
            option, wanted, f"{target.label} packages are made in {', '.join(target.precisions)}: "
            f"{target.default} is taken.",
        )  # fmt: skip
        export["precision"] = target.default
    size = export.get("block_size")
    if size is not None and size not in target.block_sizes:
        sizes = ", ".join(map(str, sorted(target.block_sizes)))
        draft.ignore("block_size", export.pop("block_size"), f"int4 for {target.label} has blocks of {sizes} weights.")
    level = export.get("accuracy_level")
    if level is not None and level not in target.accuracy_levels:
        levels = ", ".join(map(str, sorted(target.accuracy_levels)))
        draft.ignore("accuracy_level", export.pop("accuracy_level"), f"The accuracy level of int4 is one of {levels}.")
    if export.get("precision") != "int4":
        for name in ("block_size", "accuracy_level"):
            if name in export:
                draft.ignore(name, export.pop(name), "It belongs to int4.")


def _target(name: str) -> Target | None:
    folded = name.strip().casefold()
    return next((target for target in TARGETS.values() if target.provider.casefold() == folded), None)


def olives(name: str) -> tuple[str, str]:
    """(Olive's kind of device, its execution provider) of a target.

    Raises:
        InputError: there is no such target, or Olive's ModelBuilder pass does not build for it.
    """
    found = target_of(name)
    if found.provider not in BUILDS:
        able = ", ".join(device for device, other in TARGETS.items() if other.provider in BUILDS)
        raise InputError(
            f"Olive's ModelBuilder pass does not build for {found.label}: take one of {able}, or export the run with "
            f"{found.command(found.default)}.",
            "export.device",
        )
    return kind(found), found.provider

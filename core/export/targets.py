"""The devices that a model can be exported for: the one table that the page, the command line and the docs read."""

from __future__ import annotations

from core.errors import InputError, unknown
from core.export import here
from core.export.offers import KIND_OF_HEAD, KINDS, PRECISIONS, READER, REWRITER, WRITER, Offer, Target

__all__ = ["KINDS", "PRECISIONS", "TARGETS", "Target", "check", "check_int4", "kind_of", "requirements", "target"]

# What runs a package, pinned to what was built against. Those of the processor and OpenVINO are run here; each set of
# the others was resolved by pip for a system that it is for. genai-directml stays at 0.13.1: later ones want an
# onnxruntime-directml (1.25, 1.26) that was never published.
NUMPY = "numpy==2.4.6"
ORT = "onnxruntime==1.32.0"
GENAI = "onnxruntime-genai==0.18.0"
ORT_CUDA = "onnxruntime-gpu[cuda,cudnn]==1.31.1"
GENAI_CUDA = "onnxruntime-genai-cuda==0.18.0"
RTX_PLUGIN = "onnxruntime-ep-nv-tensorrt-rtx==0.5.0"
ORT_DML = "onnxruntime-directml==1.24.4"
GENAI_DML = "onnxruntime-genai-directml==0.13.1"
WEBGPU_PLUGIN = "onnxruntime-ep-webgpu==0.4.0"
OPENVINO = "openvino==2026.4.1"
QNN_PLUGIN = "onnxruntime-qnn==2.7.0"


def _processor() -> tuple[bool, str]:
    return True, "This machine's processor runs it."


def _cuda() -> tuple[bool, str]:
    if here.nvidia():
        return True, "This machine's NVIDIA GPU runs it."
    return False, "This machine has no NVIDIA GPU."


def _dml() -> tuple[bool, str]:
    if here.windows():
        return True, "This machine's DirectX 12 GPU runs it."
    return False, "DirectML is a part of Windows, and this machine does not run Windows."


def _webgpu() -> tuple[bool, str]:
    return False, "Tunesmith does not run WebGPU itself: try the package on the machine that will use it."


def _openvino() -> tuple[bool, str]:
    return True, "This machine's processor runs it, by OpenVINO's CPU plug-in; Intel GPUs and NPUs are not tried here."


def _qnn() -> tuple[bool, str]:
    if here.windows() and here.arm():
        return True, "This machine's Snapdragon NPU runs it."
    return False, "This machine has no Snapdragon NPU."


def _mobile() -> tuple[bool, str]:
    return False, "A phone is needed: this machine's processor only stands in for one."


def _kinds(offer: Offer, *kinds: str) -> dict[str, Offer]:
    return dict.fromkeys(kinds, offer)


_SMALL = ("fp32", "fp16", "int8", "int4")
_PHONE = ("fp32", "int8", "int4")
_PLAIN = (ORT, NUMPY)

TARGETS: dict[str, Target] = {
    target.device: target
    for target in (
        Target(
            "cpu",
            "CPU",
            "CPUExecutionProvider",
            "Any computer with an x86 or ARM processor.",
            "Nothing but Python 3.11 or newer.",
            {
                WRITER: Offer(_SMALL, "int8", "genai", (GENAI, ORT)),
                **_kinds(Offer(_SMALL, "int8", "onnxruntime", _PLAIN), REWRITER, READER),
            },
            _processor,
            accuracy_levels=(4, 0, 1, 2, 3),
        ),
        Target(
            "cuda",
            "CUDA",
            "CUDAExecutionProvider",
            "NVIDIA GPUs, on Linux and Windows.",
            "An NVIDIA driver of series 580 or newer (CUDA 13); CUDA's libraries come with the package's requirements.",
            {
                WRITER: Offer(("fp16", "bf16", "int8", "int4"), "fp16", "genai", (GENAI_CUDA, ORT_CUDA)),
                **_kinds(Offer(("fp32", "fp16", "int4"), "fp16", "onnxruntime", (ORT_CUDA, NUMPY)), REWRITER, READER),
            },
            _cuda,
            stands_in=("fp32", "fp16", "int8", "int4"),
            builder="cuda",
        ),
        Target(
            "tensorrt-rtx",
            "TensorRT-RTX",
            "NvTensorRTRTXExecutionProvider",
            "NVIDIA RTX GPUs of the 30 series and newer, on Windows and Linux.",
            "An NVIDIA driver of series 580 or newer (CUDA 13); TensorRT-RTX comes with the package's requirements.",
            {
                WRITER: Offer(("fp16", "bf16", "int4"), "fp16", "genai", (GENAI, ORT, RTX_PLUGIN)),
                **_kinds(Offer(("fp32", "fp16"), "fp16", "onnxruntime", (*_PLAIN, RTX_PLUGIN)), REWRITER, READER),
            },
            _cuda,
            stands_in=("fp32", "fp16", "int4"),
            builder="NvTensorRtRtx",
            # In this device's format (QDQ) the builder cannot quantise an embedding, so it must not share the head's.
            int4_options=("shared_embeddings=false",),
            block_sizes=(32, 64, 128),
        ),
        Target(
            "dml",
            "DirectML",
            "DmlExecutionProvider",
            "Any GPU under Windows that speaks DirectX 12.",
            "Windows 10 or 11 on x86-64, and a GPU with a DirectX 12 driver.",
            {
                WRITER: Offer(("fp16", "int4"), "fp16", "genai", (GENAI_DML, ORT_DML)),
                **_kinds(Offer(("fp32", "fp16"), "fp16", "onnxruntime", (ORT_DML, NUMPY)), REWRITER, READER),
            },
            _dml,
            stands_in=("fp32", "fp16", "int4"),
            builder="dml",
            block_sizes=(32, 64, 128),
        ),
        Target(
            "webgpu",
            "WebGPU",
            "WebGpuExecutionProvider",
            "Any modern GPU, in a browser, or outside of one through the same interface.",
            "A browser with WebGPU; without one its WebAssembly does the work, on the processor.",
            {
                WRITER: Offer(_SMALL, "fp16", "genai", (GENAI, ORT, WEBGPU_PLUGIN)),
                **_kinds(Offer(_SMALL, "fp16", "onnxruntime", (*_PLAIN, WEBGPU_PLUGIN)), REWRITER, READER),
            },
            _webgpu,
            stands_in=_SMALL,
            builder="webgpu",
            block_sizes=(32, 64, 128),
        ),
        Target(
            "openvino",
            "OpenVINO",
            "OpenVINOExecutionProvider",
            "Intel processors, GPUs and NPUs.",
            "An Intel GPU or NPU needs Intel's driver for it; the processor needs nothing.",
            _kinds(Offer(_SMALL, "int8", "openvino", (OPENVINO, NUMPY)), WRITER, REWRITER, READER),
            _openvino,
            # Its reader of ONNX does not know an embedding in four bits.
            int4_options=("shared_embeddings=false",),
        ),
        Target(
            "qnn",
            "QNN",
            "QNNExecutionProvider",
            "The NPU of Snapdragon processors.",
            "Windows on a Snapdragon X, with Qualcomm's NPU driver.",
            {READER: Offer(("fp16", "int8"), "int8", "onnxruntime", (*_PLAIN, QNN_PLUGIN))},
            _qnn,
            missing={
                WRITER: "A model that writes needs Qualcomm's own tools for this NPU (AI Engine Direct, AI Hub): "
                "onnxruntime-genai does not build for it. For the processor of the same machine take "
                "--device mobile or --device cpu.",
                REWRITER: "A model that reads and then writes grows a cache with every token, and this NPU wants every "
                "size fixed. For the processor of the same machine take --device mobile or --device cpu.",
            },
            stands_in=("fp16", "int8"),
            fixed=True,
        ),
        Target(
            "mobile",
            "Mobile",
            "CPUExecutionProvider",
            "The processor of a phone, under Android or iOS.",
            "Android 7 or iOS 15 and onnxruntime's package for it (of a model that writes: onnxruntime-genai's).",
            {
                WRITER: Offer(_PHONE, "int8", "genai", (GENAI, ORT)),
                **_kinds(Offer(_PHONE, "int8", "onnxruntime", _PLAIN), REWRITER, READER),
            },
            _mobile,
            stands_in=_PHONE,
            accuracy_levels=(4, 0, 1, 2, 3),
        ),
    )
}


def requirements(found: Target, kind: str) -> tuple[str, ...]:
    """The lines of requirements.txt that run a package of this kind on a device. InputError: it does not take it."""
    if kind not in found.offers:
        raise InputError(f"{found.label} does not take this model. {found.missing[kind]}", "export.device")
    return found.offers[kind].requirements


def kind_of(head: str) -> str:
    """The kind of a model by the name of its head (core.models.heads)."""
    return KIND_OF_HEAD[head]


def target(device: str) -> Target:
    """The target of a name. InputError, with the name that was probably meant, where there is none."""
    if device not in TARGETS:
        raise InputError(unknown("device", device, TARGETS), "export.device")
    return TARGETS[device]


def check(device: str, precision: str | None, kind: str | None = None) -> tuple[Target, str]:
    """The target and the precision to build; None takes the default. InputError where the two do not go together.

    Args:
        kind: of the model, where it is known: a device may take less of one kind than of another.
    """
    found = target(device)
    if kind is not None:
        requirements(found, kind)
    known = found.precisions if kind is None else found.precisions_for(kind)
    default = found.default if kind is None else found.offers[kind].default
    if precision is None:
        return found, default
    if precision not in known:
        of = "" if kind is None else f" of a model that {KINDS[kind].partition(':')[0]}"
        raise InputError(
            f"{found.label} packages{of} are made in {', '.join(known)}, not in {precision}. Take {default}."
            if precision in PRECISIONS
            else unknown("precision", precision, known),
            "export.precision",
        )
    return found, precision


def check_int4(found: Target, block_size: int, accuracy_level: int) -> None:
    """InputError where the device's int4 does not come with such blocks or such an accuracy level."""
    if block_size not in found.block_sizes:
        sizes = ", ".join(map(str, sorted(found.block_sizes)))
        raise InputError(
            f"int4 for {found.label} has blocks of {sizes} weights, not of {block_size}. Take {found.block_sizes[0]}.",
            "export.block_size",
        )
    if accuracy_level not in found.accuracy_levels:
        levels = ", ".join(map(str, sorted(found.accuracy_levels)))
        raise InputError(
            f"The accuracy level of int4 is one of {levels}, not {accuracy_level}. Take {found.accuracy_levels[0]}.",
            "export.accuracy_level",
        )

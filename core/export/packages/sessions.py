"""A graph that runs: arrays go in and come out by name, whatever runs it. Light until a session is opened."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cpu": CPU,
    "mobile": CPU,  # a desktop stands in for the phone
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
}
# Providers that come as a plug-in beside onnxruntime: the module that knows where its library lies, and the options.
PLUGINS: dict[str, tuple[str, dict[str, str]]] = {
    "tensorrt-rtx": ("onnxruntime_ep_nv_tensorrt_rtx", {}),
    "webgpu": ("onnxruntime_ep_webgpu", {}),
    "qnn": ("onnxruntime_qnn", {"htp_performance_mode": "burst"}),
}
PLACES_HELP = "cpu: this processor in the device's place; of OpenVINO: CPU, GPU, NPU or AUTO"
PLACES = ("CPU", "GPU", "NPU", "AUTO")  # where OpenVINO can run
# Without these its CPU plug-in reckons in bfloat16 where the processor can, and reads quantised layers' inputs in
# eight bits: faster, and as far from the model that was tuned as a whole step of quantisation.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def where(settings: dict[str, Any], on: str) -> None:
    """Have a package run elsewhere, before its first answer: "cpu" is this processor in the device's place.

    Args:
        settings: the package's own; `open_session` gets its device and place. on: "cpu", a place of OpenVINO's, or "".

    Raises:
        InputError: such a package has no such place.
    """
    device = settings["device"]
    if on not in ("", "cpu") and device != "openvino":
        raise InputError(f"A package for {device} runs there, or with --on cpu on this processor; not on {on!r}.")
    settings |= {"device": "cpu"} if on == "cpu" else {"place": on}


class Session(Protocol):
    """A graph that is loaded.

    Attributes:
        inputs, outputs: their names, in the order of the graph; an output may have more than one.
    """

    inputs: list[str]
    outputs: list[str]

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass: all outputs by name."""

    def type_of(self, name: str) -> np.dtype[Any]:
        """The type of an input's numbers."""

    def shape_of(self, name: str) -> list[int | None]:
        """The lengths of an input's axes; None for one that may have any."""


class OrtSession:
    """A graph in onnxruntime; see Session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._given = {value.name: value for value in session.get_inputs()}
        self.inputs = list(self._given)
        self.outputs = [value.name for value in session.get_outputs()]

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Session."""
        return dict(zip(self.outputs, self._session.run(self.outputs, feeds), strict=True))

    def type_of(self, name: str) -> np.dtype[Any]:
        """See Session."""
        import numpy as np

        kind = self._given[name].type.removeprefix("tensor(").removesuffix(")")
        return np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))

    def shape_of(self, name: str) -> list[int | None]:
        """See Session."""
        return [axis if isinstance(axis, int) else None for axis in self._given[name].shape]


class VinoSession:
    """A graph in OpenVINO; see Session."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._given = {port.get_node().get_friendly_name(): port for port in compiled.inputs}
        # One array may have several names: that of the graph's output, and those of what it passed on the way.
        self._made = {name: port for port in compiled.outputs for name in sorted(port.get_names())}
        self.inputs, self.outputs = list(self._given), list(self._made)

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Session."""
        found = self._request.infer(feeds)
        return {name: found[port] for name, port in self._made.items()}

    def type_of(self, name: str) -> np.dtype[Any]:
        """See Session."""
        import numpy as np

        return np.dtype(self._given[name].get_element_type().to_dtype())

    def shape_of(self, name: str) -> list[int | None]:
        """See Session."""
        return [axis.get_length() if axis.is_static else None for axis in self._given[name].get_partial_shape()]


def open_session(path: Path, device: str, threads: int | None = None, place: str = "") -> Session:
    """Load a graph for a device.

    Args:
        device: a key of core.export.targets.TARGETS. threads: of the processor; None: what the runtime takes.
        place: one of PLACES, for OpenVINO alone; "": the processor, in float32.

    Raises:
        InputError: the runtime here does not run the device, or OpenVINO has no such place.
    """
    if device == "openvino":
        return VinoSession(_compiled(path, place or "CPU", threads))
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # under Windows; elsewhere it is the environment that counts (telemetry.py)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: what it remarks on a graph means nothing to whoever runs it
    if threads is not None:
        options.intra_op_num_threads = threads
    if device in PLUGINS:
        _plug(onnxruntime, options, device)
        return OrtSession(onnxruntime.InferenceSession(str(path), options))
    provider = PROVIDERS.get(device, "")
    if provider not in onnxruntime.get_available_providers():
        raise InputError(
            f"The onnxruntime here does not run models on {device}: install what requirements.txt names, "
            "or take --on cpu."
        )
    return OrtSession(onnxruntime.InferenceSession(str(path), options, providers=[provider]))


def plugin(device: str) -> Any:
    """The module of the plug-in that runs a device (get_ep_name, get_library_path); None where it needs none.

    Raises:
        InputError: it is not installed.
    """
    if device not in PLUGINS:
        return None
    try:
        return importlib.import_module(PLUGINS[device][0])
    except ImportError:
        raise InputError(
            f"What runs models on {device} is not here: install what requirements.txt names, or take --on cpu."
        ) from None


def _plug(onnxruntime: Any, options: Any, device: str) -> None:
    """Have a plug-in run the graph on its device. InputError: it is not installed, or finds no such device."""
    library, (name, wanted) = plugin(device), PLUGINS[device]
    provider = library.get_ep_name()
    if not any(found.ep_name == provider for found in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library(provider, library.get_library_path())
    found = [one for one in onnxruntime.get_ep_devices() if one.ep_name == provider]
    if device == "qnn":  # it finds the GPU and the processor of a Snapdragon, too
        found = [one for one in found if one.device.type == onnxruntime.OrtHardwareDeviceType.NPU]
        wanted = {**wanted, "backend_path": library.get_qnn_htp_path()}
    if not found:
        raise InputError(f"{name} finds no device here: try the machine that the package is for, or take --on cpu.")
    options.add_provider_for_devices(found[:1], wanted)


def _compiled(path: Path, place: str, threads: int | None) -> Any:
    """A graph in OpenVINO. InputError: OpenVINO is not installed, or there is no such place here."""
    # Importing openvino sends a note of that to its makers unless this package is missing; then it is silent.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise InputError("OpenVINO is not installed here: install what requirements.txt names.") from None
    core = openvino.Core()
    if place not in PLACES or place not in (*core.available_devices, "AUTO"):
        raise InputError(
            f"OpenVINO has no {place} here, but {', '.join(core.available_devices)}. Give --on one of these."
        )
    options: dict[str, Any] = dict(EXACT) if place == "CPU" else {}
    if threads is not None and place == "CPU":
        options["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(str(path), place, options)

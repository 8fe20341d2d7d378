"""A graph that runs: arrays go in and come out by name, whatever runs it. Light until a session is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "mobile": "CPUExecutionProvider",  # a desktop stands in for the phone
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
}


class Session:
    """A graph in onnxruntime.

    Attributes:
        inputs, outputs: their names, in the order of the graph.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = [value.name for value in session.get_inputs()]
        self.outputs = [value.name for value in session.get_outputs()]

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One pass: all outputs by name."""
        return dict(zip(self.outputs, self._session.run(self.outputs, feeds), strict=True))


def open_session(path: Path, device: str, threads: int | None = None) -> Session:
    """Load a graph for a device.

    Args:
        device: a key of core.export.targets.TARGETS. threads: of the processor; None: what onnxruntime takes.

    Raises:
        InputError: the runtime here has no provider for the device.
    """
    import onnxruntime

    provider = PROVIDERS.get(device, "")
    if provider not in onnxruntime.get_available_providers():
        raise InputError(f"The onnxruntime here does not run models on {device}: install what requirements.txt names.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: what it remarks on a graph means nothing to whoever runs it
    if threads is not None:
        options.intra_op_num_threads = threads
    return Session(onnxruntime.InferenceSession(str(path), options, providers=[provider]))

"""From a torch module to an ONNX program: torch's exporter, at the one operator set that is right everywhere."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch

# At 23 decoders come out wrong in batches (the shapes of RotaryEmbedding); at 20 all that is exported here is right.
OPSET = 20
INNER = "model."  # what every wrapper here calls the model in it, and so the exporter writes before each weight's name


def trace(
    module: torch.nn.Module,
    inputs: dict[str, Any],
    dynamic_shapes: dict[str, Any],
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> Any:
    """Trace a module's forward; returns the torch.onnx.ONNXProgram, for `core.export.graphs.clean.save`.

    Args:
        module: in eval mode.
        inputs: keyword arguments of forward: no dynamic axis of length 0 or 1, which would be taken for fixed.
        dynamic_shapes: for each of them {axis: its name}, nested as the inputs are.
        input_names, output_names: of the graph, in the order of the flattened inputs and outputs. No output may have a
            name that a node gives itself (such as "embedding"): the exporter then writes a file that does not load.

    Raises:
        torch.onnx.errors.OnnxExporterError: this module cannot be traced.
    """
    with quiet(), torch.no_grad():
        return torch.onnx.export(
            module,
            (),
            kwargs=inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=dynamic_shapes,
            verbose=False,
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without torch's complaints about itself: deprecated names that it uses, and a torchvision that nobody needs."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning, UserWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        logger.setLevel(level)

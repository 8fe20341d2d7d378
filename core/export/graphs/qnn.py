"""Graphs of models that read for a Snapdragon's NPU: every size fixed, and weights and activations as integers.

    fix(full, out, length)                   # one row of so many tokens; weights stay as they are
    integers(full, out, length, rows, pad_id)   # the same, with scales measured on real rows

What the NPU wants is from onnxruntime's page on QNN: fixed shapes, and a graph in QDQ form with activations in 16 bits
and weights in 8, which keeps a transformer's answers where 8 bits for both lose some. No NPU was at hand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.export.graphs.clean import write
from core.export.graphs.quantize import Feeds, silent

BATCH, SEQUENCE = "batch", "sequence"  # the axes of a reader's graph, see core.export.graphs.reader
# What is added to the score of a token that must not be seen. The model says minus infinity, or the least number that a
# float holds: a scale that reaches so far leaves nothing of the scores themselves. e**-100 is nothing just as well.
UNSEEN = -100.0


def fix(full: Path, out: Path, length: int) -> None:
    """Write a reader's graph for one row of `length` tokens.

    Raises:
        OSError: the disk is full.
    """
    write(_fixed(full, length, optimise=False), out)


def integers(full: Path, out: Path, length: int, rows: Iterable[Feeds], pad_id: int) -> None:
    """Write a reader's graph in float32 for one row of `length` tokens, in QDQ form.

    Args:
        rows: what the graph is fed, name -> array (1, up to `length`); each is run once, and the widest range of every
            activation is kept. Shorter ones are filled up. pad_id: what fills input_ids.

    Raises:
        InputError: (field export.calibration) there are no rows. OSError: the disk is full.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config

    every = [
        {name: _filled(value, length, pad_id if name == "input_ids" else 0) for name, value in row.items()}
        for row in rows
    ]
    if not every:
        raise no_rows()

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        """The rows, as often as they are asked for."""

        def __init__(self) -> None:
            self.rewind()

        def get_next(self) -> Feeds | None:
            """The next row; None behind the last."""
            return next(self.left, None)

        def rewind(self) -> None:
            """Begin anew."""
            self.left = iter(every)

    model = _fixed(full, length, optimise=True)
    _bound(model.graph)
    with tempfile.TemporaryDirectory(prefix=".quantizing-", dir=out.parent) as folder, silent():
        ready, made = Path(folder) / "ready.onnx", Path(folder) / "made.onnx"
        write(model, ready)
        config = get_qnn_qdq_config(ready, Reader(), activation_type=QuantType.QUInt16, weight_type=QuantType.QUInt8)
        config.use_external_data_format = ready.with_name("ready.onnx.data").exists()
        quantize(ready, made, config)
        write(onnx.load(made), out)


def no_rows() -> InputError:
    """What is said where there is nothing to measure scales on."""
    return InputError(
        "An NPU's scales are measured on rows to train on, and a model without a run has none: export a run.",
        "export.calibration",
    )


def _fixed(full: Path, length: int, optimise: bool) -> Any:
    """The graph with its axes as numbers. optimise: what follows from them alone is reckoned out.

    A graph in float16 is left as it is: what onnxruntime makes of it here is made for a processor, in float32.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process
    from onnxruntime.tools.onnx_model_utils import fix_output_shapes, make_dim_param_fixed

    model = onnx.load(full)
    make_dim_param_fixed(model.graph, BATCH, 1)
    make_dim_param_fixed(model.graph, SEQUENCE, length)
    fix_output_shapes(model)
    with tempfile.TemporaryDirectory(prefix=".fixing-", dir=full.parent) as folder, silent():
        given, ready = Path(folder) / "given.onnx", Path(folder) / "ready.onnx"
        write(model, given)
        large = given.with_name("given.onnx.data").exists()
        more: dict[str, Any] = {"save_as_external_data": True, "external_data_location": "ready.data"} if large else {}
        quant_pre_process(given, ready, skip_optimization=not optimise, skip_symbolic_shape=True, **more)
        found = onnx.load(ready)
    _plain(found.graph)
    return found


def _plain(graph: Any) -> None:
    """Leave out what torch adds for rows in which no token may be seen (0 for NaN), which the NPU has no part for."""
    made = {name: node for node in graph.node for name in node.output}
    instead: dict[str, str] = {}
    for node in list(graph.node):
        test = made.get(node.input[0]) if node.op_type == "Where" else None
        if test is not None and test.op_type == "IsNaN" and test.input[0] == node.input[2]:
            instead[node.output[0]] = node.input[2]
            graph.node.remove(node)
            if test in graph.node:
                graph.node.remove(test)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = instead.get(name, name)


def _bound(graph: Any) -> None:
    """Let what hides a token be a number that a scale can reach; see UNSEEN."""
    from onnx import numpy_helper

    constants = [*graph.initializer]
    constants += [field.t for node in graph.node if node.op_type == "Constant" for field in node.attribute]
    for constant in constants:
        numbers = numpy_helper.to_array(constant) if constant.data_type == constant.FLOAT else np.zeros(0, np.float32)
        if numbers.size and numbers.min() < 100 * UNSEEN:
            bound = np.where(numbers < 100 * UNSEEN, np.float32(UNSEEN), numbers).astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(bound, constant.name))


def _filled(row: np.ndarray, length: int, fill: int) -> np.ndarray:
    """One row (1, n), filled to (1, length)."""
    return np.pad(row[:, :length], ((0, 0), (0, max(0, length - row.shape[1]))), constant_values=fill)

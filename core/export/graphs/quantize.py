"""Smaller weights in a graph that stands: eight bits, dynamic or calibrated on real rows, or four bits in blocks.

    dynamic(full, out)                               # int8: the scales of what is read are found while it runs
    static(full, out, rows)                          # int8: they are measured now, on real rows
    four_bits(full, out, block_size=32, accuracy_level=4)

Each takes a graph in float32 and writes another file. Figures behind the choices (a BERT of 14 million weights, tuned,
on 268 rows): dynamic over all operators keeps every label at a quarter of the size; static over all operators changes a
third of the labels, over MatMul and Gemm alone one in 268.

Weights are unsigned. Signed ones beside unsigned activations overflow the 16 bits that processors without VNNI (AVX2,
many of those in use) add up in: the same file would then answer otherwise there than where it was compared.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.export.graphs.clean import LARGEST_FILE, clean

Feeds = dict[str, np.ndarray]
MULTIPLIED = ("MatMul", "Gemm")  # what static scales are kept to; see above
FEWEST = 16  # columns: a head of fewer outputs stays as it is in four bits, where it would save nothing and cost most


def dynamic(full: Path, out: Path, ops: Sequence[str] | None = None) -> None:
    """Weights in eight bits, a scale for each output channel; activations are scaled as they come, tensor by tensor.

    ops: types of the operators whose weights become smaller; None: of all that can.

    Raises:
        OSError: the disk is full.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _prepared(full) as (ready, large):
        more: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QUInt8, "use_external_data_format": large}
        quantize_dynamic(ready, out, op_types_to_quantize=ops and list(ops), **more)
    clean(out)


def static(full: Path, out: Path, rows: Iterable[Feeds]) -> None:
    """Weights and activations of the matrix products in eight bits, the latter scaled by what real rows make of them.

    Args:
        rows: what the graph is fed, name -> array; each is run once, and the widest range of every activation is kept.

    Raises:
        InputError: (field export.calibration) there are no rows. OSError: the disk is full.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        """The rows, one after the other."""

        def __init__(self) -> None:
            self.left = iter(rows)
            self.given = 0

        def get_next(self) -> Feeds | None:
            """The next row; None behind the last."""
            found = next(self.left, None)
            self.given += found is not None
            return found

    reader = Reader()
    with _prepared(full) as (ready, large):
        try:
            quantize_static(
                ready,
                out,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(MULTIPLIED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QUInt8,
                use_external_data_format=large,
            )
        except ValueError:
            if reader.given:
                raise
            raise InputError(
                "Static scales are measured on rows to train on, and there are none: give data, or take dynamic ones.",
                "export.calibration",
            ) from None
    clean(out)


def four_bits(full: Path, out: Path, *, block_size: int = 32, accuracy_level: int = 4) -> None:
    """Weights of matrix products in four bits, symmetric, a scale for each block of one column.

    Args:
        block_size: weights that share a scale. accuracy_level: of MatMulNBits, see core.export.options.

    Raises:
        OSError: the disk is full.
    """
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(onnx.load(full))
    model.replace_gemm_with_matmul()
    sizes = {weight.name: weight.dims[-1] for weight in model.initializer() if weight.dims}
    small = [n.name for n in model.nodes() if n.op_type == "MatMul" and sizes.get(n.input[1], FEWEST) < FEWEST]
    made = MatMulNBitsQuantizer(
        model.model,
        bits=4,
        block_size=block_size,
        is_symmetric=True,
        accuracy_level=accuracy_level,
        nodes_to_exclude=small,
    )
    with silent():
        made.process()
    made.model.save_model_to_file(str(out), made.model.model.ByteSize() > LARGEST_FILE)
    clean(out)


@contextlib.contextmanager
def _prepared(full: Path) -> Iterator[tuple[Path, bool]]:
    """The graph with its shapes written in, in a file for a while; and whether its weights lie beside it.

    Symbolic shape inference does not know what torch's exporter writes today: onnx's own goes far enough.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    large = any(full.parent.glob(f"{full.name}.data")) or full.stat().st_size > LARGEST_FILE
    with tempfile.TemporaryDirectory(prefix=".quantizing-", dir=full.parent) as folder, silent():
        ready = Path(folder) / "ready.onnx"
        more: dict[str, Any] = {"save_as_external_data": True, "external_data_location": "ready.data"} if large else {}
        quant_pre_process(full, ready, skip_symbolic_shape=True, **more)
        yield ready, large


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without the remarks of onnxruntime's tools, which speak through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)

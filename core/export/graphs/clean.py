"""ONNX files that tell nothing of this machine: an exporter notes its stack traces, with paths, beside every node.

clean(path)           # a file as it lies on disk, whoever wrote it; external data stay where they are
save(program, path)   # what torch.onnx.export returned: written, in two files where it is large, and cleaned
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# A protobuf, and so a file without external data, holds 2 GiB at most. Above this the weights lie beside it.
LARGEST_FILE = 1536 * 2**20
NOTES = ("doc_string", "metadata_props")


def clean(path: Path) -> None:
    """Take the notes out of every part of a model file: nodes, values, weights, functions, graphs, subgraphs, model.

    The weights themselves are not read where they lie beside the file. The same model gives the same bytes.

    Raises:
        OSError: the file cannot be read or written. google.protobuf.message.DecodeError: it is no model.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    _strip(model)
    # torch and the builder write the git revision of whatever lies around them behind a plus sign.
    model.producer_version = model.producer_version.partition("+")[0]
    half = path.with_name(f".{path.name}.part")
    try:
        half.write_bytes(model.SerializeToString(deterministic=True))
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)


def save(program: Any, path: Path, *, largest: int = LARGEST_FILE) -> None:
    """Write what `torch.onnx.export(dynamo=True)` returned, without its notes.

    Args:
        program: a torch.onnx.ONNXProgram. path: model.onnx; weights of more than `largest` bytes in all go to
            model.onnx.data beside it.

    Raises:
        OSError: the disk is full.
    """
    weights = program.model.graph.initializers.values()
    size = sum(value.const_value.nbytes for value in weights if value.const_value is not None)
    program.save(str(path), external_data=size > largest)
    clean(path)


def write(model: Any, path: Path, *, largest: int = LARGEST_FILE) -> None:
    """Write an onnx.ModelProto that is whole in memory, as `save` does. OSError: the disk is full."""
    import onnx

    _strip(model)
    model.producer_version = model.producer_version.partition("+")[0]
    data = path.with_name(f"{path.name}.data")
    data.unlink(missing_ok=True)  # onnx would append to it
    size = sum(len(weight.raw_data) for weight in model.graph.initializer)
    if size > largest:
        onnx.save(model, path, save_as_external_data=True, location=data.name, size_threshold=1024)
    else:
        path.write_bytes(model.SerializeToString(deterministic=True))


def _strip(message: Any) -> None:
    """Clear the notes of a protobuf message and of every message in it."""
    for field, value in message.ListFields():
        if field.name in NOTES:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                _strip(part)

"""A decoder to ONNX, by the route of its family: the model builder, or torch's exporter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError
from core.export.graphs import builder, families
from core.export.options import Options
from core.runs.files import read_json

if TYPE_CHECKING:
    import torch

ALONE = "shared_embeddings=false"  # of the builder's options; the exporter's graphs heed it, too


def build(
    folder: Path,
    device: str,
    options: Options,
    out: Path,
    *,
    end_ids: Iterable[int],
    pad_id: int,
    extra: Sequence[str] = (),
    tied: bool = True,
    model: Any = None,
    loaded: Callable[[], Any] | None = None,
) -> None:
    """Write model.onnx, its data, genai_config.json and the tokenizer's files, whichever family the model is of.

    Args:
        folder, device, options, out, end_ids, pad_id, extra, tied, loaded: see `core.export.graphs.builder.build`.
        model: the same model in float32 on the CPU, so that it is not loaded twice; or with an adapter that cannot be
            merged (a peft.PeftModel), which then is a part of the graph.

    Raises:
        InputError: it is of no family that is exported, not for this device, or has an adapter that no graph can hold.
        OSError: the disk is full. RuntimeError: the builder failed or wrote nothing.
    """
    config = read_json(folder / "config.json") or {}
    families.check_family(config)
    by = "exporter" if model is not None and adapted(model) else families.route(config)
    families.check_device(config, options, device, by)
    if by == "builder":
        builder.build(
            folder, device, options, out, end_ids=end_ids, pad_id=pad_id, extra=extra, tied=tied, loaded=loaded
        )
        return
    from core.export.graphs.exported import dtype_of, export_decoder

    small = options.precision == "int4"
    out.mkdir(parents=True, exist_ok=True)
    export_decoder(
        _loaded(folder, dtype_of(options.precision, device), model),
        out,
        end_ids=end_ids,
        pad_id=pad_id,
        precision=options.precision,
        device=device,
        tied=tied,
        block_size=options.block_size if small else 32,
        accuracy_level=options.accuracy_level if small else 4,
        share=ALONE not in extra and options.device != "openvino",  # whose reader of ONNX refuses such an embedding
    )
    builder.copy_tokenizer(folder, out)


def adapted(model: Any) -> bool:
    """Whether a model holds an adapter that was not merged. InputError where no graph can hold it."""
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return False
    if model.peft_config[model.active_adapter].is_prompt_learning:
        raise InputError(
            "A prompt that was tuned stands in front of the text as vectors, and a package takes tokens. "
            "Train with LoRA or a bottleneck adapter for a model that can be exported.",
            "method.name",
        )
    return True


def _loaded(folder: Path, dtype: torch.dtype, model: Any) -> Any:
    """The model to trace, in the type that its graph is to have."""
    import torch

    from core.models.load import load_base

    if model is not None and adapted(model):
        inner = model.get_base_model()  # the adapter's layers are in it
        return inner if dtype == torch.float32 else copy.deepcopy(inner).to(dtype)
    if model is not None and dtype == torch.float32:
        return model
    return load_base(str(folder), dtype=dtype)

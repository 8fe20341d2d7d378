"""Decoders to ONNX, by the model builder of onnxruntime-genai; what it writes is put right before anybody runs it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export.frugal import give_back
from core.export.graphs import families
from core.export.graphs.blocks import one_at_a_time
from core.export.graphs.clean import clean
from core.export.graphs.genai import put_right
from core.export.options import Options
from core.runs.files import read_json

# A cache as short as the sliding window fails where a text is shorter than the window (onnxruntime-genai 0.18: "KV
# cache capacity must be at least local_window_size"): every layer gets a whole one. The norms of queries and keys
# (Qwen 3, Gemma 3) are not fused into attention, which only GPUs can: neither `cpu` in fp16 nor a processor in a GPU's
# place could run it. The Hub is never asked.
OPTIONS = ["hf_token=false", "windowed_kv_cache=false", "fuse_qk_norm_gqa=false"]
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "added_tokens.json",
)


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
    loaded: Callable[[], Any] | None = None,
) -> None:
    """Write model.onnx, its data, genai_config.json and the tokenizer's files as they stand.

    Args:
        folder: a whole model (config, safetensors, tokenizer): an adapter is merged before.
        device: the builder's name of it. options: precision, block_size and accuracy_level count here.
        extra: further NAME=VALUE of the builder's extra options.
        tied: the runtime is told to run it on the device; else it runs on the processor.
        loaded: gives the same model from memory, for nobody else to keep; None: it is loaded from the folder.
        out: made where it is not there.
        end_ids: the tokens that end an answer, all of them. pad_id: what shorter rows of a batch are filled with, on
            their right (the runtime gives wrong tokens for rows that are filled on the left).

    Raises:
        InputError: the builder does not make this model. OSError: the disk is full. RuntimeError: the builder
        failed or wrote nothing.
    """
    config = read_json(folder / "config.json") or {}
    name = families.check_family(config)
    if families.route(config) != "builder":
        raise InputError(
            f"The builder does not make this {name}, and an adapter stays apart only in what it makes. "
            "Export it merged, or take one of these families: " + ", ".join(families.BUILDER.values()) + ".",
            "model.path",
        )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".builder-", dir=out.parent) as cache, _quiet():
        _create(folder, out, options, device, cache, extra, loaded)
    if not (out / "model.onnx").exists():
        raise RuntimeError("The builder ended without a model.")
    clean(out / "model.onnx")
    put_right(out / "genai_config.json", end_ids=end_ids, pad_id=pad_id, tied=tied)
    copy_tokenizer(folder, out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """The tokenizer's files as they stand: what AutoTokenizer makes of them may give other ids."""
    for name in TOKENIZER_FILES:
        (out / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)


def _create(
    folder: Path,
    out: Path,
    options: Options,
    device: str,
    cache: str,
    extra: Sequence[str],
    loaded: Callable[[], Any] | None,
) -> None:
    """Call the builder as its command line does, on local files alone."""
    import huggingface_hub.constants
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    before, huggingface_hub.constants.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE, True
    try:
        wanted = [*OPTIONS, *extra]
        if options.precision == "int4":
            wanted += [f"block_size={options.block_size}", f"accuracy_level={options.accuracy_level}"]
        parsed = parse_extra_options("", str(folder), str(out), options.precision, device, cache, wanted)
        _adapt(parsed["hf_details"]["hf_config"])
        with _no_places_where_there_are_none(), one_at_a_time(), _from_memory(loaded):
            create_model("", str(folder), str(out), options.precision, device, cache, **parsed)
    except NotImplementedError as error:
        raise InputError(f"The builder does not make this model: {error}", "model.path") from None
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before
        give_back()  # the builder's model is held in circles


def _adapt(config: Any) -> None:
    """What a transformers 5 config says, said once more where the builder looks for it.

    Gemma 3's rotary settings lie by kind of layer, and are read flat. Mistral's and Phi-3's window holds for all
    layers, and is read only where each layer says that it slides: else texts longer than the window come out wrong.
    What LayerNorm adds under the root goes by the name that RMSNorm has. LongRoPE is looked up by its old name.
    """
    rope = getattr(config, "rope_parameters", None)
    if isinstance(rope, dict) and "full_attention" in rope and "sliding_attention" in rope:
        config.rope_local_base_freq = rope["sliding_attention"]["rope_theta"]
        config.rope_theta = rope["full_attention"]["rope_theta"]
        config.rope_parameters = dict(rope["full_attention"])
    if config.model_type in ("mistral", "phi3") and config.sliding_window is not None:
        config.layer_types = ["sliding_attention"] * config.num_hidden_layers
    said = config.to_dict()
    for name in ("layer_norm_eps", "norm_eps"):
        if said.get(name) is not None:
            config.rms_norm_eps = said[name]
    if config.model_type == "phi3" and isinstance(rope, dict) and rope.get("rope_type") == "longrope":
        config.rope_parameters = rope | {"type": "longrope"}


@contextlib.contextmanager
def _no_places_where_there_are_none() -> Iterator[None]:
    """Some layers of SmolLM3 know no positions: the builder (0.18) stops there, since the graph has no positions."""
    from onnxruntime_genai.models import builder

    theirs = builder.SmolLM3Model

    class Ours(theirs):  # type: ignore[misc, valid-type]
        def make_attention(self, layer_id: int, attention: Any, root_input: str, **more: Any) -> None:
            self.attention_attrs["rope"] = bool(self.no_rope_layers[layer_id])
            super().make_attention(layer_id, attention, root_input, **more)

    builder.SmolLM3Model = Ours
    try:
        yield
    finally:
        builder.SmolLM3Model = theirs


@contextlib.contextmanager
def _from_memory(loaded: Callable[[], Any] | None) -> Iterator[None]:
    """The builder takes the model that there is already."""
    from onnxruntime_genai.models.builder import Model

    theirs = Model.load_weights
    if loaded is not None:
        Model.load_weights = lambda self, path: loaded()
    try:
        yield
    finally:
        Model.load_weights = theirs


@contextlib.contextmanager
def _quiet() -> Any:
    """The builder prints: its words go to standard error, its notes on each weight nowhere."""
    logger = logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)

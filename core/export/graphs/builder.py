"""Decoders to ONNX, by the model builder of onnxruntime-genai; what it writes is put right before anybody runs it."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export.options import Options
from core.runs.files import read_json

# Architectures that the builder makes and that tests hold here: built, loaded and compared with PyTorch.
FAMILIES: dict[str, str] = {
    "LlamaForCausalLM": "Llama",
    "MistralForCausalLM": "Mistral",
    "Qwen2ForCausalLM": "Qwen2",
    "Qwen3ForCausalLM": "Qwen3",
    "Phi3ForCausalLM": "Phi-3",
    "Gemma2ForCausalLM": "Gemma 2",
    "Gemma3ForCausalLM": "Gemma 3",
}
# A cache as short as the sliding window fails where a text is shorter than the window (onnxruntime-genai 0.18: "KV
# cache capacity must be at least local_window_size"): every layer gets a whole one. The Hub is never asked.
OPTIONS = ["hf_token=false", "windowed_kv_cache=false"]
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "added_tokens.json",
)


def check_family(config: Mapping[str, Any]) -> str:
    """The architecture that a config.json names. InputError where it is none that is built; imports nothing heavy."""
    name = next(iter(config.get("architectures") or ()), "")
    if name not in FAMILIES:
        raise InputError(
            f"A {name or 'model without an architecture'} cannot be exported yet. "
            f"These families can: {', '.join(FAMILIES.values())}.",
            "model.path",
        )
    if config.get("quantization_config"):
        raise InputError(
            "This model's weights are quantised already, and quantising twice would spoil them. "
            "Export the original model, and choose int8 or int4 here.",
            "model.path",
        )
    if name == "Gemma3ForCausalLM":
        rope = (config.get("rope_parameters") or {}).get("full_attention") or config.get("rope_scaling") or {}
        if rope.get("rope_type", "default") != "default":
            raise InputError(
                "This Gemma 3 stretches its positions (scaled RoPE), which the builder gets wrong. "
                "The 270M and 1B models export.",
                "model.path",
            )
    return str(name)


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
) -> None:
    """Write model.onnx, its data, genai_config.json and the tokenizer's files as they stand.

    Args:
        folder: a whole model (config, safetensors, tokenizer): an adapter is merged before.
        device: the builder's name of it. options: precision, block_size and accuracy_level count here.
        extra: further NAME=VALUE of the builder's extra options.
        tied: the runtime is told to run it on the device; else it runs on the processor.
        out: made where it is not there.
        end_ids: the tokens that end an answer, all of them. pad_id: what shorter rows of a batch are filled with, on
            their right (the runtime gives wrong tokens for rows that are filled on the left).

    Raises:
        InputError: the architecture is none that is exported. OSError: the disk is full. RuntimeError: the builder
        failed or wrote nothing.
    """
    check_family(read_json(folder / "config.json") or {})
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".builder-", dir=out.parent) as cache, _quiet():
        _create(folder, out, options, device, cache, extra)
    if not (out / "model.onnx").exists():
        raise RuntimeError("The builder ended without a model.")
    _clean(out / "model.onnx")
    _configure(out / "genai_config.json", end_ids=sorted(end_ids), pad_id=pad_id, tied=tied)
    for name in TOKENIZER_FILES:  # the builder saves what AutoTokenizer made of them, which may give other ids
        (out / name).unlink(missing_ok=True)
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)


def _create(folder: Path, out: Path, options: Options, device: str, cache: str, extra: Sequence[str]) -> None:
    """Call the builder as its command line does, on local files alone."""
    import huggingface_hub.constants
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    before, huggingface_hub.constants.HF_HUB_OFFLINE = huggingface_hub.constants.HF_HUB_OFFLINE, True
    try:
        wanted = [*OPTIONS, *extra]
        if options.precision == "int4":
            wanted += [f"int4_block_size={options.block_size}", f"int4_accuracy_level={options.accuracy_level}"]
        parsed = parse_extra_options("", str(folder), str(out), options.precision, device, cache, wanted)
        _adapt(parsed["hf_details"]["hf_config"])
        create_model("", str(folder), str(out), options.precision, device, cache, **parsed)
    except NotImplementedError as error:
        raise InputError(f"The builder does not make this model: {error}", "model.path") from None
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


def _adapt(config: Any) -> None:
    """What a transformers 5 config says, said once more where the builder looks for it.

    Gemma 3's rotary settings lie by kind of layer, and are read flat. Mistral's and Phi-3's window holds for all
    layers, and is read only where each layer says that it slides: else texts longer than the window come out wrong.
    """
    rope = getattr(config, "rope_parameters", None)
    if isinstance(rope, dict) and "full_attention" in rope and "sliding_attention" in rope:
        config.rope_local_base_freq = rope["sliding_attention"]["rope_theta"]
        config.rope_theta = rope["full_attention"]["rope_theta"]
        config.rope_parameters = dict(rope["full_attention"])
    if config.model_type in ("mistral", "phi3") and config.sliding_window is not None:
        config.layer_types = ["sliding_attention"] * config.num_hidden_layers


def _clean(path: Path) -> None:
    """Take out what tells of this machine: notes of the exporter, and the git revision of whatever lies around it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    model.producer_version = model.producer_version.partition("+")[0]
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (model.graph.node, model.graph.value_info, model.graph.input, model.graph.output):
        for item in part:
            item.doc_string = ""
            del item.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


def _configure(path: Path, *, end_ids: list[int], pad_id: int, tied: bool) -> None:
    """All end tokens, a pad token for batches, and greedy search: what was compared is what runs."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if not tied:
        config["model"]["decoder"]["session_options"]["provider_options"] = []
    config["model"].update(eos_token_id=end_ids, pad_token_id=pad_id)
    config["search"].update(
        do_sample=False,
        num_beams=1,
        temperature=1.0,
        top_k=1,
        top_p=1.0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        length_penalty=1.0,
        diversity_penalty=0.0,
    )
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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

"""Which decoders can be exported, and by which of two routes; each stands here because a test or the table in
docs/export_families.md holds its answers against PyTorch's. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from core.errors import InputError
from core.export.options import Options

Route = Literal["builder", "exporter"]

# The model builder of onnxruntime-genai: small, fast graphs with fused attention.
BUILDER: dict[str, str] = {
    "LlamaForCausalLM": "Llama",
    "MistralForCausalLM": "Mistral",
    "Qwen2ForCausalLM": "Qwen2",
    "Qwen3ForCausalLM": "Qwen3",
    "Phi3ForCausalLM": "Phi-3",
    "PhiForCausalLM": "Phi",
    "GemmaForCausalLM": "Gemma",
    "Gemma2ForCausalLM": "Gemma 2",
    "Gemma3ForCausalLM": "Gemma 3",
    "SmolLM3ForCausalLM": "SmolLM3",
    "GraniteForCausalLM": "Granite",
    "NemotronForCausalLM": "Nemotron",
    "Ernie4_5ForCausalLM": "Ernie 4.5",
    "HunYuanDenseV1ForCausalLM": "HunYuan",
}
# torch's exporter: everything else that keeps one key and one value of every token. OLMo is known to the builder, which
# takes its LayerNorm for an RMSNorm (0.18).
EXPORTER: dict[str, str] = {
    "GPT2LMHeadModel": "GPT-2",
    "GPTNeoForCausalLM": "GPT-Neo",
    "GPTNeoXForCausalLM": "GPT-NeoX",
    "GPTJForCausalLM": "GPT-J",
    "GPTBigCodeForCausalLM": "GPT-BigCode",
    "CodeGenForCausalLM": "CodeGen",
    "OPTForCausalLM": "OPT",
    "BloomForCausalLM": "BLOOM",
    "FalconForCausalLM": "Falcon",
    "XGLMForCausalLM": "XGLM",
    "BioGptForCausalLM": "BioGPT",
    "PersimmonForCausalLM": "Persimmon",
    "StableLmForCausalLM": "StableLM",
    "Starcoder2ForCausalLM": "StarCoder2",
    "OlmoForCausalLM": "OLMo",
    "Olmo2ForCausalLM": "OLMo 2",
    "Olmo3ForCausalLM": "OLMo 3",
    "CohereForCausalLM": "Command R",
    "Cohere2ForCausalLM": "Command R7B",
    "GlmForCausalLM": "GLM",
    "Glm4ForCausalLM": "GLM-4",
    "HeliumForCausalLM": "Helium",
    "Exaone4ForCausalLM": "EXAONE 4",
    "ArceeForCausalLM": "Arcee",
    "ApertusForCausalLM": "Apertus",
    "SeedOssForCausalLM": "Seed-OSS",
    "MinistralForCausalLM": "Ministral",
}
# Stretched positions that the builder reckons right, beside plain ones. It knows more by name and gets them wrong, or
# passes over them in silence (Llama's linear and YaRN): those go by the exporter.
STRETCHED = {
    "LlamaForCausalLM": {"llama3", "dynamic"},
    "Phi3ForCausalLM": {"longrope"},
    "HunYuanDenseV1ForCausalLM": {"dynamic"},
}
UNTRACEABLE = {"dynamic", "longrope"}  # they look at how long the text is, which a graph of the exporter does not


def check_weights(config: Mapping[str, Any]) -> None:
    """InputError where a config.json says that its weights are quantised already."""
    if config.get("quantization_config"):
        raise InputError(
            "This model's weights are quantised already, and quantising twice would spoil them. "
            "Export the original model, and choose int8 or int4 here.",
            "model.path",
        )


def check_family(config: Mapping[str, Any]) -> str:
    """The architecture that a config.json names. InputError where it is none that is exported."""
    name = str(next(iter(config.get("architectures") or ()), ""))
    if name not in BUILDER and name not in EXPORTER:
        raise InputError(
            f"A {name or 'model without an architecture'} cannot be exported yet. "
            f"These families can: {', '.join([*BUILDER.values(), *EXPORTER.values()])}.",
            "model.path",
        )
    check_weights(config)
    route(config)
    return name


def route(config: Mapping[str, Any]) -> Route:
    """How a family that `check_family` knows is exported. InputError: neither route gets its positions right."""
    name = str(next(iter(config["architectures"])))
    kinds = _stretched(config)
    if name in BUILDER and kinds <= STRETCHED.get(name, set()) and not _passed_over(name, config):
        return "builder"
    if kinds & UNTRACEABLE:
        raise InputError(
            f"This {(BUILDER | EXPORTER)[name]} stretches its positions by the length of the text "
            f"({', '.join(sorted(kinds & UNTRACEABLE))} RoPE), which no export gets right. "
            "Export one that does not, or one that stretches them evenly (linear, YaRN, llama3).",
            "model.path",
        )
    return "exporter"


def check_device(config: Mapping[str, Any], options: Options, device: str, by: Route | None = None) -> None:
    """InputError where this model cannot be made so for this device, as the builder names it.

    Args:
        by: the route, where it is not the family's own.
    """
    if (by or route(config)) == "builder":
        return
    if device == "NvTensorRtRtx" and options.precision in ("int8", "int4"):
        raise InputError(
            f"{options.precision} for TensorRT-RTX is made for the builder's families only: "
            f"{', '.join(BUILDER.values())}. Take fp16.",
            "export.precision",
        )


def _stretched(config: Mapping[str, Any]) -> set[str]:
    """The kinds of RoPE that are not plain, in a config of transformers 5 or older, by layer or for all."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    parts = [part for part in rope.values() if isinstance(part, Mapping)] or [rope]
    kinds = {str(part.get("rope_type") or part.get("type") or "default") for part in parts}
    return kinds - {"default"}


def _passed_over(name: str, config: Mapping[str, Any]) -> bool:
    """Whether the model has a part that the builder leaves out without a word (0.18)."""
    if name == "PhiForCausalLM":
        return bool(config.get("qk_layernorm"))
    return name == "NemotronForCausalLM" and bool(config.get("attention_bias") or config.get("mlp_bias"))

"""Measure every family of decoders against PyTorch and write docs/export_families.md: about ten quiet minutes.

python -m tests.bench.export_families
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from core.export.graphs import families
from core.export.options import Options
from core.paths import ROOT
from tests import factory
from tests.core.export.answers import END, PAD, differences

TARGET = ROOT / "docs" / "export_families.md"
PRECISIONS = {"fp32": 0, "int8": 8, "int4": 4}

PLAIN = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "max_position_embeddings": 512}
OLD = PLAIN | {"num_attention_heads": 4}
SIZES: dict[str, Any] = OLD | {"num_key_value_heads": 2}
HEADS = SIZES | {"head_dim": 16}
WIDE = SIZES | {"hidden_size": 128}
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}
# The name of each architecture in transformers' configs, and what makes a tiny one of it.
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "LlamaForCausalLM": ("llama", HEADS),
    "MistralForCausalLM": ("mistral", HEADS | {"sliding_window": 16}),
    "Qwen2ForCausalLM": ("qwen2", SIZES | {"tie_word_embeddings": True}),
    "Qwen3ForCausalLM": ("qwen3", HEADS | {"tie_word_embeddings": True}),
    "Phi3ForCausalLM": ("phi3", SIZES | {"original_max_position_embeddings": 512}),
    "PhiForCausalLM": ("phi", WIDE),
    "GemmaForCausalLM": ("gemma", HEADS),
    "Gemma2ForCausalLM": ("gemma2", HEADS | {"query_pre_attn_scalar": 16, "sliding_window": 16}),
    "Gemma3ForCausalLM": ("gemma3_text", HEADS | {"query_pre_attn_scalar": 16, "sliding_window": 16}),
    "SmolLM3ForCausalLM": ("smollm3", SIZES | {"num_hidden_layers": 4}),
    "GraniteForCausalLM": ("granite", SIZES | {"embedding_multiplier": 3.0, "logits_scaling": 1.7}),
    "NemotronForCausalLM": ("nemotron", WIDE),
    "Ernie4_5ForCausalLM": ("ernie4_5", HEADS),
    "HunYuanDenseV1ForCausalLM": ("hunyuan_v1_dense", HEADS),
    "GPT2LMHeadModel": ("gpt2", GPT),
    "GPTNeoForCausalLM": (
        "gpt_neo",
        {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 512, "window_size": 16}
        | {"attention_types": [[["global", "local"], 1]]},
    ),
    "GPTNeoXForCausalLM": ("gpt_neox", OLD),
    "GPTJForCausalLM": ("gptj", GPT | {"rotary_dim": 8}),
    "GPTBigCodeForCausalLM": ("gpt_bigcode", GPT),
    "CodeGenForCausalLM": ("codegen", GPT | {"rotary_dim": 8}),
    "OPTForCausalLM": ("opt", OLD | {"ffn_dim": 128, "word_embed_proj_dim": 64}),
    "BloomForCausalLM": ("bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}),
    "FalconForCausalLM": ("falcon", {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "XGLMForCausalLM": (
        "xglm",
        {"d_model": 64, "ffn_dim": 128, "num_layers": 2, "attention_heads": 4, "max_position_embeddings": 512},
    ),
    "BioGptForCausalLM": ("biogpt", OLD),
    "PersimmonForCausalLM": ("persimmon", OLD),
    "StableLmForCausalLM": ("stablelm", SIZES),
    "Starcoder2ForCausalLM": ("starcoder2", SIZES | {"sliding_window": 16}),
    "OlmoForCausalLM": ("olmo", SIZES | {"clip_qkv": 0.5}),
    "Olmo2ForCausalLM": ("olmo2", SIZES),
    "Olmo3ForCausalLM": ("olmo3", SIZES | {"sliding_window": 16}),
    "CohereForCausalLM": ("cohere", SIZES | {"logit_scale": 1.0}),
    "Cohere2ForCausalLM": ("cohere2", SIZES | {"logit_scale": 1.0, "sliding_window": 16}),
    "GlmForCausalLM": ("glm", HEADS),
    "Glm4ForCausalLM": ("glm4", HEADS),
    "HeliumForCausalLM": ("helium", HEADS),
    "Exaone4ForCausalLM": ("exaone4", SIZES | {"sliding_window": 16}),
    "ArceeForCausalLM": ("arcee", SIZES),
    "ApertusForCausalLM": ("apertus", SIZES),
    "SeedOssForCausalLM": ("seed_oss", HEADS),
    "MinistralForCausalLM": ("ministral", HEADS | {"sliding_window": 16}),
}

BEGINNING = """# Families of decoders that can be exported

<!-- Written by python -m tests.bench.export_families, which measures what stands here. -->

A model that writes becomes ONNX by one of two routes, which `core/export/graphs/families.py` chooses from its
config.json: the model **builder** of onnxruntime-genai, whose graphs are the fastest, or torch's **exporter**, which
makes every family that keeps one key and one value of each token. What comes out is laid out alike and runs in the same
runtime. Some models of the builder's families go by the exporter, because the builder (0.18) passes over a part of
them without a word: positions stretched by linear or YaRN RoPE (Llama, Qwen, Gemma 3 and the others), Phi with
normalised queries and keys, Nemotron with biases. The same holds of a model with a bottleneck adapter, which no builder
knows. Positions that depend on the length of the text (dynamic RoPE, LongRoPE) go by the builder where it knows them
(Llama, HunYuan, Phi-3), and are refused elsewhere.

Each line was measured on a tiny model with random weights, norms and biases included: three prompts of 1, 6 and 45
tokens, 24 tokens answered greedily by onnxruntime-genai on the CPU. A cell says how many of the three answers are
PyTorch's token for token, and the largest difference of any logit along prompt and answer. Random weights are the worst
case for few bits: between almost equal logits any rounding tips the choice, so judge int8 and int4 on a trained model,
such as the demo model at the end, and in the task's own metric, which every export reports.

| family | route | fp32 | int8 | int4 (blocks of 32) |
|---|---|---|---|---|
"""
END_NOTE = """
Not exported: mixtures of experts and state-space models (Mamba, RWKV, LFM2), MPT (torch's exporter cannot trace it),
and everything that needs code of its own from the Hub. `core export` says so in a sentence before anything is loaded.
"""


def main() -> None:
    """Measure every family, then write the page."""
    lines = []
    for name, label in {**families.BUILDER, **families.EXPORTER}.items():
        with tempfile.TemporaryDirectory() as work:
            model = tiny(*TINY[name], Path(work) / "model")
            lines.append(_line(label, model, Path(work) / "model", Path(work)))
    with tempfile.TemporaryDirectory() as work:
        from core.models.load import load_base

        demo = ROOT / "assets" / "demo-model"
        lines.append(_line("demo model (Llama, trained)", load_base(str(demo)), demo, Path(work)))
    TARGET.write_text(BEGINNING + "".join(lines) + END_NOTE, encoding="utf-8")


def tiny(kind: str, settings: dict[str, Any], folder: Path) -> Any:
    """A random model whose every number counts: norms and biases, too, are not what they begin as."""
    import torch
    import transformers

    factory.write_tokenizer(folder)
    ids = {"vocab_size": 400, "pad_token_id": PAD, "bos_token_id": 1, "eos_token_id": END}
    config = transformers.AutoConfig.for_model(kind, **{"initializer_range": 0.1, **ids, **settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        for parameter in model.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.1)
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text("{}")
    return model


def _line(label: str, model: Any, folder: Path, work: Path) -> str:
    """A line of the table."""
    from core.export.graphs import weights_only
    from core.export.graphs.decoder import build

    route = families.route(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    cells = [label, route]
    for precision, bits in PRECISIONS.items():
        out = work / precision
        if bits and route == "exporter":  # as `build` does after tracing, which it would do once more
            shutil.copytree(work / "fp32", out)
            weights_only.quantise(out / "model.onnx", bits=bits, accuracy_level=4)
        else:
            build(folder, "cpu", Options("cpu", precision), out, end_ids=[END], pad_id=PAD, model=model)
        found = differences(model, out)
        cells.append(f"{sum(same for same, _ in found)}/{len(found)}, {max(gap for _, gap in found):.1e}")
    line = f"| {' | '.join(cells)} |\n"
    print(line, end="", file=sys.stderr, flush=True)
    return line


if __name__ == "__main__":
    main()

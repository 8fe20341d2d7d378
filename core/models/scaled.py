"""Which layers IA3 scales in each family: keys, values, and what goes into the end of the feed-forward part."""

from __future__ import annotations

# Liu et al. (2022), section 3.3. PEFT's own table names the queries of Qwen and Gemma instead of their keys. Where one
# layer makes queries, keys and values (Phi-3, GPT-2), the queries are scaled with them.
_LLAMA, _BERT = ("k_proj", "v_proj", "down_proj"), ("key", "value", "output.dense")
SCALED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "granite", "olmo2", "smollm3"), _LLAMA
    ),
    "phi3": ("qkv_proj", "down_proj"),
    "gpt2": ("attn.c_attn", "mlp.c_proj"),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "distilbert": ("k_lin", "v_lin", "lin2"),
    "t5": ("k", "v", "wo"),
}
# The last layer of a feed-forward part, by the end of its name. BERT's attention has an output.dense, too.
LAST = ("down_proj", "mlp.c_proj", "output.dense", "lin2", "wo", "fc2", "fc_out", "dense_4h_to_h", "w2")


def scaled_layers(family: str) -> tuple[str, ...] | None:
    """Ends of the names of the layers to scale in a family (its model_type); None where nobody has said."""
    return SCALED.get(family)


def feed_forward(layer: str) -> bool:
    """Whether a layer, by its full name, ends a feed-forward part: what goes in is scaled, not what comes out."""
    return not layer.endswith("attention.output.dense") and any(layer == n or layer.endswith("." + n) for n in LAST)


def scales(layer: str, name: str) -> bool:
    """Whether a name of the table means a layer, given by its full name."""
    same = layer == name or layer.endswith("." + name)
    return same and not (name == "output.dense" and layer.endswith("attention.output.dense"))

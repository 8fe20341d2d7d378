"""Where a block's two parts end, by the model's family: the layers that bottleneck adapters follow.

After the layer that projects back to the model's width, and before what it makes is added to the rest: that is where
Houlsby et al. (2019, section 2.1) put them, "after the projection back to the input size, but before adding the skip
connection". In BERT and DistilBERT that is before the LayerNorm, too; in the others, which normalise first, before the
sum (in Gemma 2 and 3 before the norm that follows each part). T5 has its decoder's cross-attention besides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from core.errors import InputError


@dataclass(frozen=True)
class Ends:
    """Patterns of the ends of layers' names: what attention ends in, and what the feed-forward part ends in."""

    attention: str
    feed_forward: str


_GATED = Ends(r"self_attn\.o_proj", r"mlp\.down_proj")
_BERT = Ends(r"attention\.output\.dense", r"layer\.\d+\.output\.dense")
_BART = Ends(r"(self|encoder)_attn\.out_proj", r"fc2")
_T5 = Ends(r"(SelfAttention|EncDecAttention)\.o", r"DenseReluDense\.wo")
# By transformers' model_type. To add a family, write its entry here.
FAMILIES: dict[str, Ends] = {
    **dict.fromkeys(
        (
            "llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3_text", "gemma3", "smollm3",
            "granite", "olmo", "olmo2", "cohere", "stablelm",
        ),
        _GATED,
    ),
    **dict.fromkeys(
        ("bert", "roberta", "camembert", "electra", "ernie", "xlm-roberta", "deberta", "deberta-v2"), _BERT
    ),
    **dict.fromkeys(("t5", "mt5"), _T5),
    **dict.fromkeys(("bart", "mbart", "opt"), _BART),
    "gpt2": Ends(r"attn\.c_proj", r"mlp\.c_proj"),
    "distilbert": Ends(r"attention\.out_lin", r"ffn\.lin2"),
    "gpt_neox": Ends(r"attention\.dense", r"mlp\.dense_4h_to_h"),
    "phi": Ends(r"self_attn\.dense", r"mlp\.fc2"),
    "mpnet": Ends(r"attention\.attn\.o", r"layer\.\d+\.output\.dense"),
    "modernbert": Ends(r"attn\.Wo", r"mlp\.Wo"),
}  # fmt: skip


def places(model: PreTrainedModel, placement: str) -> str:
    """The layers that an adapter follows, as a pattern that the whole name of each must match.

    Args:
        placement: "houlsby" (attention and feed-forward) or "pfeiffer" (feed-forward; Pfeiffer et al. 2020).

    Raises:
        InputError: (field method.placement) the family is not known, and its layers have none of the usual names.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, (nn.Linear, Conv1D))]
    own = FAMILIES.get(model.config.model_type)
    for ends in [own] if own else dict.fromkeys(FAMILIES.values()):
        both = _pattern(ends.attention), _pattern(ends.feed_forward)
        if all(any(re.fullmatch(pattern, name) for name in names) for pattern in both):
            return both[1] if placement == "pfeiffer" else _pattern(f"{ends.attention}|{ends.feed_forward}")
    known = list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in names))
    raise InputError(
        f"Where adapters go in a model of the kind {model.config.model_type!r} is not known: its layers "
        f"({', '.join(known)}) have none of the usual names. Choose LoRA, which goes beside any layer.",
        "method.placement",
    )


def _pattern(ends: str) -> str:
    return rf".*\.({ends})"

"""Whether rows that share a sequence see each other, asked of the model itself.

Where positions begin again at 0, no 2-D mask is passed and no cache is used, transformers 5.23 makes a block-diagonal
mask (masking_utils.find_packed_sequence_indices). With Llama, Mistral, Qwen, Phi, Gemma, GPT-2, GPT-NeoX, Granite, OLMo
and SmolLM3 it is exact, sliding windows included; Falcon, OPT, BLOOM, MPT, Mamba and LFM2 leak in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from core.data.encoded import Row
from core.models.joining import leaking

PROBED = 48  # tokens of a row that is looked at
LEAK, SHIFT = 1e-6, {"": 1e-3, "fp16": 2e-2, "bf16": 1e-1}  # of the logits' spread: rounding is less than that


def leaks(model: Any, rows: Sequence[Row], autocast: str) -> str:
    """Why rows of this model cannot share a sequence; empty where each is read as if it were alone.

    Three passes over the beginnings of two rows: the second alone, behind the first, and behind other words.

    Args:
        model: in evaluation mode. autocast: "", "bf16" or "fp16": what it is computed in.
    """
    first, second = rows[0]["input_ids"][:PROBED], rows[-1]["input_ids"][:PROBED]
    before, after = torch.tensor(first), torch.tensor(second)
    others = (before + 1).remainder(model.get_input_embeddings().num_embeddings)
    positions = torch.cat([torch.arange(len(first)), torch.arange(len(second))])

    def said(ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        on = {"input_ids": ids[None].to(model.device), "position_ids": places[None].to(model.device)}
        return model(**on, use_cache=False).logits[0, -len(second) :].float()

    alone = said(after, torch.arange(len(second)))
    behind, elsewhere = (said(torch.cat([words, after]), positions) for words in (before, others))
    spread = alone.abs().max().item()
    leak, shift = (behind - elsewhere).abs().max().item(), (behind - alone).abs().max().item()
    if leak <= LEAK * spread and shift <= SHIFT[autocast] * spread:
        return ""
    return leaking(model.config.model_type)

"""The demo model, made larger: a Llama of any size that answers as the demo does, so that a proof says something.

A model of random weights falls apart in int4. Here the demo's weights lie in the first places of larger ones: what
reads from the other places is drawn by chance, what would write to them is zero. All sums are made, and none changes
an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.models.load import copy_companions, load_base
from core.paths import ROOT

DEMO = ROOT / "assets" / "demo-model"
# parameters in millions -> (width, width of the feed-forward part, layers); heads of 64, half as many for keys
SHAPES = {30: (512, 1536, 9), 150: (1024, 3072, 12)}


def model(millions: int, folder: Path) -> Path:
    """The folder of a model of about so many million parameters: the demo itself (4), or one that is written there."""
    if millions == 4:
        return DEMO
    import torch
    from transformers import LlamaForCausalLM

    small = load_base(str(DEMO), None, torch.float32)
    width, wide, layers = SHAPES[millions]
    config = type(small.config).from_dict(small.config.to_dict())
    narrow = small.config.hidden_size
    config.update(
        {
            "hidden_size": width,
            "intermediate_size": wide,
            "num_hidden_layers": layers,
            "num_attention_heads": width // 64,
            "num_key_value_heads": width // 128,
            "rms_norm_eps": small.config.rms_norm_eps * narrow / width,  # the mean is taken over more places
            "dtype": "float32",
        }
    )
    torch.manual_seed(0)
    large = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, parameter in large.named_parameters():
            parameter.copy_(_filled(name, parameter, small.state_dict().get(name), (narrow / width) ** 0.5))
    large.tie_weights()
    target = folder / f"llama-{millions}m"
    target.mkdir(parents=True)
    large.save_pretrained(target)
    copy_companions(str(DEMO), None, target)
    return target


def _filled(name: str, parameter: Any, small: Any, norm: float) -> Any:
    """The weights of one layer: the demo's, those that are drawn, and zeros where something would be written."""
    import torch

    writes = name.endswith(("o_proj.weight", "down_proj.weight", "embed_tokens.weight", "lm_head.weight"))
    made = torch.zeros_like(parameter) if writes else parameter.clone()
    if small is not None:
        small = small * norm if small.dim() == 1 else small
        made[tuple(slice(0, size) for size in small.shape)] = small
    return made

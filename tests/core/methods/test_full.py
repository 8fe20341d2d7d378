"""Full fine-tuning: everything is trained, and saved exactly."""

import torch

from core.config import FullMethod
from core.methods import full
from core.models.load import load_base, parameters


def test_everything_is_trained_and_saved_exactly(tiny_llama, tmp_path):
    model = full.prepare(load_base(str(tiny_llama)), FullMethod(), str(tiny_llama), None)
    counted = parameters(model)
    assert counted["trained"] == counted["all"]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1e-7)  # lost in bf16
    full.save(model, tmp_path / "m")
    again = load_base(str(tmp_path / "m"))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))

"""The loss over trained tokens."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from core.training.losses import summed_nll, token_loss


def example(seed=0):
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 6, 11, generator=chance, requires_grad=True)
    labels = torch.randint(0, 11, (3, 6), generator=chance)
    labels[0, :4] = labels[1, :2] = labels[2, 3:] = -100
    return logits, labels


def test_it_is_the_cross_entropy_of_the_shifted_trained_tokens():
    logits, labels = example()
    total, count = summed_nll(logits, labels)
    want = functional.cross_entropy(logits[:, :-1].reshape(-1, 11), labels[:, 1:].reshape(-1), reduction="sum")
    assert total.item() == pytest.approx(want.item(), rel=1e-6)
    assert count == (labels[:, 1:] != -100).sum()


def test_parts_of_an_update_add_up_to_the_whole():
    logits, labels = example()
    whole = token_loss(SimpleNamespace(logits=logits), labels)
    (gradient,) = torch.autograd.grad(whole, logits)
    items = (labels[:, 1:] != -100).sum()
    parts = [token_loss(SimpleNamespace(logits=logits[i : i + 1]), labels[i : i + 1], items) for i in range(3)]
    (summed,) = torch.autograd.grad(sum(parts), logits)
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-6)
    torch.testing.assert_close(summed, gradient)


def test_a_batch_without_trained_tokens_gives_zero_and_no_nan():
    logits, labels = example()
    assert token_loss(SimpleNamespace(logits=logits), torch.full_like(labels, -100)).item() == 0

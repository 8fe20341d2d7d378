"""Losses of a choice, against torch and by hand; parts of an update against the whole."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from core.config import TrainingConfig
from core.losses import load
from core.losses.classes import Criterion, cross_entropy, focal
from core.losses.table import CLASSES
from core.losses.weights import answer_weights, balanced, trained_part

HEAVY = torch.tensor([0.5, 4.0, 0.0, 1.0, 2.0])


def example(seed=0):
    chance = torch.Generator().manual_seed(seed)
    logits = torch.randn(12, 5, generator=chance, requires_grad=True)
    return logits, torch.tensor([0, 1, 1, 3, 4, 0, 3, 3, 0, 4, 1, 0])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, HEAVY])
def test_cross_entropy_is_torch_s_with_weights_and_smoothing(smoothing, weights):
    logits, targets = example()
    made = Criterion(cross_entropy, TrainingConfig(label_smoothing_factor=smoothing), weights)
    want = functional.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
    assert made.share(logits, targets).item() == pytest.approx(want.item(), rel=1e-6)


def test_focal_is_its_formula_and_with_gamma_0_the_cross_entropy():
    logits, targets = example()
    right = logits.softmax(-1)[range(12), targets]
    want = (-((1 - right) ** 2) * right.log()).mean()
    assert Criterion(focal, TrainingConfig()).share(logits, targets).item() == pytest.approx(want.item(), rel=1e-6)
    flat = Criterion(focal, TrainingConfig(focal_gamma=0)).share(logits, targets)
    assert flat.item() == pytest.approx(functional.cross_entropy(logits, targets).item(), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_slope_where_the_model_is_certain(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    Criterion(focal, TrainingConfig(focal_gamma=gamma)).share(logits, torch.tensor([0, 0])).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("head", CLASSES)
@pytest.mark.parametrize("loss", ["auto", "cross_entropy", "class_weighted", "focal"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_parts_of_an_update_have_the_gradients_of_the_whole(head, loss, smoothing):
    settings = TrainingConfig(loss=loss, label_smoothing_factor=smoothing)
    made = load.criterion(settings, head)
    rows = None
    if loss == "class_weighted" and head in ("causal_lm", "seq2seq_lm"):
        rows = torch.linspace(0.1, 3, 12)  # text: by row
    elif loss == "class_weighted":
        made.weights = HEAVY
    logits, targets = example()
    (want,) = torch.autograd.grad(made.share(logits, targets, weights=rows), logits)
    cuts = [slice(0, 1), slice(1, 5), slice(5, 12)]
    items = sum(made.items(targets[c], None if rows is None else rows[c]) for c in cuts)
    shares = [made.share(logits[c], targets[c], items, None if rows is None else rows[c]) for c in cuts]
    (got,) = torch.autograd.grad(sum(shares), logits)
    torch.testing.assert_close(got, want)


def test_nothing_to_learn_is_zero_and_no_nan():
    made = Criterion(cross_entropy, TrainingConfig())
    assert made.share(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)).item() == 0


def test_weights_are_scikit_learn_s_balanced_ones():
    labels = [0] * 7 + [1] * 2 + [3]
    want = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=labels)
    assert balanced([7, 2, 0, 1]).tolist() == pytest.approx([want[0], want[1], 0, want[2]])


def test_answers_weigh_by_how_rare_they_are():
    rows = [{"labels": [-100, 5, 6]}] * 3 + [{"labels": [-100, -100, -100, 7]}]
    weights = answer_weights(rows)
    assert weights == {trained_part([5, 6]): pytest.approx(4 / 6), trained_part([7]): pytest.approx(2.0)}

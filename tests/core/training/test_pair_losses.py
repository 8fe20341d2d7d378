"""Losses of pairs against sentence-transformers 6.2.0 (figures that it gives of these vectors), and the source."""

import pytest
import torch
from torch import nn

from core.settings import TrainingConfig
from core.training.pair_losses import contrastive, cosine, multiple_negatives

FIRST = torch.tensor([[1.0, 2.0, -1.0], [0.5, -0.5, 0.25], [3.0, 0.0, 1.0], [-1.0, 1.0, 1.0]])
SECOND = torch.tensor([[1.0, 1.5, -1.0], [-0.5, 0.5, 0.5], [2.5, 0.5, 1.5], [0.0, 1.0, 2.0]])
CLASSES = torch.tensor([1.0, 0.0, 1.0, 0.0])
SCORES = torch.tensor([0.9, 0.1, 0.7, 0.4])


class CustomContrastiveLoss(nn.Module):
    """As the source has it: a label of 1 says that two texts differ."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = nn.functional.pairwise_distance(output1, output2)
        return torch.mean(
            (1 - label) * torch.pow(distance, 2) + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2)
        )


@pytest.mark.parametrize(("margin", "twice_st"), [(1.0, 0.2499999850988388), (2.0, 0.4152712821960449)])
def test_contrastive(margin, twice_st):
    each = contrastive(TrainingConfig(margin=margin), FIRST, SECOND, CLASSES)
    assert each.shape == (4,)
    assert each.mean().item() == pytest.approx(twice_st, abs=1e-6)
    assert each.mean().item() == pytest.approx(CustomContrastiveLoss(margin)(FIRST, SECOND, 1 - CLASSES).item())


def test_contrastive_pulls_alike_pairs_together_and_moves_others_only_within_the_margin():
    far = contrastive(TrainingConfig(), torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([0.0]))
    alike = contrastive(TrainingConfig(), torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([1.0]))
    assert far.item() == 0 and alike.item() == pytest.approx(25, rel=1e-5)


def test_cosine():
    each = cosine(TrainingConfig(), FIRST, SECOND, SCORES)
    assert each.shape == (4,) and each.mean().item() == pytest.approx(0.16899257898330688, abs=1e-6)


def test_multiple_negatives():
    each = multiple_negatives(TrainingConfig(), FIRST, SECOND, torch.ones(4))
    assert each.shape == (4,) and each.mean().item() == pytest.approx(7.115407943725586, abs=1e-5)
    assert (
        multiple_negatives(TrainingConfig(), FIRST[:1], SECOND[:1], torch.ones(1)).item() == 0
    )  # nothing to tell from

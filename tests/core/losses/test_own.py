"""The owner's losses: what a folder offers, without running it; loaded by name; mistakes in a sentence."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from core.config import TrainingConfig
from core.errors import InputError
from core.losses import load, own, table
from core.models.heads import CAUSAL, LABEL, TAGS, VECTOR

# As the course that this app follows prints it.
SOURCE = """
import torch
import torch.nn as nn

class CustomContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super(CustomContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = nn.functional.pairwise_distance(output1, output2)
        loss_contrastive = torch.mean((1-label) * torch.pow(euclidean_distance, 2) +
                                    (label) * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2))
        return loss_contrastive
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "losses"
    place.mkdir()
    monkeypatch.setenv(own.FOLDER, str(place))

    def write(name, text):
        (place / name).write_text(text, encoding="utf-8")
        return place / name

    write("pairs.py", SOURCE)
    write(
        "squared.py",
        '"""Mine."""\nimport torch\n\ndef loss(outputs, labels, margin=0.0):\n    """The Brier score."""\n'
        "    right = torch.nn.functional.one_hot(labels, outputs.shape[-1])\n"
        "    return ((outputs.softmax(-1) - right) ** 2).sum(-1) + margin\n\n"
        "def _helper(outputs, labels):\n    return 0\n",
    )
    write("_hidden.py", "def loss(outputs, labels):\n    return 0\n")
    return write


def names(head, task="classification"):
    return [name for name, _, _ in table.offered(head, task)]


def test_a_folder_offers_what_its_text_says_and_nothing_is_run(folder):
    folder("boom.py", "raise SystemExit\ndef explode(outputs, labels): pass\ndef helper(x): pass\n")
    losses, problems = own.found()
    assert sorted(losses) == ["CustomContrastiveLoss", "explode", "squared"] and not problems
    assert losses["CustomContrastiveLoss"].pairs and not losses["squared"].pairs
    assert losses["squared"].sentence == "The Brier score."
    assert "squared" in names(LABEL) and "squared" in names(CAUSAL, "generation") and "squared" not in names(VECTOR)
    assert "CustomContrastiveLoss" in names(VECTOR, "similarity")
    assert not [name for name in sys.modules if name.startswith("tunesmith_own")]


def test_without_a_folder_there_are_ours_alone(monkeypatch):
    monkeypatch.delenv(own.FOLDER, raising=False)
    assert names(LABEL) == ["auto", "cross_entropy", "class_weighted", "focal"]
    assert names(CAUSAL, "generation") == ["auto", "cross_entropy", "focal"]
    assert names(TAGS, "extraction") == names(LABEL)
    assert names(VECTOR, "similarity") == ["auto", "contrastive", "cosine", "multiple_negatives"]


@pytest.mark.parametrize(
    ("name", "head", "task", "says"),
    [
        ("fokal", LABEL, "classification", "no loss 'fokal'. Did you mean 'focal'?"),
        ("contrastive", LABEL, "classification", "not for a model that chooses a label. Choose auto, cross_entropy"),
        ("class_weighted", CAUSAL, "generation", "weighs labels by how rare they are, and the task generation has"),
        ("CustomContrastiveLoss", TAGS, "extraction", "takes the vectors of two texts, and this model tags each token"),
        ("../evil", LABEL, "classification", "no loss '../evil'"),
    ],
)
def test_a_loss_that_does_not_suit_is_refused_with_those_that_do(folder, name, head, task, says):
    config = SimpleNamespace(training=SimpleNamespace(loss=name), task=task)
    with pytest.raises(InputError, match="Choose") as error:
        table.require(config, head)
    assert says in str(error.value) and error.value.field == "training.loss"


def test_the_loss_of_the_source_works_as_it_stands(folder):
    chance = torch.Generator().manual_seed(0)
    first, second = torch.randn(6, 8, generator=chance), torch.randn(6, 8, generator=chance)
    label = torch.tensor([0.0, 1, 0, 1, 1, 0])
    made = load.function("CustomContrastiveLoss")
    each = made(TrainingConfig(margin=5.0), first, second, label)
    far = functional.pairwise_distance(first, second)
    want = ((1 - label) * far**2 + label * (5.0 - far).clamp(min=0) ** 2).mean()
    assert each.shape == (6,) and each.mean().item() == pytest.approx(want.item(), rel=1e-6)


def test_a_loss_of_classes_gets_the_settings_that_it_takes(folder):
    logits, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1])
    made = load.criterion(TrainingConfig(loss="squared", margin=2.0), LABEL.name)
    want = ((logits.softmax(-1) - functional.one_hot(targets, 3)) ** 2).sum(-1).mean() + 2
    assert made.share(logits, targets).item() == pytest.approx(want.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = nowhere\ndef broken(outputs, labels): return 0\n", "fails in broken.py, line 2: NameError"),
        ("def broken(outputs, labels):\n    return outputs @ 3\n", "fails in broken.py, line 2: TypeError"),
        ("def broken(outputs, labels):\n    return outputs\n", r"gave a tensor of shape \(4, 3\) for 4 items"),
        ("def broken(outputs, labels):\n    return 'low'\n", "gave 'low' for 4 items"),
        ("import sys\ndef broken(outputs, labels):\n    sys.exit(0)\n", "fails in broken.py, line 3: SystemExit: 0"),
        ("import sys\nsys.exit()\ndef broken(outputs, labels): pass\n", "fails in broken.py, line 2: SystemExit"),
        ("def broken(outputs, labels): return outputs.argmax(-1) - labels\n", r"can be learned from \(int64\)"),
        ("def broken(outputs, labels): return outputs.detach().sum(-1)\n", r"can be learned from \(without a slope\)"),
        (
            "import torch\nclass broken(torch.nn.Linear):\n    def __init__(self): super().__init__(2, 2)\n"
            "    def forward(self, outputs, labels): return outputs.sum()\n",
            "has weights of its own",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence_with_its_line(folder, text, says):
    folder("broken.py", text)
    with pytest.raises(InputError, match=says) as error:
        load.function("broken")(TrainingConfig(), torch.randn(4, 3, requires_grad=True), torch.tensor([0, 1, 2, 0]))
    assert error.value.field == "training.loss" and "\n" not in str(error.value)


def test_a_file_that_is_no_python_is_said_where_its_loss_is_asked_for(folder):
    folder("torn.py", "def torn(outputs, labels:\n")
    assert own.found()[1] == ["Your file torn.py is no Python: line 1: '(' was never closed."]
    folder("also.py", "(\n")
    assert "torn.py is no Python: line 1" in table.why_not("torn", LABEL, "classification")


def test_a_folder_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv(own.FOLDER, str(tmp_path / "nowhere"))
    assert "there is no such folder" in own.found()[1][0]

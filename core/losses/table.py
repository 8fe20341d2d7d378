"""The losses by name: what each is for and which heads it suits. Light: nothing is loaded here, the owner's neither."""

from __future__ import annotations

from dataclasses import dataclass

from core.config import RunConfig
from core.errors import InputError, nearest
from core.losses import own
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, TAGS, VECTOR, Head

FIELD = "training.loss"
AUTO = "auto"
CLASSES = (CAUSAL.name, SEQ2SEQ.name, LABEL.name, TAGS.name)  # heads that choose: a token, a label, a tag
PAIRS = (VECTOR.name,)


@dataclass(frozen=True)
class Loss:
    """One loss.

    Attributes:
        label, sentence: for people. heads: names of those that it suits.
        target: where it is, "module:function"; it takes the training settings, then what its heads give it, and gives
            one number for each item. For heads that choose: (settings, logits, targets, weights of the classes).
        labels: whether it asks how frequent each label is, so that text must be labels.
    """

    label: str
    sentence: str
    heads: tuple[str, ...]
    target: str
    labels: bool = False


# A new loss is one entry here, and a function.
LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(
        "Cross-entropy",
        "How surprised the model is by what is right; for anything that is chosen or written.",
        CLASSES,
        "core.losses.classes:cross_entropy",
    ),
    "class_weighted": Loss(
        "Class-weighted",
        "Cross-entropy in which a rare label weighs as much as a frequent one; for labels in unequal numbers.",
        CLASSES,
        "core.losses.classes:cross_entropy",
        labels=True,
    ),
    "focal": Loss(
        "Focal",
        "Cross-entropy that passes over what is easy already (focal gamma); for many easy rows and a few hard ones.",
        CLASSES,
        "core.losses.classes:focal",
    ),
    "contrastive": Loss(
        "Contrastive",
        "Moves pairs that are alike together, and those that differ apart as far as the margin.",
        PAIRS,
        "core.training.pair_losses:contrastive",
    ),
    "cosine": Loss(
        "Cosine",
        "The cosine of two vectors becomes the score of the pair.",
        PAIRS,
        "core.training.pair_losses:cosine",
    ),
    "multiple_negatives": Loss(
        "Multiple negatives",
        "Each text finds its partner among all of the batch; for pairs without a score.",
        PAIRS,
        "core.training.pair_losses:multiple_negatives",
    ),
}
PLAIN = {**dict.fromkeys(CLASSES, "cross_entropy")}  # what "auto" stands for, where a head says so by itself


def offered(head: Head, task: str) -> list[tuple[str, str, str]]:
    """(name, label, sentence) of every loss that a head can take in a task: "auto", ours, then the owner's."""
    plain = PLAIN.get(head.name)
    meant = f": {LOSSES[plain].label.lower()}" if plain else ""
    made = [(AUTO, "Automatic", f"The loss of the task{meant}.")]
    made += [(name, loss.label, loss.sentence) for name, loss in LOSSES.items() if _suits(loss, head, task)]
    mine, _ = own.found()
    ours = (AUTO, *LOSSES)
    return made + [(o.name, o.name, o.sentence) for o in mine.values() if _takes(o, head) and o.name not in ours]


def why_not(name: str, head: Head, task: str) -> str:
    """Why a loss cannot be taken for a head and task, in one sentence; "" where it can."""
    if name == AUTO:
        return ""
    known = [n for n, _, _ in offered(head, task)]
    if name in known:
        return ""
    suiting = f"Choose {', '.join(known[:-1])} or {known[-1]}." if len(known) > 1 else "Leave it at auto."
    mine, problems = own.found()
    if name in LOSSES:
        loss = LOSSES[name]
        if head.name in loss.heads:
            return f"The loss {name} weighs labels by how rare they are, and the task {task} has none. {suiting}"
        return f"The loss {name} is not for a model that {head.label}. {suiting}"
    if name in mine:
        takes = "the vectors of two texts" if mine[name].pairs else "outputs and labels"
        return f"Your loss {name} takes {takes}, and this model {head.label}. {suiting}"
    if guess := nearest(name, known):
        suiting = f"Did you mean {guess!r}? {suiting}"
    return f"There is no loss {name!r}. {suiting}{own.concerning(name, problems)}"


def require(config: RunConfig, head: Head) -> None:
    """Refuse a loss that does not suit. InputError at the field training.loss, with those that do."""
    if reason := why_not(config.training.loss, head, config.task):
        raise InputError(reason, FIELD)


def _suits(loss: Loss, head: Head, task: str) -> bool:
    return head.name in loss.heads and (not loss.labels or not head.writes or task == "classification")


def _takes(loss: own.Own, head: Head) -> bool:
    return head.name in (PAIRS if loss.pairs else CLASSES)

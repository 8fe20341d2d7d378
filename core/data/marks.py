"""The marks by which files of many tools say that a turn, or a block of one, is read and not learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import InputError

LEARNED = ("weight", "loss_weight", "train", "training", "trainable", "loss", "loss_mask", "learn", "supervised",
           "is_trained", "is_trainable", "train_on_turn")  # no: 0, false  # fmt: skip
HIDDEN = ("mask", "masked", "ignore", "ignore_loss", "no_loss", "no_train")  # yes: not learned
IN_PART = ("train_detail", "training_detail")  # of stretches of a turn
MARKS = (*LEARNED, *HIDDEN, *IN_PART)


def is_muted(holder: Mapping[str, Any]) -> bool:
    """Whether a turn or a block is marked as not to be learned; null says nothing.

    Raises:
        InputError: only a part of it is.
    """
    holder = _folded(holder)
    if any(_said(holder.get(key)) is False for key in LEARNED) or any(_said(holder.get(key)) for key in HIDDEN):
        return True
    for key in IN_PART:
        parts = holder.get(key)
        if isinstance(parts, list) and any(isinstance(p, Mapping) and _said(p.get("train")) is False for p in parts):
            raise InputError(
                f"{key!r} marks a part of a turn as not to be learned; only whole turns can be left out: "
                'write "train": false.',
                "data.path",
            )
    return False


def odd_marks(holder: Mapping[str, Any]) -> dict[str, Any]:
    """The marks whose value is neither yes nor no, such as a weight of 0.5: what they say is not done."""
    held = _folded(holder)
    return {k: held[k] for k in (*LEARNED, *HIDDEN) if held.get(k) not in (None, "") and _said(held[k]) is None}


def _folded(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key.casefold(): value for key, value in holder.items()}


def _said(value: Any) -> bool | None:
    """A mark as yes or no; None where it says neither."""
    if isinstance(value, str):
        text = value.strip().casefold()
        if text in ("true", "yes", "on"):
            return True
        if text in ("false", "no", "off"):
            return False
        try:
            value = float(text)
        except ValueError:
            return None
    return bool(value) if value in (0, 1) else None

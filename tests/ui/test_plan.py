"""What a run will take, against counts by hand."""

from typing import Any

import pytest

from core.config import build
from core.data.lengths import count_updates
from core.errors import InputError
from ui import plan
from ui.shared import first_draft


@pytest.mark.parametrize(
    ("training", "rows", "wanted"),
    [
        ({"num_train_epochs": 3, "per_device_train_batch_size": 8}, 1080, 405),
        ({"num_train_epochs": 1, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}, 65, 3),
        ({"num_train_epochs": 0.5, "per_device_train_batch_size": 8}, 17, 2),
        ({"max_steps": 7}, 1080, 7),
    ],
)
def test_updates_are_counted_as_the_trainer_counts(training: dict[str, Any], rows: int, wanted: int) -> None:
    assert count_updates(rows, build({"training": training})) == wanted


def test_the_first_draft_can_be_planned() -> None:
    found = plan.plan(first_draft())
    assert found.steps and found.rows and found.tokens and found.trained and found.total
    assert "Updates" in plan.drawn(first_draft())


def test_a_draft_that_cannot_run_says_so_instead_of_a_figure() -> None:
    draft = first_draft() | {"training": {"learning_rate": -1}}
    with pytest.raises(InputError):
        plan.plan(draft)
    assert "Nothing to compute yet" in plan.drawn(draft)


def test_counts_are_short() -> None:
    assert plan.short(358_400) == ("358", "thousand")
    assert plan.short(4_229_888) == ("4.23", "million")
    assert plan.short(12) == ("12", "")

"""Real rows of other people, where they are at hand: the demo model learns from them, in a short version of
tests/real_data.py, whose figures stand in docs/real_data.md."""

import pytest
import sacrebleu

from core.evaluation.metrics import METRICS
from tests import real_data

pytestmark = pytest.mark.skipif(not real_data.SHARED.is_dir(), reason="the real files of ../shared/data are not here")


def test_which_rows():
    train, test = real_data.intents()
    assert len(train) == 1436 and len(test) == 400
    assert {row["category"] for row in train} == {row["category"] for row in test}
    train, test = real_data.restaurants()
    assert len(train) + len(test) == 4672
    assert not {row["mr"] for row in train} & {row["mr"] for row in test}


def test_the_nearest_restaurant_shares_most_facts():
    known = [{"mr": "name[A], food[Thai], area[riverside]", "ref": "one"}, {"mr": "name[A], food[Thai]", "ref": "two"}]
    asked = [{"mr": "name[B], food[Thai], area[riverside]"}, {"mr": "name[A], food[Thai]"}]
    assert real_data.nearest(known, asked) == ["one", "two"]


def test_intervals_and_overlap_are_those_of_the_books():
    low, high = real_data.wilson(81, 100)  # R: prop.test(81, 100, correct = FALSE)
    assert (low, high) == pytest.approx((0.7222, 0.8749), abs=1e-4)
    wanted = [["the lake lies still", "still is the lake tonight"], ["tea first"]]
    answers = ["the lake is still tonight", "tea first"]
    ours = METRICS["bleu"].value(real_data.overlap(wanted, answers).sum(axis=0))
    theirs = sacrebleu.corpus_bleu(answers, [["the lake lies still", "tea first"], ["still is the lake tonight", None]])
    assert float(ours) == pytest.approx(theirs.score)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["as_text", "with_head"])
def test_ten_intents_are_learned(way, tmp_path, runs_dir):
    """From the short questions alone, for speed."""
    train, test = ([row for row in part if len(row["text"]) < 50] for part in real_data.intents())
    values = getattr(real_data, way)(max_steps=80)
    values["data"]["validation"] = 0
    right = real_data.right(test[::6], real_data.tune(values, train, test[::6], tmp_path / "work").answers)
    assert right > 0.5 * len(test[::6])  # chance: 0.1


@pytest.mark.slow
def test_restaurants_are_described(tmp_path, runs_dir):
    train, test = real_data.restaurants()
    one = list({row["mr"]: row for row in test}.values())[::10]
    values = real_data.description(max_steps=50, per_device_train_batch_size=4)
    values["data"]["validation"] = 0
    values["evaluation"]["max_new_tokens"] = 48
    answers = real_data.tune(values, train, one, tmp_path / "work").answers
    assert METRICS["bleu"].compute(references=[row["ref"] for row in one], predictions=answers) > 5

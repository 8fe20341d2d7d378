"""What training reads: the split, the copies of training rows, and nothing of either in what is kept back."""

import shutil

import pytest
import torch

from core.cli.train import train
from core.config import RunConfig, build
from core.data.dataset import open_examples
from core.data.split import split_source
from core.errors import InputError
from core.runs import store
from core.training.examples import prepare
from tests.factory import write_jsonl

NOISE = {"copies": 2, "swap": 0.2, "typo": 0.2}


def prepared(config, **augmentation):
    values = config.model_dump() | {"augmentation": augmentation}
    seen = []
    rows = prepare(build(values), lambda done, total: seen.append((done, total)))
    return rows, seen


def texts(rows, part):
    return [rows.objective.tokenizer.decode(row["input_ids"]) for row in part]


def trained(rows, part):
    return [rows.objective.tokenizer.decode([i for i in row["labels"] if i >= 0]) for row in part]


def test_copies_are_added_to_the_training_rows_alone(config):
    settings = config()
    plain, _ = prepared(settings)
    more, seen = prepared(settings, **NOISE)
    assert (plain.data["added_rows"], plain.data["left_out_rows"], len(plain.train)) == (0, 0, 36)
    assert texts(more, more.validation) == texts(plain, plain.validation) and more.probes == plain.probes
    assert len(more.train) == 108 == more.data["train_rows"] and more.data["added_rows"] == 72
    assert set(texts(plain, plain.train)) < set(texts(more, more.train)) and len(set(texts(more, more.train))) == 108
    assert sorted(trained(more, more.train)) == sorted(trained(plain, plain.train) * 3)
    assert "72 changed copies are added to 36 rows." in more.notes and seen[-1] == (112, 112)
    again, _ = prepared(settings, **NOISE)
    assert list(again.train) == list(more.train)


def test_labels_are_balanced_in_what_is_trained_on(config, tmp_path):
    few, _ = prepared(config(data={"validation": 0.1}), balance="under")
    assert len(few.train) == 36 and few.data["left_out_rows"] == 0  # as many of each tone as it is
    even = config(data={"path": str(_uneven(tmp_path))})
    for way, count in (("under", 12), ("over", 54)):
        rows, _ = prepared(even, balance=way)
        answers = trained(rows, rows.train)
        assert len(rows.train) == count and len({answers.count(answer) for answer in answers}) == 1
        assert rows.data["added_rows"] - rows.data["left_out_rows"] == count - 32


def _uneven(tmp_path):
    from tests.factory import write_jsonl

    rows = [
        {"phrase": f"row {i}", "tone": tone} for tone, n in (("sad", 20), ("calm", 11), ("joyful", 5)) for i in range(n)
    ]
    return write_jsonl(tmp_path / "uneven" / "train.jsonl", rows)


def test_folds_cover_all_rows(config):
    made = [prepare(config(data={"folds": 4, "fold": k}), lambda done, total: None) for k in (1, 2, 3, 4)]
    assert [(len(rows.train), len(rows.validation)) for rows in made] == [(30, 10)] * 4
    assert len({text for rows in made for text in texts(rows, rows.validation)}) == 40
    assert "Fold 2 of 4 is kept back." in made[1].notes


def test_evaluation_takes_the_same_fold(config):
    from core.evaluation.rows import choose

    settings = config(data={"folds": 4, "fold": 3})
    assert choose(settings, None, "validation", 99).places == split_source(open_examples(settings), settings).validation


def test_what_cannot_be_parted_or_changed_is_said_at_its_field(config, tmp_path):
    for change, field in (
        ({"data": {"group_by": "who"}}, "data.group_by"),
        ({"data": {"folds": 20, "path": _few(tmp_path)}}, "data.folds"),
        ({"data": {"path": _few(tmp_path)}, "augmentation": {"synonym": 1, "copies": 1, "synonyms": "a b"}},
         "augmentation.synonyms"),
    ):  # fmt: skip
        values = config(data=change.get("data")).model_dump() | {"augmentation": change.get("augmentation", {})}
        with pytest.raises(InputError) as error:
            prepare(build(values), lambda done, total: None)
        assert error.value.field == field


def _few(tmp_path):
    from tests.factory import tone_rows, write_jsonl

    return str(write_jsonl(tmp_path / "few" / "train.jsonl", tone_rows(6)))


@pytest.mark.slow
def test_a_resumed_run_with_changed_copies_is_the_run_that_was_never_interrupted(config):
    settings: RunConfig = config(save_total_limit=9)
    settings = build(settings.model_dump() | {"augmentation": NOISE})
    whole = store.create(settings)
    train(whole)
    torn = store.create(settings)
    shutil.copytree(whole.dir / "checkpoints", torn.dir / "checkpoints")
    shutil.copy(whole.dir / "events.jsonl", torn.dir / "events.jsonl")
    for path in (torn.dir / "checkpoints").iterdir():
        if int(path.name.split("-")[1]) > 2:
            shutil.rmtree(path)
    torch.manual_seed(999)
    train(torn, resume=True)
    weights = [next((run.dir / "model").glob("*.safetensors")).read_bytes() for run in (whole, torn)]
    assert weights[0] == weights[1] and whole.environment()["data"]["added_rows"] == 72


def test_rows_marked_as_bad_are_never_read_and_what_is_not_used_is_said(config, tmp_path):
    rows = [
        {"prompt": f"ask {i}", "completion": ("nice", "BAD")[i % 2] + f" {i}", "label": i % 2 == 0, "score": i, "id": i}
        for i in range(40)
    ]
    settings = config().model_dump() | {"task": "generation"}
    settings["data"] |= {"path": str(write_jsonl(tmp_path / "kto.jsonl", rows)), "template": "{prompt}\n{completion}"}
    found = prepare(build(settings), lambda done, total: None)
    assert not any("BAD" in text for text in [*texts(found, found.train), *texts(found, found.validation)])
    assert len(found.train) + len(found.validation) == 20 and all(place % 2 == 0 for place in found.places)
    assert "20 rows are on neither side: 'label' marks the answer as a bad one." in found.notes
    assert "'score' is not used: it holds numbers from 0 to 39, which may say how good the answers are." in found.notes
    assert "Not used: 'id'." in found.notes


def test_a_label_that_only_kept_rows_have_is_said(config, tmp_path):
    rows = [{"text": f"film {i}", "label": "ab"[i % 2]} for i in range(20)] + [{"text": "odd", "label": "c"}]
    settings = config().model_dump() | {"task": "generation"}
    more = {"path": str(write_jsonl(tmp_path / "rows.jsonl", rows)), "template": "{text}\n{label}"}
    settings["data"] |= more | {"validation": "[18:]"}
    found = prepare(build(settings), lambda done, total: None)
    assert "Only rows that are kept back have these labels, so they are not learned: 'c'." in found.notes

"""What is taken as the data, and how its columns are read."""

import json
from pathlib import Path

from ui import dataset
from ui.shared import first_draft
from ui.tabs.data import source


def test_a_demo_set_brings_its_whole_config() -> None:
    draft, filled, *_ = source.take_demo("tone", {}, 3)
    assert draft["data"]["path"].endswith("tone/train.jsonl")
    assert draft["task"] == "classification"
    assert filled == 4


def test_an_upload_becomes_the_data_with_a_template_and_a_task(rows: Path) -> None:
    draft, filled, *_ = source.take_upload([str(rows)], first_draft(), 0)
    assert filled == 1
    assert draft["data"]["path"] != str(rows)
    assert draft["evaluation"]["data"] is None  # the held-out file of the demo set is not this file's
    assert "{label}" in draft["data"]["template"]
    assert dataset.problems(draft) == {}


def test_several_uploads_become_one_set(rows: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.jsonl"
    other.write_text('{"note": "one more", "label": "no"}\n', encoding="utf-8")
    draft, filled, *_ = source.take_upload([str(rows), str(other)], first_draft(), 0)
    assert filled == 1
    assert len(dataset.source(draft).rows) == 24


def test_what_cannot_be_read_is_said_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n{', encoding="utf-8")
    draft, _, words, *_ = source.take_path(str(tmp_path / "broken.jsonl"), "", "", "", first_draft(), 0)
    assert not isinstance(draft, dict) or "data" not in draft
    assert "line 2" in words
    assert "say bad" in words


def test_a_path_comes_with_its_split(rows: Path) -> None:
    draft, *_ = source.take_path(str(rows), "", " train[:5] ", "", first_draft(), 0)
    assert draft["data"]["split"] == "train[:5]"
    assert len(dataset.source(draft).rows) == 5


def test_settings_of_the_data_before_do_not_linger(rows: Path) -> None:
    before = first_draft()
    before["data"] |= {"fixes": ["drop_duplicates"], "group_by": "note", "validation": "[90%:]"}
    before["augmentation"]["copies"] = 3
    draft, *_ = source.take_upload([str(rows)], before, 0)
    assert draft["data"]["fixes"] == []
    assert draft["data"]["group_by"] is None
    assert draft["data"]["validation"] == 0.1
    assert draft["augmentation"]["copies"] == 0


def test_a_layout_chosen_by_hand_brings_its_template(draft: dict) -> None:
    assert dataset.source(draft).layout.name == "text_label"
    changed, template, *slots = source.put_layout("prompt_completion", draft)
    assert changed["data"]["layout"] == "prompt_completion"
    assert dataset.source(changed).layout.name == "prompt_completion"
    assert template == changed["data"]["template"]
    assert [s["visible"] for s in slots].count(True) == 6  # four of them optional
    back, *_ = source.put_layout(source.FOUND, changed)
    assert back["data"]["layout"] is None
    assert back["data"]["template"] == draft["data"]["template"]


def test_roles_are_turned_round_by_hand(draft: dict) -> None:
    changed, *_ = source.put_layout("prompt_completion", draft)
    turned, template = source.put_roles(changed, "label", "note")
    assert dataset.source(turned).layout.roles == {"prompt": "label", "completion": "note"}
    assert template.rstrip().endswith("{note}")


def test_a_template_of_ones_own_stays(draft: dict) -> None:
    draft["data"]["template"] = "{note} => {label}"
    changed, *_ = source.put_layout("prompt_completion", draft)
    assert changed["data"]["template"] == "{note} => {label}"


def test_turns_are_read_by_their_keys(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    turns = [{"who": "user", "what": "hello"}, {"who": "assistant", "what": "good day"}]
    file.write_text(json.dumps({"id": "1", "talk": turns}) + "\n", encoding="utf-8")
    draft = dataset.with_data(first_draft(), str(file))
    changed, *_ = source.put_layout("messages", draft)
    labels = {s["label"]: s for s in source.slots(changed) if s["visible"]}
    keys = [value for _, value in list(labels.values())[1]["choices"]]
    assert {"who", "what"} <= set(keys)

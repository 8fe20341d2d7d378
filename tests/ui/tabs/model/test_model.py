"""The handlers of the Model tab, without a browser."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from core.config import METHODS, build, dumps, loads
from core.models.catalog import DEMO
from ui import form
from ui.shared import first_draft
from ui.tabs import model
from ui.tabs.model import base, settings, text


def test_yaml_is_what_the_command_line_reads() -> None:
    draft = first_draft()
    yaml = text.as_yaml(draft)
    assert yaml == dumps(build(draft)) and loads(yaml) == build(draft)
    assert "learning_rate: -1" in text.as_yaml(form.with_value(draft, "training.learning_rate", -1))


def test_yaml_with_problems_says_them_all_and_changes_nothing() -> None:
    yaml = text.as_yaml(first_draft()).replace("r: 16", "r: 0").replace("seed: 42", "sead: 42")
    draft, filled, words = text.take_yaml(yaml, 5)
    assert not isinstance(filled, int) and "method.r" in words and "seed" in words
    assert "line 2" in text.take_yaml("a: 1\n  b: [", 0)[2]
    draft, filled, _ = text.take_yaml(text.as_yaml(first_draft()), 5)
    assert draft == first_draft() and filled == 6


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in text.take_yaml_file(str(tmp_path / "x.yaml"), 0)[2]
    assert "No file" in text.take_yaml_file(None, 0)[2]


def test_everything_is_checked_at_once() -> None:
    draft = first_draft()
    values = form.filled(draft)
    ok, words, go = model.check(draft=draft, method="lora", **values)
    assert words == "" and go["selected"] == "train" and ok == draft
    wrong = values | {"training__learning_rate": -1, "training__num_train_epochs": None}
    draft, words, _ = model.check(draft=form.with_value(draft, "data.path", "gone.csv"), method="lora", **wrong)
    assert "3 things to fix first" in words and "On the Data tab" in words and "Learning rate" in words


def test_another_method_is_taken_with_what_its_form_holds() -> None:
    draft = first_draft()
    values, rate = form.filled(draft), form.value_of(draft, "training.learning_rate")
    assert form.value_of(model.collect(draft=draft, method="lora", **values), "training.learning_rate") == rate
    full = model.collect(draft=draft, method="full", **values | {"training__learning_rate": None})
    assert rate and form.value_of(full, "training.learning_rate") is None and build(full).method.name == "full"
    typed = model.collect(draft=draft, method="full", **values | {"training__learning_rate": 1e-4})
    assert form.value_of(typed, "training.learning_rate") == 1e-4, "typed before the form was sent"


@pytest.fixture(scope="module")
def tab() -> model.ModelTab:
    with gr.Blocks():
        shared = SimpleNamespace()
        return model.layout(shared)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", list(METHODS))
def test_a_whole_draft_fills_the_form(tab: model.ModelTab, method: str) -> None:
    draft = form.collected(first_draft(), method, form.filled(first_draft()))
    keys = list(tab.settings.fields)
    card, path, revision, chosen, *rest = model.fill(tab, draft)
    assert (card, path, revision, chosen) == (DEMO, "", "", method)
    assert form.collected(draft, method, dict(zip(keys, rest[: len(keys)], strict=True))) == draft
    seen = {
        name for (name, _), update in zip(tab.settings.columns, rest[len(keys) :], strict=True) if update["visible"]
    }
    assert seen <= {method}


def test_every_setting_has_its_field_and_every_method_its_word(tab: model.ModelTab) -> None:
    asked = {s.key for s in form.all_settings() if not s.path.startswith("model.")}
    assert set(tab.settings.fields) == asked
    assert set(settings.WORDS) == set(METHODS) == {value for _, value in tab.settings.method.choices}


def test_what_is_derived_fits_what_it_is_written_to(tab: model.ModelTab) -> None:
    draft = form.with_value(first_draft(), "training.loss", "focal")
    made = dict(zip(map(id, settings.outputs(tab.settings)), settings.derived(tab.settings, draft), strict=True))
    assert made[id(tab.settings.fields["training__focal_gamma"])]["visible"]
    assert not made[id(tab.settings.fields["training__margin"])]["visible"]
    assert "1 of 5 changed" in made[id(tab.settings.folds["Loss and noise"])]["label"]


def test_a_choice_of_heads_only_where_there_is_one(tiny_models: Any) -> None:
    draft = form.with_value(first_draft(), "task", "classification")
    shown = base.heads(draft)
    assert shown["visible"] and shown["value"] == "lm"
    headed = base.take_head("task", draft)
    assert headed["model"]["head"] == "task" and base.heads(headed)["value"] == "task"
    assert base.take_head("lm", headed)["model"]["head"] is None
    assert not base.heads(form.with_value(draft, "task", "summarization"))["visible"]
    assert not base.heads(form.with_value(draft, "task", "extraction"))["visible"]  # fields, not tags
    assert not base.heads(form.with_value(draft, "model.path", str(tiny_models("bert"))))["visible"]


def test_a_model_that_is_not_here_says_so() -> None:
    draft = form.with_value(first_draft(), "model.path", "/no/such <b>folder")
    words = base.facts(draft)
    assert "say bad" in words and "<b>folder" not in words
    assert "Parameters" in base.facts(first_draft())


def test_what_olive_says_fills_the_form_and_the_rest_is_named() -> None:
    command = (
        "olive finetune -m assets/demo-model -d json --data_files rows.jsonl --method lora --lora_r 4 --packing true"
    )
    draft, filled, words = text.take_yaml(command, 5)
    assert filled == 6 and draft["method"]["r"] == 4 and "Filled from Olive" in words
    kept, count, words = text.take_yaml("olive auto-opt -m assets/demo-model --precision int4", 5)
    assert "There is no training in it" in words and "core export" in words and not isinstance(count, int)
    assert "cannot be taken" in text.take_yaml("olive fine <b>", 5)[2]
    assert kept != draft

"""The form is derived from the config, and says the same as a draft."""

from typing import Any

import gradio as gr
import pytest

from core.config import METHODS, RunConfig, build
from ui import form


@pytest.fixture
def draft() -> dict[str, Any]:
    return RunConfig().model_dump(mode="json")


def test_every_setting_of_the_config_has_a_field_but_what_the_page_asks_for_elsewhere(draft: dict[str, Any]) -> None:
    paths = {s.path for s in form.all_settings()}
    declared = {f"{section}.{name}" for section in ("model", "training", "evaluation") for name in draft[section]}
    methods = {f"method.{n}" for cls in METHODS.values() for n in cls.model_fields if n != "name"}
    assert paths == (declared | methods) - {"model.path", "model.head"}


@pytest.mark.parametrize("method", list(METHODS))
def test_form_and_draft_say_the_same(method: str) -> None:
    draft = build({"method": {"name": method}, "training": {"learning_rate": 3e-3}}).model_dump(mode="json")
    assert form.collected(draft, method, form.filled(draft)) == draft


def test_another_method_brings_its_own_settings_and_no_others(draft: dict[str, Any]) -> None:
    full = form.collected(draft, "full", form.filled(draft))
    assert full["method"] == {"name": "full"}
    assert build(form.collected(full, "lora", form.filled(draft))) == RunConfig()


def test_components_follow_the_types() -> None:
    with gr.Blocks():
        made = {s.path: form.component(s) for s in form.all_settings()}
    assert isinstance(made["training.learning_rate"], gr.Number)
    assert isinstance(made["training.lr_scheduler_type"], gr.Dropdown)
    assert isinstance(made["method.target_modules"], gr.Dropdown) and made["method.target_modules"].multiselect
    assert isinstance(made["method.use_dora"], gr.Checkbox)
    assert made["training.learning_rate"].placeholder == "the default of the method and size"
    assert made["evaluation.max_new_tokens"].label == "Longest answer (tokens)"


@pytest.mark.parametrize(
    ("path", "given", "wanted"),
    [
        ("training.seed", 7.0, 7),
        ("training.seed", 7.5, 7.5),
        ("method.target_modules", " q_proj, v_proj ", ["q_proj", "v_proj"]),
        ("method.target_modules", ["all-linear"], "all-linear"),
        ("method.target_modules", [], "all-linear"),
        ("method.modules_to_save", [], None),
        ("method.modules_to_save", ["lm_head"], ["lm_head"]),
        ("training.report_to", ["tensorboard"], ["tensorboard"]),
        ("method.use_dora", True, True),
        ("evaluation.data", "  ", None),
        ("training.max_steps", None, None),
    ],
)
def test_what_a_component_holds_becomes_a_plain_value(path: str, given: Any, wanted: Any) -> None:
    setting = next(s for s in form.all_settings() if s.path == path)
    assert form.given(setting, given) == wanted


def test_all_problems_are_said_at_once_and_an_empty_field_is_called_empty(draft: dict[str, Any]) -> None:
    draft = form.with_value(form.with_value(draft, "training.learning_rate", -1), "training.seed", None)
    wrong = form.errors(draft)
    assert list(wrong) == ["training.learning_rate", "training.seed"]
    assert wrong["training.seed"] == "This cannot be empty. The default is 42."


def test_what_differs_from_the_default_is_changed(draft: dict[str, Any]) -> None:
    seed = next(s for s in form.all_settings() if s.path == "training.seed")
    assert not form.is_changed(seed, draft) and form.is_changed(seed, form.with_value(draft, "training.seed", 1))


def test_a_draft_that_is_none_does_no_harm() -> None:
    assert form.value_of({"data": 5}, "data.path", "none") == "none"
    assert form.with_value({"data": 5}, "data.path", "x") == {"data": {"path": "x"}}
    assert form.method_of({"method": {"name": "magic"}}) == "lora"

"""Errors for people: where they belong, and what was probably meant."""

import pytest

from core.errors import ConfigError, InputError, nearest, unknown


def test_an_input_error_is_its_sentence_and_its_field():
    error = InputError("No such file.", "data.path")
    assert (str(error), error.field, InputError("x").field) == ("No such file.", "data.path", "")
    assert isinstance(error, ValueError)


def test_a_config_error_holds_all_problems_in_order():
    error = ConfigError({"model.path": "gone.", "": "both together."})
    assert str(error) == "model.path: gone.\nboth together."
    assert (error.field, ConfigError({}).field) == ("model.path", "")


@pytest.mark.parametrize(
    ("name", "known", "want"),
    [
        ("phrse", ["tone", "phrase"], "phrase"),
        ("PHRASE", ["tone", "phrase"], "phrase"),
        ("Tone", ["TONE", "tone"], "TONE"),
        ("batch", ["seed", "per_device_train_batch_size"], "per_device_train_batch_size"),
        ("zz", ["zebra_zz"], ""),
        ("quite else", ["tone", "phrase"], ""),
        ("", ["tone"], ""),
        ("x", [], ""),
    ],
)
def test_nearest_guesses_only_what_is_near(name, known, want):
    assert nearest(name, known) == want


def test_unknown_guesses_and_lists():
    assert unknown("metric", "acuracy", ["accuracy", "bleu"]) == (
        "There is no metric 'acuracy'. Did you mean 'accuracy'? Known: accuracy, bleu."
    )
    assert unknown("metric", "?", iter(["bleu"])) == "There is no metric '?'. Known: bleu."

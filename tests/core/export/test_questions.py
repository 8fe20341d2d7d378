"""Which rows a package is asked."""

from core.config import build
from core.export import questions
from core.models.tokenizer import load_tokenizer
from tests import factory


def config(path, **more):
    data = {"path": str(path), "template": "{phrase} is [[{tone}]]", "max_tokens": 64}
    return build({"data": data | more.pop("data", {}), **more})


def test_held_out_rows_come_first(tmp_path, tokenizer, rows_file):
    held = factory.write_jsonl(tmp_path / "held" / "heldout.jsonl", factory.tone_rows(8))
    asked = questions.ask(config(rows_file, evaluation={"data": str(held)}), tokenizer, 5)
    assert len(asked.prompts) == 5 and asked.told.startswith("held-out rows of ")
    assert asked.wants == [row["tone"] for row in asked.rows]
    assert asked.form["fields"] == ["phrase"] and asked.form["columns"] == ["phrase", "tone"]


def test_then_validation_rows_and_only_then_training_rows(tokenizer, rows_file):
    assert questions.ask(config(rows_file), tokenizer, 50).told.startswith("validation rows of ")
    asked = questions.ask(config(rows_file, data={"validation": 0.0}), tokenizer, 50)
    assert asked.told.startswith("training rows (none were kept back) of ") and len(asked.prompts) == 24


def test_named_data_wins(tmp_path, tokenizer, rows_file):
    other = factory.write_jsonl(tmp_path / "other" / "mine.jsonl", factory.tone_rows(3))
    assert len(questions.ask(config(rows_file), tokenizer, 50, str(other)).prompts) == 3


def test_a_model_of_which_nothing_is_known_is_asked_neutral_sentences(tmp_path, tokenizer):
    asked = questions.ask(None, tokenizer, 50)
    assert len(asked.prompts) == len(questions.NEUTRAL) and asked.wants is None
    plain = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None))
    asked = questions.ask(None, plain, 50)
    assert asked.form["template"] == "{text}[[{answer}]]" and asked.form["fields"] == ["text"]

"""Commands and jobs: a hostile model ends them with a sentence and status 2, whichever row it is that has no end."""

import json

import pytest

from core.__main__ import main
from core.config import build
from core.data.bulk import encode_rows
from core.data.dataset import open_examples
from core.data.formats import Layout
from core.data.template import Wording
from core.errors import InputError, Overran
from core.limited import asks, watch
from core.limited.pool import Pool
from core.limited.process import Bounds
from core.models.tokenizer import load_folder, load_tokenizer
from core.training.examples import prepare
from tests.core.limited.hostile import END, ENDLESS, LOOP, model, rows

WRITE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
LATE = "{% if 'LOOP' in messages[0].content %}" + LOOP + END + "{% endif %}" + WRITE


@pytest.fixture(autouse=True)
def children(monkeypatch, tmp_path):
    made = Pool(2, Bounds(seconds=0.4, long_seconds=5))
    monkeypatch.setattr(asks, "pool", lambda: made)
    monkeypatch.setattr(watch, "LIMITS", watch.Limits(0.4))
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    yield made
    made.close()


def test_an_endless_template_is_refused_before_this_process_renders(tmp_path, capsys, children, monkeypatch):
    folder, file = model(tmp_path / "m", ENDLESS["loop"]), rows(tmp_path / "rows.jsonl")
    assert main(["check", str(file), "--model", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "The model's chat template did not come to an end within 0.4 seconds: it is not used." in said
    assert "Traceback" not in said and children.pids
    with pytest.raises(InputError, match="did not come to an end"):
        prepare(build({"model": {"path": str(folder)}, "data": {"path": str(file)}}), lambda done, total: None)
    words = ["--template", "{prompt} [[{completion}]]"]
    assert main(["check", str(file), "--model", str(folder), *words]) == 0  # it is not rendered then


def test_a_row_in_the_middle_that_has_no_end_ends_the_command(tmp_path, capsys):
    folder, file = model(tmp_path / "m", LATE), rows(tmp_path / "rows.jsonl", odd="LOOP")
    assert main(["check", str(file), "--model", str(folder)]) == 2
    assert "The model's chat template did not come to an end within 0.4 seconds" in capsys.readouterr().err


def test_it_is_never_a_row_that_is_left_out(tmp_path):
    config = build({"data": {"path": str(rows(tmp_path / "rows.jsonl", odd="LOOP"))}})
    source, tokenizer = open_examples(config), load_folder(model(tmp_path / "m", LATE))
    with pytest.raises(Overran):
        encode_rows(source.rows, source.layout, config, tokenizer)


def test_a_panic_in_the_middle_ends_the_command(tmp_path, capsys):
    folder, file = model(tmp_path / "m", regex="(a+)+$"), rows(tmp_path / "rows.jsonl", odd="a" * 60 + "b")
    assert main(["check", str(file), "--model", str(folder)]) == 2
    assert "The model's tokenizer fails on a text of this data" in capsys.readouterr().err


def test_what_went_well_is_not_tried_again(tmp_path, children, monkeypatch):
    folder, file = model(tmp_path / "m", WRITE), rows(tmp_path / "rows.jsonl")
    config = build({"model": {"path": str(folder)}, "data": {"path": str(file)}})
    asks.try_first(config, open_examples(config))
    load_tokenizer(folder)
    monkeypatch.setattr(children, "ask", None)
    asks.try_first(config, open_examples(config))
    load_tokenizer(model(tmp_path / "copy", WRITE))  # the same files elsewhere
    [note] = (tmp_path / "cache" / "tried").iterdir()
    assert json.loads(note.read_text()) == {"loaded": True, "its own template": True}
    with pytest.raises(TypeError):
        load_tokenizer(model(tmp_path / "other", WRITE + " "))


def test_a_model_of_the_hub_is_read_where_strangers_read_no_path(tmp_path, children, monkeypatch):
    folder = model(tmp_path / "hub" / "m", WRITE)
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setattr(asks, "tokenizer_folder", lambda path, revision: folder)
    question = asks.Asked("own/model", None, Wording())
    question.check()
    assert question.end_token() and question.tokens([{"text": "a"}], Layout("text", {"text": "text"}, ""))


def test_what_is_bundled_is_not_tried(children, monkeypatch):
    monkeypatch.setattr(children, "ask", None)
    assert load_tokenizer("assets/demo-model")


@pytest.mark.parametrize(
    "file, text, words",
    [
        ("tokenizer.json", "{", "cannot be read"),
        ("tokenizer.json", "[" * 100_000, "cannot be read"),
        ("tokenizer.json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": -1}}}', "cannot be read"),
        ("tokenizer_config.json", '{"model_max_length": "many"}', "model_max_length is 'many'"),
        ("tokenizer_config.json", '{"model_max_length": NaN}', "model_max_length is nan"),
        ("tokenizer_config.json", '{"model_max_length": -3}', "model_max_length is -3"),
        ("tokenizer_config.json", '{"chat_template": 3}', "the chat template is no text"),
        ("tokenizer_config.json", '{"chat_template": {"default": 3}}', "the chat template is no text"),
        ("tokenizer_config.json", '{"eos_token": {"a": 1}}', "cannot be read"),
        ("tokenizer_config.json", '{"a":' * 50_000, "cannot be read"),
        ("special_tokens_map.json", "[1, 2]", "cannot be read"),
    ],
)  # fmt: skip
def test_a_broken_tokenizer_is_a_sentence(tmp_path, children, file, text, words):
    folder = model(tmp_path / "m")
    (folder / file).write_text(text, encoding="utf-8")
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(InputError, match=words) as caught:
        load_tokenizer(folder)
    assert caught.value.field == "model.path"

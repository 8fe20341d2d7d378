"""What is said of a model before it is tuned."""

import json

import pytest

from core.errors import InputError
from core.models.remarks import remarks
from tests import factory


def changed(folder, file, **values):
    path = folder / file
    known = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (known | values).items() if v is not None}))


@pytest.fixture
def model(tmp_path):
    return factory.tiny_model("llama", tmp_path / "m")


def test_nothing_is_said_where_all_is_well(model):
    assert remarks(model) == []


def test_each_thing_is_said_in_a_sentence(model):
    changed(model, "config.json", auto_map={"AutoModel": "code.Model"})
    changed(model, "tokenizer_config.json", pad_token=None)
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    said = remarks(model)
    assert [s.split()[:3] for s in said] == [
        ["The", "model", "names"], ["The", "weights", "in"], ["The", "tokenizer", "has"]]  # fmt: skip
    assert "kind 'llama'" in said[0] and "pytorch_model.bin" in said[1] and "(id " in said[2]


def test_a_pad_token_that_ends_answers(model):
    end = json.loads((model / "tokenizer_config.json").read_text())["eos_token"]
    changed(model, "tokenizer_config.json", pad_token=end)
    [said] = remarks(model)
    assert "ends answers, too" in said and f"{end!r}" in said


def test_without_a_chat_template_one_is_asked_for(tmp_path):
    model = factory.tiny_model("llama", tmp_path / "m", chat=None)
    assert ["chat template" in s for s in remarks(model)] == [True]
    assert remarks(model, template="{phrase}\n{tone}") == []
    assert remarks(factory.tiny_model("bert", tmp_path / "b")) == []


def test_no_model_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no model folder"):
        remarks(tmp_path / "m")

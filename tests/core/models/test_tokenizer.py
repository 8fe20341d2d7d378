"""The tokenizer of a model folder: found, refused in words, its end and padding, its traits."""

import json
import shutil

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from core.errors import InputError
from core.models.tokenizer import end_ids, load_tokenizer, pad_id, traits, turn_end
from tests import factory


def test_ids_are_those_of_tokenizer_json(tmp_path):
    folder = factory.write_tokenizer(tmp_path / "dir ü with space", bos=True)
    tok = load_tokenizer(folder)
    assert isinstance(tok, PreTrainedTokenizerFast) and load_tokenizer(str(folder)) is tok
    for text in factory.CORPUS:
        assert tok(text)["input_ids"] == Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    assert traits(tok).bos == "<s>" and traits(tok).eos == "<|im_end|>"


@pytest.mark.parametrize("chat_file", [False, True])
def test_chat_templates_are_found(tmp_path, chat_file):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path / "t", chat_file=chat_file))
    assert turn_end(tok) == "<|im_end|>"


def test_named_chat_templates(tmp_path):
    folder = factory.write_tokenizer(tmp_path / "t", chat=None)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = [
        {"name": "default", "template": factory.CHATS["plain"]},
        {"name": "tool_use", "template": ""},
    ]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert turn_end(load_tokenizer(folder)) == "<|im_end|>"


def test_a_changed_folder_is_read_again(tmp_path):
    folder = factory.write_tokenizer(tmp_path / "t", chat=None)
    assert not load_tokenizer(folder).chat_template
    (folder / "chat_template.jinja").write_text(factory.CHATS["plain"])
    assert load_tokenizer(folder).chat_template


def make(tmp_path, **files):
    folder = tmp_path / "model"
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "is no model folder: it has neither config.json nor tokenizer.json"),
        ({"config__json": "{}"}, "has no tokenizer.json: copy"),
        ({"config__json": "{}", "tokenizer__model": ""}, "has tokenizer.model but no tokenizer.json: convert it once"),
        ({"adapter_config__json": '{"base_model_name_or_path": "org/base"}'},
         "holds an adapter, not a model: it sits on 'org/base'"),
        ({"tokenizer__json": "{"}, "The tokenizer in .* cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_model(tmp_path, files, words):
    with pytest.raises(InputError, match=words) as error:
        load_tokenizer(make(tmp_path, **files))
    assert error.value.field == "model.path"


def test_a_folder_that_is_not_there_and_a_file(tmp_path):
    make(tmp_path)
    with pytest.raises(InputError, match="Did you mean 'model'"):
        load_tokenizer(tmp_path / "modle")
    (tmp_path / "x.safetensors").write_text("")
    with pytest.raises(InputError, match="is a file: give the folder"):
        load_tokenizer(tmp_path / "x.safetensors")


def test_a_hub_id_without_a_network(no_network):
    with pytest.raises(InputError, match="'someone/some-model' here, and the Hugging Face Hub cannot be reached"):
        load_tokenizer("someone/some-model")
    no_network.clear()


def test_ends_and_padding(tmp_path):
    folder = factory.write_tokenizer(tmp_path / "t", pad=None, eos="</s>")
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 3]}')
    tok = load_tokenizer(folder)
    assert end_ids(tok) == {2, 4} and end_ids(tok, folder) == {2, 3, 4}
    assert pad_id(tok) == 0  # <pad> is in the vocabulary though no setting names it
    shutil.copytree(folder, tmp_path / "same")
    config = json.loads((tmp_path / "same" / "tokenizer_config.json").read_text()) | {"pad_token": "</s>"}
    (tmp_path / "same" / "tokenizer_config.json").write_text(json.dumps(config))
    same = load_tokenizer(tmp_path / "same")
    assert same.pad_token_id == 2 and pad_id(same) == 0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("https://example.com/owner/name", "Of an address on the Hub write 'owner/name' alone."),
        ("https://example.com/owner/name/tree/main?x=1", "write 'owner/name' alone"),
        ("no-such-model-at-all", "A model on the Hub is called owner/name."),
        ("/no/such/model", "There is no model folder '/no/such/model'."),
    ],
)
def test_a_model_that_is_not_there_is_refused_with_what_to_write(path, words):
    with pytest.raises(InputError) as refusal:
        load_tokenizer(path)
    assert words in str(refusal.value)

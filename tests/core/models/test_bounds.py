"""JSON of somebody's model: what is absurd is a sentence, never a traceback, and never minutes of building."""

import json

import pytest

from core.__main__ import main
from core.config import RunConfig
from core.errors import InputError
from core.models.bounds import check_adapter, check_config, read_object
from core.models.catalog import describe_model, tensors
from core.models.shapes import mismatch, read_shape
from core.models.tokenizer import end_ids, load_folder
from tests.conftest import ROOT
from tests.core.limited.hostile import DEMO, model, rows

ABSURD = [
    ("num_hidden_layers", "many", "from 1 to 1,000"),
    ("num_hidden_layers", 10_000_000, "num_hidden_layers: 10000000, where a whole number from 1 to 1,000 is meant"),
    ("num_hidden_layers", 0, "from 1 to 1,000"),
    ("num_hidden_layers", -4, "from 1 to 1,000"),
    ("num_hidden_layers", True, "from 1 to 1,000"),
    ("num_hidden_layers", 2.5, "from 1 to 1,000"),
    ("num_hidden_layers", {"a": 1}, "from 1 to 1,000"),
    ("hidden_size", float("nan"), "hidden_size: NaN"),
    ("hidden_size", 10**400, "a huge number"),
    ("hidden_size", [64, "x"], "from 1 to"),
    ("vocab_size", 10**12, "from 1 to 16,777,216"),
    ("num_attention_heads", 0, "from 1 to"),
    ("max_position_embeddings", -1, "from 0 to"),
    ("model_type", 7, "a text is meant"),
    ("model_type", ["llama"], "a text is meant"),
    ("architectures", "LlamaForCausalLM", "a list of names is meant"),
    ("architectures", [1], "a list of names is meant"),
    ("architectures", {"0": "a"}, "a list of names is meant"),
    ("text_config", "x", "an object is meant"),
    ("text_config", {"num_hidden_layers": "many"}, "from 1 to 1,000"),
    ("tie_word_embeddings", "yes", "true or false is meant"),
]


@pytest.mark.parametrize("key, value, words", ABSURD, ids=lambda v: str(v)[:24])
def test_an_absurd_size_is_a_sentence(tmp_path, key, value, words):
    folder = model(tmp_path / "m", **{key: value})
    for ask in (read_shape, describe_model):
        with pytest.raises(InputError, match=words) as caught:
            ask(folder)
        assert caught.value.field == "model.path"


@pytest.mark.parametrize(
    "text, words",
    [
        ("[" * 50_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ('{"a": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested too deeply"),
        ("[]", "holds no object"),
        ("null", "holds no object"),
        ("", "cannot be read"),
        ("{" + " " * (8 * 2**20) + "}", "has 8 MB, which none needs"),
        ('{"vocab_size": ' + "9" * 5000 + "}", "cannot be read"),
    ],
    ids=lambda v: v[:12],
)
def test_a_broken_config_is_a_sentence(tmp_path, text, words):
    folder = model(tmp_path / "m")
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_shape(folder)
    (folder / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="cannot be read"):
        read_object(folder / "config.json", "it")


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert", "t5", "mamba", "", "no-such"])
def test_any_value_in_any_size_is_a_shape_or_a_sentence(family):
    """Whatever stands in a config.json: nothing but an InputError comes of it."""
    whole = json.loads((DEMO / "config.json").read_text(encoding="utf-8")) | {"model_type": family}
    from core.models.bounds import SIZES
    from core.models.shapes import shape_of

    for key in SIZES:
        for value in (None, 0, -1, 3, [1, 2], [], "a", {}, True, 1e30, 10**300):
            config = whole | {key: value}
            try:
                check_config(config, "it")
                assert shape_of(config).parameters >= 0
            except InputError as error:
                assert error.field == "model.path"


def test_what_known_models_say_is_fine():
    fine = {"num_key_value_heads": [2, 4], "intermediate_size": [8192, 4096], "n_inner": None, "is_decoder": 0}
    check_config(fine | {"architectures": None, "text_config": {"vocab_size": 262_144}, "auto_map": {"a": "b"}}, "it")
    check_adapter({"r": 16, "base_model_name_or_path": None}, "it")


@pytest.mark.parametrize(
    "values", [{"r": 10**9}, {"r": "x"}, {"r": -1}, {"base_model_name_or_path": 3}, {"num_virtual_tokens": 2**40}]
)
def test_an_absurd_adapter_is_a_sentence(tmp_path, values):
    with pytest.raises(InputError, match=r"The adapter_config.json of .* says"):
        check_adapter(values, "it")


@pytest.mark.parametrize(
    "header, words",
    [
        (b"[" * 50_000, "nested too deeply"),
        (b'{"w":' * 50_000, "nested too deeply"),
        (b"[1, 2]", "holds no tensors"),
        (b'{"w": 3}', "has no dtype"),
        (b'{"w": {"dtype": "F32", "shape": [-4, 2]}}', r"is \[-4, 2\]"),
        (b'{"w": {"dtype": "F32", "shape": "4"}}', "is '4'"),
        (b'{"w": {"dtype": "F32", "shape": [2.5]}}', r"is \[2.5\]"),
        (b'{"w": {"dtype": "F32", "shape": [NaN]}}', "nan"),
        (b'{"w": {"dtype": "F32", "shape": [1' + b"0" * 300 + b"]}}", "the shape of the tensor"),
        (b'{"w": {"dtype": "F32", "shape": [' + b"2," * 99_999 + b"2]}}", "the shape of the tensor"),
    ],
    ids=range(10),
)
def test_an_absurd_header_is_a_sentence(tmp_path, header, words):
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match=words) as caught:
        tensors(tmp_path)
    assert caught.value.field == "model.path"


def test_a_config_of_more_weights_than_the_files_hold_is_refused_before_it_is_built(tmp_path):
    folder = model(tmp_path / "m", num_hidden_layers=900, hidden_size=65_536, intermediate_size=262_144)
    assert not mismatch(DEMO)
    assert not mismatch(folder)  # no weights here
    (folder / "model.safetensors").write_bytes((DEMO / "model.safetensors").read_bytes())
    assert "by its config.json there are" in mismatch(folder)


def test_ends_of_any_kind(tmp_path):
    folder = model(tmp_path / "m")
    tokenizer, own = load_folder(ROOT / "assets" / "demo-model"), end_ids(load_folder(ROOT / "assets" / "demo-model"))
    for value in ("x", None, -1, True, [3.5, "x", -2], {"a": 1}, float("nan")):
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": value}), encoding="utf-8")
        assert end_ids(tokenizer, folder) == own
    (folder / "generation_config.json").write_text('{"a":' * 50_000, encoding="utf-8")
    with pytest.raises(InputError, match="nested too deeply"):
        end_ids(tokenizer, folder)


@pytest.mark.parametrize("values", [{"num_hidden_layers": "many"}, {"num_hidden_layers": 10_000_000}])
def test_estimate_says_it(tmp_path, capsys, values):
    folder, file = model(tmp_path / "m", **values), rows(tmp_path / "rows.jsonl")
    (tmp_path / "c.yaml").write_text(f"model: {{path: {folder}}}\ndata: {{path: {file}}}\n", encoding="utf-8")
    assert RunConfig()
    assert main(["estimate", str(tmp_path / "c.yaml")]) == 2
    said = capsys.readouterr().err
    assert "num_hidden_layers" in said and "Traceback" not in said

"""What a model is, from its files alone."""

import json

import pytest

from core.errors import InputError
from core.models.catalog import DEMO, SUGGESTIONS, describe_model
from core.paths import ROOT


def write_weights(path, tensors):
    header = json.dumps({"__metadata__": {"format": "pt"}} | tensors).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)


def test_parameters_over_several_files(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048})
    )
    write_weights(tmp_path / "a.safetensors", {"w": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}})
    write_weights(tmp_path / "b.safetensors", {"b": {"dtype": "F32", "shape": [5], "data_offsets": [0, 20]}})
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Model\n")
    (tmp_path / "chat_template.jinja").write_text("x")
    info = describe_model(tmp_path)
    assert (info.parameters, info.dtype, info.context, info.licence) == (17, "BF16", 2048, "apache-2.0")
    assert (info.architecture, info.family, info.chat_template) == ("LlamaForCausalLM", "llama", True)


def test_a_folder_without_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    info = describe_model(tmp_path)
    assert (info.parameters, info.bytes, info.architecture, info.chat_template) == (None, None, "", False)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, (4).to_bytes(8, "little") + b"{}{}"])
def test_damaged_weights(tmp_path, content):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="The weights in model.safetensors"):
        describe_model(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_a_damaged_config(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="The config.json of"):
        describe_model(tmp_path)


def test_suggestions_and_the_demo_model():
    assert len({s.id for s in SUGGESTIONS}) == len(SUGGESTIONS) >= 6
    if not (ROOT / DEMO / "model.safetensors").is_file():
        pytest.skip("the demo model has not been made (make demo-model)")
    assert 3e6 <= (describe_model(DEMO).parameters or 0) <= 6e6

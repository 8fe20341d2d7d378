"""Weights are loaded safely, or refused in one sentence."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError
from core.models import catalog, load


def refused(path):
    with pytest.raises(InputError) as error:
        load.load_base(str(path))
    assert error.value.field == "model.path"
    assert "\n" not in str(error.value)
    return str(error.value)


def test_float32_whatever_is_on_the_disk(tiny_llama):
    model = load.load_base(str(tiny_llama))
    assert {p.dtype for p in model.parameters()} == {torch.float32} and not model.training


def test_folders_that_are_no_model(tmp_path, tiny_llama):
    assert "holds no model" in refused(tmp_path)
    assert "There is no model folder" in refused(tmp_path / "none")
    assert "is a file" in refused(tiny_llama / "config.json")


def test_a_model_that_does_not_write_text(tiny_models):
    assert "does not write text" in refused(tiny_models("bert"))


def test_weights_missing_pickled_damaged_or_incomplete(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "m")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    tensors = {k: v.clone() for k, v in load_file(str(weights)).items()}  # the file itself is mapped into memory
    weights.write_bytes(whole[:100])
    assert "damaged" in refused(folder) or "cannot be loaded" in refused(folder)
    save_file(dict(list(tensors.items())[:-3]), str(weights), metadata={"format": "pt"})
    assert "incomplete weights: 3" in refused(folder)
    weights.unlink()
    assert "no weights in safetensors format" in refused(folder)
    torch.save(tensors, folder / "pytorch_model.bin")
    assert "can hold code" in refused(folder)


@pytest.mark.parametrize("index", ["model.safetensors.index.json", "more/own.safetensors.index.json"])
@pytest.mark.parametrize("where", ["../other/model.safetensors", "{other}", "x/../../other/model.safetensors", None])
def test_an_index_names_files_of_its_own_folder_alone(where, index, tiny_llama, tmp_path):
    """CVE-2026-75104: transformers reads whatever file the index of a folder names."""
    folder, other = shutil.copytree(tiny_llama, tmp_path / "m"), tmp_path / "other"
    other.mkdir()
    names = list(load_file(str(folder / "model.safetensors")))
    (folder / index).parent.mkdir(exist_ok=True)
    part = (where or "part.safetensors").format(other=other / "model.safetensors")
    own = folder / "part.safetensors" if where is None else other / "model.safetensors"
    (folder / "model.safetensors").rename(own)
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, part)}))
    if "/" in index:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": index}))
    if where is None:
        assert load.load_base(str(folder))
    else:
        assert "names a file elsewhere" in refused(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"num_attention_heads": 3}, "not a multiple of the number of attention heads (3)"),
        ({"hidden_act": "own"}, "what its config.json says is unknown ('own')"),
        ({"hidden_size": 32}, "has weights of other shapes than its config.json says"),
    ],
)
def test_a_config_that_cannot_be_is_one_sentence(change, says, tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    assert says in refused(folder)


def test_code_of_its_own_is_not_run(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "architectures": ["OwnForCausalLM"], "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('code ran')")
    assert "brings code of its own" in refused(folder)
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "auto_map"}))
    assert "is of the kind 'own', which transformers" in refused(folder)
    kept = config | {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(kept | {"auto_map": {"AutoModelForCausalLM": "own.Model"}}))
    assert type(load.load_base(str(folder))).__name__ == "LlamaForCausalLM"


def test_a_hub_id_without_network_is_one_sentence():
    assert "nobody/nothing" in refused("nobody/nothing")


def test_an_adapter_is_no_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    assert "some/base" in refused(tmp_path)


def test_companions_are_copied_byte_for_byte(tiny_llama, tmp_path):
    names = load.copy_companions(str(tiny_llama), None, tmp_path)
    assert "tokenizer.json" in names
    for name in names:
        assert (tmp_path / name).read_bytes() == (tiny_llama / name).read_bytes()


def test_fingerprints_tell_weights_apart(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "m")
    before = load.fingerprint(str(folder))
    assert before == load.fingerprint(str(tiny_llama))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert load.fingerprint(str(folder)) != before


def test_cpu_computes_in_float32(monkeypatch):
    assert load.precision().frozen == torch.float32 and load.precision().autocast == ""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability, name, kind in (((9, 0), "bf16", torch.bfloat16), ((7, 5), "fp16", torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda c=capability: c)
        assert (load.precision().autocast, load.precision().frozen) == (name, kind)


def test_weights_that_are_a_pipe_are_refused_and_not_waited_for(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "piped")
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    with pytest.raises(InputError, match="no plain file"):
        load.load_base(str(folder))
    with pytest.raises(InputError, match="plain file"):
        catalog.tensors(folder)


def test_nothing_of_the_files_generation_config_but_its_token_ids_is_applied(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "samples")
    file = folder / "generation_config.json"
    settings = {"do_sample": True, "temperature": 0.3, "repetition_penalty": 7.0, "cache_implementation": "quantized"}
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    rule = load.load_base(str(folder)).generation_config
    assert (rule.repetition_penalty or 1.0, rule.cache_implementation, rule.do_sample or False) == (1.0, None, False)
    assert rule.eos_token_id == json.loads(file.read_text())["eos_token_id"]

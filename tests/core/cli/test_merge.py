"""python -m core merge: one folder that opens as a model does, or one sentence."""

import json

import pytest
import torch

from core.__main__ import main
from core.config import LoraMethod
from core.methods import lora
from core.models.load import load_base, load_run


@pytest.fixture
def adapter(tiny_llama, tmp_path):
    model = lora.prepare(load_base(str(tiny_llama)), LoraMethod(r=4), str(tiny_llama), None)
    lora.save(model, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_one_folder_that_opens(adapter, tiny_llama, tmp_path, capfd):
    out = tmp_path / "new" / "merged"
    assert main(["merge", str(adapter), "--out", str(out), "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["dir"], said["merged"]) == (str(out), True) and said["bytes"] > 400_000
    ids = torch.arange(5, 20).unsqueeze(0)
    with torch.no_grad():
        torch.testing.assert_close(load_run(out)[0](ids).logits, load_base(str(tiny_llama))(ids).logits)
    assert main(["merge", str(out), "--out", str(tmp_path / "again")]) == 0
    assert "whole already" in capfd.readouterr().out and not (tmp_path / "again").exists()


def test_a_folder_in_use_is_left_alone(adapter, tmp_path, capfd):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert main(["merge", str(adapter), "--out", str(tmp_path / "out")]) == 2
    assert "not empty" in capfd.readouterr().err and (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert main(["merge", str(adapter), "--out", str(tmp_path / "out" / "mine.txt" / "x")]) == 2
    assert "cannot be made" in capfd.readouterr().err


def test_a_volume_is_filled_where_it_is(adapter, tmp_path, monkeypatch):
    out = tmp_path / "volume"
    out.mkdir()
    place = out.stat().st_ino
    monkeypatch.setattr("pathlib.Path.is_mount", lambda self: self == out)
    assert main(["merge", str(adapter), "--out", str(out)]) == 0
    assert out.stat().st_ino == place and load_run(out)


def test_a_damaged_adapter_is_a_sentence(adapter, tmp_path, capfd):
    weights, config = adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    whole, said = weights.read_bytes(), json.loads(config.read_text())
    for content, more, why in (
        (whole[:500], {}, "adapter_model.safetensors: Error while deserializing"),
        (whole[:-64] + b"\xff" * 64, {}, "holds what is no number"),
        (whole, {"r": 3}, "its weights have other shapes than adapter_config.json says"),
        (None, {}, "adapter_model.safetensors is missing"),
    ):
        weights.write_bytes(content) if content is not None else weights.unlink()
        config.write_text(json.dumps(said | more))
        assert main(["merge", str(adapter), "--out", str(tmp_path / "out")]) == 2
        told = capfd.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("The adapter in ") and why in told
    assert not (tmp_path / "out").exists()

"""The command `presets`, and `train --preset`."""

import json

import pytest

from core import __main__ as core_main
from core import config as configs
from core.cli import train
from core.errors import InputError


@pytest.fixture
def yaml_file(tiny_llama, rows_file, tmp_path):
    data = {"path": str(rows_file), "template": "{phrase}\n{tone}"}
    path = tmp_path / "c.yaml"
    path.write_text(configs.dumps(configs.build({"model": {"path": str(tiny_llama)}, "data": data})))
    return path


def test_each_preset_says_what_it_changes(yaml_file, capfd):
    assert core_main.main(["presets", str(yaml_file), "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert list(said["presets"]) == ["quick", "balanced", "best", "small"] and said["facts"]["kind"] == "decoder"
    quick = {c["path"]: (c["was"], c["value"]) for c in said["presets"]["quick"]["changes"]}
    assert quick["training.max_steps"] == (None, 60) and quick["method.r"] == (16, 8)
    assert core_main.main(["presets", str(yaml_file)]) == 0
    out = capfd.readouterr().out
    assert "training.max_steps: empty -> 60  a few minutes" in out and "quick: A few minutes" in out


def test_train_takes_a_preset_and_what_is_set_wins(yaml_file, runs_dir, monkeypatch, capfd):
    taken = []
    monkeypatch.setattr(train, "train", lambda run, resume: taken.append(run.config()) or {"state": "done"})
    args = core_main.parser(["train"]).parse_args(
        ["train", str(yaml_file), "--preset", "quick", "--set", "training.max_steps=3"])  # fmt: skip
    train.run(args)
    assert (taken[0].training.max_steps, taken[0].method.r, taken[0].data.max_tokens) == (3, 8, 256)
    assert "method.r: 16 -> 8 (" in capfd.readouterr().err
    args = core_main.parser(["train"]).parse_args(["train", "--resume", "x", "--preset", "quick"])
    with pytest.raises(InputError, match="give nothing else with it"):
        train.run(args)

"""The command `olive`: in from a file or a command line, out from a run or a config."""

import json

import pytest

from core import __main__ as core_main
from core import config as configs
from core.runs import store

LINE = "olive finetune -m a/b -d c/d --text_template '{x} {y}' --max_steps 5 --bogus 1"


def test_a_command_line_is_printed_as_a_config(capfd, tmp_path):
    assert core_main.main(["olive", "import", LINE]) == 0
    out = capfd.readouterr().out
    config = configs.loads(out)  # what is not honoured stands in comments
    assert (config.model.path, config.training.max_steps) == ("a/b", 5)
    assert "#   --bogus 1: `olive finetune` has no such option." in out

    assert core_main.main(["olive", "import", LINE, "--json", "--out", str(tmp_path / "c.yaml")]) == 0
    said = json.loads(capfd.readouterr().out)
    assert configs.load(tmp_path / "c.yaml") == config == configs.build(said["config"])
    assert [note["option"] for note in said["ignored"]] == ["--bogus"]
    assert set(said) >= {"kind", "config", "export", "search", "command", "ignored", "assumed", "missing", "more"}


def test_a_file_is_read_whatever_it_holds(capfd, tmp_path):
    (tmp_path / "line.sh").write_text(f"# train\n{LINE}\nolive auto-opt -m ft --precision int4\n")
    assert core_main.main(["olive", "import", str(tmp_path / "line.sh"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["command"] == "python -m core export RUN --device cpu --precision int4"
    (tmp_path / "search.yaml").write_text("search_space: {lora_r: [8, 16]}\n")
    assert core_main.main(["olive", "import", str(tmp_path / "search.yaml")]) == 0
    assert '# search: {"space": {"method.r": {"type": "choice", "values": [8, 16]}}}' in capfd.readouterr().out


def test_a_run_becomes_a_workflow_and_comes_back(capfd, tmp_path, runs_dir, tiny_llama, rows_file):
    data = {"path": str(rows_file), "template": "{phrase}\n{tone}", "validation": 0}
    run = store.create(configs.build({"model": {"path": str(tiny_llama)}, "data": data, "training": {"max_steps": 3}}))
    path = tmp_path / "w.json"
    assert core_main.main(["olive", "export", run.id, "--precision", "int8", "--out", str(path), "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (
        said["workflow"] == json.loads(path.read_text()) and said["workflow"]["passes"]["build"]["precision"] == "int8"
    )
    assert {"data.train_on", "method.target_modules"} <= {note["option"] for note in said["ignored"]}
    assert core_main.main(["olive", "import", str(path)]) == 0
    again = configs.loads(capfd.readouterr().out)
    assert again.data.path == str(rows_file) and again.data.template == "{phrase}\n{tone}"
    assert again.training.max_steps == 3 and again.model.path == str(tiny_llama)

    (tmp_path / "c.yaml").write_text(configs.dumps(run.config()))
    assert core_main.main(["olive", "export", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "w.yaml")]) == 0
    assert "Olive cannot say:" in capfd.readouterr().out
    assert core_main.main(["olive", "export", run.id]) == 0
    shown = capfd.readouterr()
    assert json.loads(shown.out)["passes"]["build"]["precision"] and "Olive cannot say:" in shown.err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["import", "nothing.yaml"], "'nothing.yaml' cannot be read: no such file"),
        (["import", "olive finetune -m a/b; rm -rf x"], "nothing of it is run"),
        (["import", "olive auto-opt -m a/b", "--out", "c.yaml"], "no training in it"),
        (["import", LINE, "--out", "no/such/folder/c.yaml"], "cannot be written"),
        (["import", LINE, "--device", "cpu"], "belong to olive export"),
        (["export", "no-such-run"], "no-such-run"),
        (["sideways", "x"], "invalid choice"),
    ],
)
def test_what_is_wrong_is_one_sentence(line, sentence, capfd, runs_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert core_main.main(["olive", *line]) == 2
    shown = capfd.readouterr()
    assert sentence in shown.err and "Traceback" not in shown.err and not shown.out


def test_a_picture_is_no_workflow(capfd, tmp_path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\xff")
    assert core_main.main(["olive", "import", str(tmp_path / "x.png")]) == 2
    assert "not UTF-8 text" in capfd.readouterr().err

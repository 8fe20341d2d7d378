"""Several adapters in one package: each answers as its run's merged model, in the package's own run.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InputError
from core.export import bundle, several
from core.export.graphs import adapters
from core.export.makers.base import FIGURES
from core.export.options import Options
from tests import factory
from tests.core.export.runs import tuned


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs of other ranks, layers and prompts on one base, and their package in fp32: (runs, folder, report)."""
    place = tmp_path_factory.mktemp("several")
    before = os.environ.get("TUNESMITH_RUNS")
    os.environ["TUNESMITH_RUNS"] = str(place / "runs")
    try:
        base = factory.tiny_model("llama", place / "llama")
        rows = factory.write_jsonl(place / "rows.jsonl", factory.tone_rows(24))
        runs = [
            tuned(base, rows, 1, "Tone of a phrase", settings={"r": 8, "lora_alpha": 4}),
            tuned(
                base, rows, 2, "Töne: chat!", template=None,
                settings={"r": 2, "use_rslora": True, "target_modules": ("q_proj", "down_proj")},
            ),
        ]  # fmt: skip
        out = runs[0].export_dir("cpu", "fp32")
        report = several.make_several([run.id for run in runs], Options("cpu", "fp32"), out)
        yield runs, out, report
    finally:
        os.environ.pop("TUNESMITH_RUNS") if before is None else os.environ.update(TUNESMITH_RUNS=before)


def ask(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the package's own script, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
def test_each_answers_as_its_merged_model_and_the_base_as_the_base(made):
    runs, out, report = made
    assert report["status"] == "verified", report["message"]
    tone, chat, base = report["adapters"]
    assert [one["name"] for one in report["adapters"]] == ["tone-of-a-phrase", "t-ne-chat", "base"]
    assert [tone["run"], chat["run"]] == [run.id for run in runs]
    for one in (tone, chat):
        assert one["status"] == "verified" and one["rows"] == 6 and one["greedy_match"] == 1.0
        assert one["max_logit_difference"] < 1e-4 < one["logit_range"]
        assert one["rows_from"].startswith("validation rows of")
    assert tone["metric"]["name"] == "accuracy" and tone["metric"]["pytorch"] == tone["metric"]["onnx"]
    assert base["status"] == "verified" and base["metric"] is None and base["bytes"] == 0
    assert report["rows"] == 12 and report["greedy_match"] == 1.0
    # one graph and two small files, against two whole packages
    assert report["bytes"] < report["separate_bytes"] and tone["bytes"] + chat["bytes"] < report["bytes"] / 2
    assert json.loads((out / "report.json").read_text())["adapters"] == report["adapters"]
    assert out.with_name("cpu-fp32.zip").is_file()


@pytest.mark.slow
def test_the_script_takes_the_name_of_an_adapter(made):
    runs, out, _ = made
    settings = json.loads((out / "tunesmith.json").read_text())
    assert list(settings["adapters"]) == ["tone-of-a-phrase", "t-ne-chat", "base"]
    assert settings["adapter"] == "tone-of-a-phrase" and "jinja2" in (out / "requirements.txt").read_text()
    first, named, chat, base = (
        json.loads(ask(out, "Tea first, then the letters.", "--ids", *more).stdout)
        for more in ((), ("--adapter", "tone-of-a-phrase"), ("--adapter", "t-ne-chat"), ("--adapter", "base"))
    )
    assert first == named and first["prompt"] == base["prompt"] != chat["prompt"]
    assert first["answer"] != base["answer"]
    wrong = ask(out, "--adapter", "tune", "hello")
    assert wrong.returncode == 2
    assert wrong.stderr.strip() == "This package has no adapter 'tune'. Known: tone-of-a-phrase, t-ne-chat, base."
    assert ask(out, "--check").returncode == 0
    bare = ask(out, "--field", "phrase")
    assert bare.returncode == 2 and "write --field NAME=VALUE" in bare.stderr


@pytest.mark.slow
def test_they_are_switched_without_loading_anything_anew(made):
    from core.export.packages.run_writer import Package

    _, out, _ = made
    row = {"phrase": "I want my money back today.", "messages": [{"role": "user", "content": "Hello"}]}

    def answers(package):
        return package.settings["end_ids"] and list(package.generate(package.ids(row), 6))

    alone = {name: answers(Package(out, name)) for name in ("tone-of-a-phrase", "t-ne-chat", "base")}
    package = Package(out)
    assert package.adapter == "tone-of-a-phrase"
    package.load()
    model = package.model
    for name in ("t-ne-chat", "base", "tone-of-a-phrase", "t-ne-chat", "base"):
        package.switch(name)
        assert answers(package) == alone[name] and package.model is model
    with pytest.raises(InputError, match="no adapter 'x'"):
        package.switch("x")


@pytest.mark.slow
def test_adapters_that_are_missing_or_wrong_turn_it_red(made, tmp_path, monkeypatch):
    (tone, chat), _, _ = made
    monkeypatch.setenv("TUNESMITH_RUNS", str(tone.dir.parent))
    third = tuned(Path(tone.config().model.path), Path(tone.config().data.path), 3, "Third", settings={"r": 8})
    real = adapters.open_up

    def harmed(graph, folders):
        real(graph, folders)
        one, two, three = (graph.with_name(name + adapters.SUFFIX) for name in folders)
        shutil.copyfile(one, three)  # another one's
        content = bytearray(two.read_bytes())
        content[len(content) // 2 :: 4] = b"\x42" * len(content[len(content) // 2 :: 4])
        two.write_bytes(content)
        one.unlink()

    monkeypatch.setattr(several.adapters, "open_up", harmed)
    out = tmp_path / "out"
    report = several.make_several([tone.id, chat.id, third.id], Options("cpu", "fp32"), out, rows=2)
    assert report["status"] == "failed" and report["exit"] == 1
    assert [one["status"] for one in report["adapters"]] == ["failed", "failed", "failed", "verified"]
    missing, corrupted, other, _ = (one["message"] for one in report["adapters"])
    assert missing.startswith("The package does not run") and "off by" in other, (missing, corrupted, other)
    assert report["message"].startswith("tone-of-a-phrase (failed): The package does not run")
    assert not (out / "model.onnx").exists() and (out / "failed.json").is_file()


@pytest.mark.slow
def test_a_file_that_was_changed_afterwards_is_found(made, tmp_path):
    _, out, _ = made
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    (copy / "t-ne-chat.onnx_adapter").unlink()
    damaged = ask(copy, "--check")
    assert damaged.returncode == 1 and "t-ne-chat.onnx_adapter" in damaged.stdout
    assert ask(copy, "hello", "--adapter", "tone-of-a-phrase").returncode == 0, "the others still answer"


@pytest.mark.slow
def test_a_quantised_base_with_adapters_in_full(made, tmp_path, monkeypatch):
    runs, _, whole = made
    monkeypatch.setenv("TUNESMITH_RUNS", str(runs[0].dir.parent))
    report = several.make_several([run.id for run in runs], Options("cpu", "int8"), tmp_path / "out")
    assert report["status"] in ("verified", "verified with loss"), report["message"]
    assert report["bytes"] < whole["bytes"]
    assert [one["bytes"] for one in report["adapters"]] == [one["bytes"] for one in whole["adapters"]]
    assert 1e-4 < report["max_logit_difference"] < report["logit_range"]


@pytest.mark.slow
def test_a_base_in_four_bits_is_taken_out_of_them(tmp_path, runs_dir):
    base = factory.tiny_model("gpt2", tmp_path / "gpt2")  # whose graph torch's exporter makes
    rows = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(24))
    runs = [tuned(base, rows, seed, f"q{seed}", "qlora", {"r": seed}) for seed in (2, 4)]
    report = several.make_several([run.id for run in runs], Options("cpu", "fp32"), tmp_path / "out", rows=2)
    assert report["status"] == "verified", report["message"]
    mixed = tuned(base, rows, 5, "plain")
    with pytest.raises(InputError, match="in 4 bits, and the other was not"):
        several.make_several([runs[0].id, mixed.id], Options("cpu", "fp32"), tmp_path / "out")


@pytest.mark.slow
def test_what_cannot_share_a_package(tmp_path, runs_dir):
    base, other = (factory.tiny_model("llama", tmp_path / name, seed=seed) for seed, name in enumerate("ab"))
    rows = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(24))
    one = tuned(base, rows, 1, "one")
    wrong = [
        ([one.id], "two or more different runs"),
        ([one.id, one.id], "two or more different runs"),
        ([one.id, tuned(other, rows, 1, "elsewhere").id], "its base is"),
        ([one.id, tuned(base, rows, 1, "dora", settings={"use_dora": True}).id], "weight-decomposed"),
        ([one.id, tuned(base, rows, 1, "whole", settings={"modules_to_save": ("lm_head",)}).id], "layers whole"),
        ([one.id, "nobody"], "no run 'nobody'"),
    ]
    for runs, why in wrong:
        with pytest.raises(InputError, match=why):
            several.make_several(runs, Options("cpu", "fp32"), tmp_path / "out")
    with pytest.raises(InputError, match="A package for OpenVINO holds one model") as caught:
        several.make_several([one.id, one.id], Options("openvino", "fp32"), tmp_path / "out")
    assert caught.value.field == "export.device"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_lora_that_stays_beside_its_base_in_the_graph(made, tmp_path, monkeypatch):
    from core.export.make import make

    (tone, _), _, whole = made
    monkeypatch.setenv("TUNESMITH_RUNS", str(tone.dir.parent))
    report = make(str(tone.dir), Options("cpu", "fp32", keep_adapter=True), tmp_path / "out", rows=4)
    assert report["status"] == "verified", report["message"]
    assert 0 < report["max_logit_difference"] < 1e-4
    assert not list((tmp_path / "out").glob("*.onnx_adapter"))
    base = tone.config().model.path
    with pytest.raises(InputError, match="Only a LoRA can stay beside its base"):
        make(base, Options("cpu", "fp32", keep_adapter=True), tmp_path / "none", rows=2)
    assert not (tmp_path / "none").exists()


def test_the_whole_is_as_good_as_its_worst_adapter():
    figures = dict.fromkeys(FIGURES) | {"rows": 2, "message": "It differs."}
    parts = [figures | {"name": name, "status": "verified", "greedy_match": 1.0} for name in ("a", "b", "base")]
    parts[0] |= {"max_logit_difference": 0.5, "tokens_per_second": {"pytorch": 9, "onnx": 5}}
    parts[1] |= {"max_logit_difference": 0.1, "tokens_per_second": {"pytorch": 1, "onnx": 7}}
    found = several.together(parts)
    assert found["status"] == "verified" and found["message"].startswith("All 2 adapters answer")
    assert found["max_logit_difference"] == 0.5 and found["tokens_per_second"]["onnx"] == 5 and found["rows"] == 4
    # the base by itself is not what was tuned: rounding may change its answers, but it has to run
    parts[2] |= {"status": "verified with loss", "greedy_match": 0.5}
    found = several.together(parts)
    assert found["status"] == "verified" and found["greedy_match"] == 1.0
    assert found["message"].endswith("token for token. The base by itself: It differs.")
    parts[0] |= {"status": "verified with loss", "greedy_match": 0.5}
    found = several.together(parts)
    assert found["status"] == "verified with loss" and found["greedy_match"] == 0.75
    assert found["message"].startswith("a (verified with loss): It differs. 1 of 2 adapters answer as their runs'")
    parts[2] |= {"status": "failed", "greedy_match": None}
    found = several.together(parts)
    assert found["status"] == "failed" and "base (failed): It differs." in found["message"]
    parts[1] |= {"status": "failed", "greedy_match": None}
    found = several.together(parts)
    assert found["status"] == "failed" and "greedy_match" not in found and "of 2 adapters" not in found["message"]


def test_names_are_short_and_none_comes_twice():
    found = several.names_of(["Tone · LoRA r 16", "tone lora R16", "日本語", "base", "tone-lora-r-16", "x" * 200])
    assert found == ["tone-lora-r-16", "tone-lora-r16", "adapter", "base-2", "tone-lora-r-16-2", "x" * 48]
    assert bundle.LIBRARY not in found

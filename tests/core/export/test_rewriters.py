"""Models that read a text and then write: two graphs, a loop over them, and the proof that they answer the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.export import bundle, make
from core.export.options import Options
from core.models.heads import SEQ2SEQ
from tests import factory

pytestmark = pytest.mark.slow

TEMPLATE = "{phrase}[[{tone}]]"
ONE: dict[str, Any] = {"num_layers": 1, "num_decoder_layers": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of runs for this module."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_RUNS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 whose answers hang on what was read: the decoder looks five times as hard at it."""
    from core.models.load import load_base

    folder = tmp_path_factory.mktemp("models") / "t5"
    factory.tiny_model("t5", folder, kind="unigram", chat=None, **ONE)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"eos_token": "</s>"}), encoding="utf-8")
    model = load_base(str(folder), head=SEQ2SEQ)
    for name, parameter in model.named_parameters():
        if "EncDecAttention" in name:
            parameter.data *= 5
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tuned(base: Path, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """A function that makes a finished run of a method, its adapter drawn by chance."""
    rows = factory.write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", factory.tone_rows(40))

    def make_run(name: str) -> Any:
        import torch

        from core.config import build
        from core.methods import method
        from core.models.load import copy_companions, load_base
        from core.runs import store
        from core.runs.files import write_json

        config = build(
            {
                "task": "classification",
                "model": {"path": str(base)},
                "data": {"path": str(rows), "template": TEMPLATE, "max_tokens": 64},
                "method": {"name": name},
                "evaluation": {"max_new_tokens": 8},
            }
        )
        run = store.create(config)
        model = load_base(str(base), head=SEQ2SEQ)
        if name == "full":
            model.save_pretrained(run.dir / "model")
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                model = method(name).prepare(model, config.method, str(base), None, SEQ2SEQ)
                for parameter in model.parameters():
                    if parameter.requires_grad:
                        torch.nn.init.normal_(parameter, std=0.3)
            method(name).save(model, run.dir / "model")
        copy_companions(str(base), None, run.dir / "model")
        write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
        return run

    return make_run


@pytest.fixture(scope="module")
def exported(tuned: Callable[[str], Any]) -> tuple[Any, dict[str, Any], Path]:
    """(run, report, package) of a LoRA in float32."""
    run = tuned("lora")
    out = run.export_dir("cpu", "fp32")
    return run, make.make(str(run.dir), Options("cpu", "fp32"), out), out


def ask(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the package's own script somewhere else, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_run_becomes_a_package_that_answers_the_same(exported: Any) -> None:
    run, report, out = exported
    assert report["status"] == "verified", report["message"]
    assert report["greedy_match"] == 1.0 and report["max_logit_difference"] < 1e-4 * report["logit_range"]
    assert report["rows"] >= 4 and report["rows_from"].startswith("validation rows of ")
    assert report["perplexity"]["onnx"] == pytest.approx(report["perplexity"]["pytorch"], rel=1e-4)
    assert report["metric"]["name"] == "accuracy" and report["tokens_per_second"]["onnx"] > 0
    names = set(bundle.package_files(out))
    assert {"encoder_model.onnx", "decoder_model_merged.onnx", "config.json", "tokenizer.json", "run.py"} <= names
    assert json.loads((out / "generation_config.json").read_text())["num_beams"] == 1
    needed = (out / "requirements.txt").read_text()
    assert "onnxruntime==" in needed and "genai" not in needed and "torch" not in needed


def test_the_script_gives_the_text_of_pytorch(exported: Any) -> None:
    from core.data.sides import encode_question
    from core.data.sources import open_data
    from core.data.template import prompt_segments, render
    from core.models.load import load_run
    from core.models.tokenizer import end_ids
    from core.tasks.predict import write

    run, _, out = exported
    model, tokenizer = load_run(run)
    source = open_data(run.config().data.path)
    for phrase in ("The lake lies still tonight.", "</s> {phrase} [[x]]  naïve", "x " * 90):
        segments = render({"phrase": phrase, "tone": "calm"}, source.layout, TEMPLATE, tokenizer)
        ids = encode_question(prompt_segments(segments), tokenizer, 64)
        [want] = write(model, tokenizer, [ids], max_new_tokens=8, ends=end_ids(tokenizer, run.dir / "model"))
        done = ask(out, "--field", f"phrase={phrase}", "--ids")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["prompt"] == ids
        assert found["answer"][: len(want.ids)] == want.ids and len(found["answer"]) == len(want.ids) + want.stopped
    assert ask(out, "--check").returncode == 0


def test_answers_differ_with_what_is_read(exported: Any) -> None:
    """Else the comparison would prove little."""
    _, _, out = exported
    answers = {ask(out, phrase, "--ids").stdout.split('"answer"')[1] for phrase in ("I", "The party was a delight")}
    assert len(answers) == 2


def test_nothing_of_this_machine_is_in_it(exported: Any, runs: Path) -> None:
    _, _, out = exported
    for name in bundle.package_files(out):
        content = (out / name).read_bytes()
        for place in (str(runs), str(bundle.ROOT), "site-packages", str(Path.home())):
            assert place.encode() not in content, f"{name} names {place}"

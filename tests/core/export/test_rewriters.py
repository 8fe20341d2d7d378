"""Models that read a text and then write: two graphs, a loop over them, and the proof that they answer the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import InputError
from core.export import bundle, targets
from core.export.graphs import encoder_decoder
from core.export.makers.rewriter import GRAPHS, Work
from core.export.options import Options
from tests.web.node import Node, modules
from tests.web.packages import NASTY

pytestmark = pytest.mark.slow


def ask(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the package's own script somewhere else, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_run_becomes_a_package_that_answers_the_same(exported_rewriter: Any) -> None:
    run, report, out = exported_rewriter
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


def test_the_script_gives_the_text_of_pytorch(exported_rewriter: Any) -> None:
    from core.data.sides import encode_question
    from core.data.sources import open_data
    from core.data.template import prompt_segments, render
    from core.models.load import load_run
    from core.models.tokenizer import end_ids
    from core.tasks.predict import write

    run, _, out = exported_rewriter
    model, tokenizer = load_run(run)
    source = open_data(run.config().data.path)
    for phrase in ("The lake lies still tonight.", "</s> {phrase} [[x]]  naïve", "x " * 90):
        segments = render({"phrase": phrase, "tone": "calm"}, source.layout, "{phrase}[[{tone}]]", tokenizer)
        ids = encode_question(prompt_segments(segments), tokenizer, 64)
        [want] = write(model, tokenizer, [ids], max_new_tokens=8, ends=end_ids(tokenizer, run.dir / "model"))
        done = ask(out, "--field", f"phrase={phrase}", "--ids")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["prompt"] == ids
        assert found["answer"][: len(want.ids)] == want.ids and len(found["answer"]) == len(want.ids) + want.stopped
    assert ask(out, "--check").returncode == 0


def test_answers_differ_with_what_is_read(exported_rewriter: Any) -> None:
    """Else the comparison would prove little."""
    _, _, out = exported_rewriter
    answers = {ask(out, phrase, "--ids").stdout.split('"answer"')[1] for phrase in ("I", "The party was a delight")}
    assert len(answers) == 2


def test_nothing_of_this_machine_is_in_it(exported_rewriter: Any) -> None:
    run, _, out = exported_rewriter
    for name in bundle.package_files(out):
        content = (out / name).read_bytes()
        for place in (str(run.dir.parent), str(bundle.ROOT), "site-packages", str(Path.home())):
            assert place.encode() not in content, f"{name} names {place}"


# The graphs


def smaller(full: Path, out: Path, precision: str) -> Path:
    """Both graphs with their weights quantised."""
    out.mkdir()
    for name in GRAPHS:
        Work._smaller(SimpleNamespace(options=Options("cpu", precision)), full / name, out / name)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_smaller_weights(exported_rewriter: Any, tmp_path: Path, precision: str) -> None:
    """They run at every shape, at the first step, where nothing is cached, and at later ones, where nothing is new."""
    from core.models.heads import SEQ2SEQ
    from core.models.load import load_run

    run, _, full = exported_rewriter
    model, _ = load_run(run, head=SEQ2SEQ)
    out = smaller(full, tmp_path / precision, precision)
    assert all((out / name).stat().st_size < 0.5 * (full / name).stat().st_size for name in GRAPHS)
    encoder_decoder.try_out(out, model, None)
    with pytest.raises(RuntimeError, match=r"The graphs are not the model: of 1 x 1 tokens read .* off by \d"):
        encoder_decoder.try_out(out, model, 1e-6)


@pytest.mark.parametrize(("name", "half"), [("adapter", True), ("prompt", False)])
def test_what_cannot_be_merged_is_exported_as_it_is(rewriter_base: Path, tmp_path: Path, name: str, half: bool) -> None:
    """A bottleneck inside the layers, a tuned prompt in front of what is read; and half precision."""
    import torch

    from core.config import build
    from core.methods import method
    from core.models.heads import SEQ2SEQ
    from core.models.load import load_base

    model: Any = load_base(str(rewriter_base), head=SEQ2SEQ)
    plain = [model(input_ids=torch.tensor([[5, 6, 7]]), decoder_input_ids=torch.tensor([[0]])).logits]
    config = build({"model": {"path": str(rewriter_base)}, "data": {"path": "x.jsonl"}, "method": {"name": name}})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = method(name).prepare(model, config.method, str(rewriter_base), None, SEQ2SEQ).eval()
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
    tuned = model(input_ids=torch.tensor([[5, 6, 7]]), decoder_input_ids=torch.tensor([[0]])).logits
    assert (tuned - plain[0]).abs().max() > 0.05, "else the graph of the base would do"
    encoder_decoder.write(model, tmp_path, half=half)  # which compares


def test_bart_in_every_precision(tmp_path: Path) -> None:
    import torch
    import transformers

    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "d_model": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 100}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.BartConfig(**sizes, **heads, max_position_embeddings=64)
        model = transformers.BartForConditionalGeneration(config).eval()
    encoder_decoder.write(model, tmp_path)
    for precision, off in (("int8", 0.02), ("int4", 0.1)):  # of how far the logits span
        encoder_decoder.try_out(smaller(tmp_path, tmp_path / precision, precision), model, off)
    for name in GRAPHS:
        encoder_decoder._convert(tmp_path / name, 2**30)
    encoder_decoder.try_out(tmp_path, model, encoder_decoder.OFF[True])


def test_a_family_that_is_not_exported_says_why() -> None:
    target = targets.TARGETS["cpu"]
    with pytest.raises(InputError, match="'mbart' is not exported. It begins an answer with the token .* T5 and Flan"):
        Work.check({"model_type": "mbart"}, Options("cpu", "fp32"), target)
    with pytest.raises(InputError, match="Export each run by itself") as caught:
        Work.check({"model_type": "t5"}, Options("cpu", "fp32", keep_adapter=True), target)
    assert caught.value.field == "export.adapters"
    with pytest.raises(InputError, match="not in bf16"):
        Work.check({"model_type": "t5"}, Options("cpu", "bf16"), target)


def test_transformers_js_writes_the_same_tokens(exported_rewriter: Any, tmp_path: Path) -> None:
    """The very graphs, laid out for a browser and asked in Node, with the prompts of a page."""
    from core.export.packages import run_rewriter
    from core.export.web import layout

    _, _, out = exported_rewriter
    web = shutil.copytree(out, tmp_path / "web")
    settings = json.loads((out / "tunesmith.json").read_text(encoding="utf-8"))
    settings |= layout.lay_out(web, "rewriter", "fp32", settings, out)
    (web / "tunesmith.json").write_text(json.dumps(settings), encoding="utf-8")
    package, rows = run_rewriter.Package(web), [{"phrase": text} for text in NASTY]
    node = Node(modules())
    try:
        for row, found in zip(rows, node.ask("tokens", web, rows), strict=True):
            assert found["tokens"] == list(package.generate(package.ids(row))), row
    finally:
        node.close()

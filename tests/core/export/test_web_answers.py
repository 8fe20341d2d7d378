"""The package for a browser: what transformers.js in Node answers with it, beside PyTorch and Python's runtime."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.export.web import layout
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.web import packages
from tests.web.node import Node, modules, node
from tests.web.packages import DEMO, NASTY

__all__ = ["node"]  # a fixture

# What the demo model answers with a margin of 1.1 logits at least, which int8 (0.2) cannot turn over; and one more.
SURE = ("My towel does not work.", "My puzzle does not work.", "Turn this into its opposite.")
SAID = (*SURE, "Zoë naïve <|end|> {x}")


@pytest.mark.slow
def test_a_decoder_in_transformers_js_writes_the_tokens_of_pytorch(tmp_path: Path, node: Node) -> None:
    from core.export.packages import run_writer
    from core.models.load import load_base

    web_demo = {one: packages.demo_package(tmp_path / one, one) for one in ("fp16", "int8", "int4")}
    web_demo["fp32"] = packages.demo_package(tmp_path / "fp32", "fp32", inside=0, chunk=5_000_000)
    files = sorted(path.name for path in (tmp_path / "fp32" / "onnx").iterdir())
    assert files == ["model.onnx", *(f"model.onnx_data{end}" for end in ("", "_1", "_2", "_3"))]
    model, rows = load_base(str(DEMO)), [{"messages": [{"role": "user", "content": text}]} for text in SAID]
    want, prompts = [], []
    for row in rows:
        ids = run_writer.Package(web_demo["fp32"]).ids(row)
        with torch.inference_mode():
            tokens = model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False, eos_token_id=2)
        prompts.append(ids)
        want.append(tokens[0, len(ids) :].tolist())
    assert all(len(tokens) > 5 and tokens[-1] == 2 for tokens in want[: len(SURE)])
    for precision, folder in web_demo.items():
        assert node.ask("ids", folder, rows) == prompts
        some = len(SAID) if precision == "fp32" else len(SURE)
        found = node.ask("tokens", folder, rows[:some])
        package = run_writer.Package(folder)
        python = [list(package.generate(ids)) for ids in prompts[:some]]
        assert [one["tokens"] for one in found] == python, precision
        assert [one["text"] for one in found] == [package.tokenizer.decode(tokens) for tokens in python]
        if precision != "int4":  # of so small a model int4 loses much: that package has to answer as Python runs it
            assert python == want[:some], precision


# Models that read. What such a graph says is held against PyTorch in test_readers.py: here it is that JavaScript feeds
# it, and reads its answers, as Python does. So only one is a BERT of torch's exporter, which takes its time.


@pytest.fixture(scope="module")
def web_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models that read as web packages, by head; that for labels also in int8."""
    from core.export.graphs import quantize

    work = tmp_path_factory.mktemp("readers")
    base = factory.tiny_model("bert", work / "base", num_hidden_layers=1)
    size = len(load_tokenizer(base))
    packages.bert(work / "label.onnx", base, 3)
    quantize.dynamic(work / "label.onnx", work / "label-int8.onnx")
    packages.tagger(work / "tags.onnx", size, 3)
    packages.embedder(work / "vector.onnx", size)
    made = {}
    for name in ("label", "label-int8", "tags", "vector"):
        kind, _, precision = name.partition("-")
        made[name] = packages.reader_package(work / name, kind, work / f"{name}.onnx", base, precision or "fp32")
    return made


def rows_for(name: str) -> list[dict[str, Any]]:
    texts = [text for text in NASTY if text.strip()]
    if name == "vector":
        return [{"first": text, "second": "The lake lies still tonight"} for text in texts]
    return [{"phrase": text.split() if name == "tags" else text} for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["label", "label-int8", "tags", "vector"])
def test_a_reader_in_transformers_js_says_what_python_says(web_readers: dict[str, Path], node: Node, name: str) -> None:
    from core.export.packages import run_reader

    folder, rows = web_readers[name], rows_for(name)
    package = run_reader.Package(folder)
    asked = [text for row in rows for text in package.texts(package.ids(row))]
    for ours, theirs in zip(node.ask("outputs", folder, asked), package.outputs(asked), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-2 if "int8" in name else 1e-4)
    for row, ours in zip(rows, node.ask("answers", folder, rows), strict=True):
        theirs = package.answer(row)
        if name == "tags":
            assert (ours["words"], ours["tags"]) == (theirs["words"], theirs["tags"])
        elif name == "vector":
            assert ours["similarity"] == pytest.approx(theirs["similarity"], abs=1e-4)
        else:
            assert ours["scores"] == pytest.approx(theirs["scores"], abs=1e-4 if name == "label" else 5e-2)
            assert ours["label"] == max(ours["scores"], key=ours["scores"].get)


@pytest.mark.slow
def test_typed_words_are_those_of_python(web_readers: dict[str, Path], node: Node) -> None:
    from core.export.packages import run_reader

    package = run_reader.Package(web_readers["tags"])
    texts = [
        "Anna-Maria's 3,5 % of Zoë's café (really).",
        "東京 -- Ghent: 12:30!",
        "snake_case e-mail@x.org ½ ²",
        *NASTY,
    ]
    typed = [(text, package.row(text, {}, [])["phrase"]) for text in texts if text.strip()]
    for (text, words), found in zip(
        typed, node.ask("answers", web_readers["tags"], [{"phrase": text} for text, _ in typed]), strict=True
    ):
        assert found["words"] == words, text


@pytest.mark.slow
def test_entities_are_those_of_python(node: Node) -> None:
    from core.data.tagged import spans

    known = [
        "O",
        "B-PER",
        "I-PER",
        "E-PER",
        "S-LOC",
        "L-LOC",
        "U-ORG",
        "M-ORG",
        "O-X",
        "B",
        "I",
        "E",
        "S",
        "",
        "0",
        "PER",
    ]
    rng = np.random.default_rng(0)
    rows = [[known[i] for i in rng.integers(len(known), size=8)] for _ in range(400)]
    assert node.ask("spans", layout.PAGE, rows) == [[list(span) for span in spans(tags)] for tags in rows]


@pytest.mark.slow
def test_the_sample_answers_from_the_terminal(web_readers: dict[str, Path]) -> None:
    folder = web_readers["label"]
    (folder / "node_modules").symlink_to(modules() / "node_modules")
    for words in (["I want my money back"], ["phrase=I want my money back"]):
        done = subprocess.run(["node", "sample.mjs", *words], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["label"] in packages.LABELS["label"]


@pytest.mark.slow
def test_an_exported_run_answers_in_transformers_js_as_pytorch_does(
    tuned_run: Callable[..., Any], tmp_path: Path, node: Node
) -> None:
    from core.export.make import make
    from core.export.options import Options
    from core.export.packages import run_writer
    from core.models.load import load_run

    run = tuned_run(factory.tiny_model("qwen3", tmp_path / "base"))
    report = make(run.id, Options("webgpu", "fp32"), tmp_path / "package", rows=4)
    assert (report["status"], report["on_processor"]["status"]) == ("not verified here", "verified")
    package = run_writer.Package(tmp_path / "package")
    assert package.check() == [] and "web/app.js" in package.settings["files"]
    assert "npm start" in (tmp_path / "package" / "README.md").read_text(encoding="utf-8")
    rows = [{"phrase": phrase} for phrase in ("The lake lies still tonight", "Nobody answers, Zoë <|im_end|>")]
    model, _ = load_run(run)
    for row, found in zip(rows, node.ask("tokens", tmp_path / "package", rows), strict=True):
        ids = torch.tensor([package.ids(row)])
        with torch.inference_mode():
            want = model.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=package.settings["end_ids"])
        assert found["tokens"] == want[0, ids.shape[1] :].tolist()

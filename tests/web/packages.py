"""Web packages of tiny models, and of the demo model, made without a run: for tests in Node and in Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from core.data.formats import Layout
from core.data.template import Wording
from core.export import questions
from core.export.options import Options
from core.export.targets import target
from core.export.web import layout
from core.models.tokenizer import load_tokenizer
from core.paths import ROOT
from tests import factory

DEMO = ROOT / "assets" / "demo-model"
PHRASES = Layout("text_label", {"text": "phrase", "label": "tone"}, "")
HEADS = {"label": "sequence_classification", "tags": "token_classification", "vector": "feature_extraction"}
LABELS = {"label": ["angry", "calm", "joyful"], "tags": ["B-PER", "I-PER", "O"], "vector": []}
LIMITS = {"end_ids": [2], "context": 512, "max_new_tokens": 24}
NASTY = [
    "What a wonderful day",
    "  spaces before, and behind  ",
    "",
    " \n\t ",
    "lines\nof\r\ntext\n",
    "Zoë naïve café 東京 Привет 😀 👩‍👩‍👧 \u00a0\u2028 x",
    "braces {phrase} {{x}} [[y]] {% if %} {{ 1 + 1 }}",
    "<script>alert('x')</script> & \"quotes\" \\n \\u0041",
    "<|end|><|im_end|></s>[SEP] <|assistant|>\n<|im_start|>assistant",
    "<|en", "|im_end|>", "d|>", "<|im_", "</", "s>",
    "a " * 400,
    "x\ue000y\uf8ff",
    "1234567890 don't it's I'll",
]  # fmt: skip


def settings_of(path: Path, wording: Wording, of: Layout, columns: list[str], **more: Any) -> dict[str, Any]:
    """What tunesmith.json says of prompts, of a folder with a tokenizer."""
    form = questions.form(wording, of, columns, load_tokenizer(path))
    return {"kind": "writer", "prompt_tokens": 200, "max_new_tokens": 8, "pad_id": 0, **form, **more}


def demo_tokenizer(path: Path) -> Path:
    """The tokenizer of the demo model in a folder of its own."""
    path.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(DEMO / name, path / name)
    return path


def demo_package(out: Path, precision: str, template: str | None = None, **sizes: int) -> Path:
    """The demo model as a web package that chats; with a text template for phrases and tones, one with a form.

    sizes: see layout.lay_out.
    """
    from core.export.graphs import builder

    name = target("webgpu").builder_for(precision)
    builder.build(DEMO, name, Options("webgpu", precision), out, end_ids=[2], pad_id=0)
    of, columns = (PHRASES, ["phrase", "tone"]) if template else (questions.TALK, ["messages"])
    settings = settings_of(out, Wording(template), of, columns, **LIMITS)
    return whole(out, settings | {"title": "Demo", "base": "demo-model", "precision": precision}, DEMO, **sizes)


def whole(out: Path, settings: dict[str, Any], folder: Path, **sizes: int) -> Path:
    """Lay a folder out as make does, but for run.py, the card and the hashes."""
    settings |= {"device": "cpu", "special_tokens": load_tokenizer(out).special_tokens_map}
    settings |= layout.lay_out(out, settings["kind"], settings["precision"], settings, folder, **sizes)
    (out / "tunesmith.json").write_text(json.dumps(settings), encoding="utf-8")
    return out


def reader_package(out: Path, kind: str, graph: Path, base: Path, precision: str = "fp32") -> Path:
    """A graph that reads as a web package. kind: a key of HEADS. base: holds config.json."""
    factory.write_tokenizer(out, "wordpiece", chat=None)
    shutil.copyfile(graph, out / "model.onnx")
    settings: dict[str, Any] = {
        "kind": "reader", "head": HEADS[kind], "labels": LABELS[kind], "pad_id": 0, "prompt_tokens": 64,
        "template": "Text: {phrase} [[{tone}]]" if kind == "label" else None, "chat_template": None, "system": None,
        "columns": ["phrase", "tone"], "optional": [], "layout": {"name": "text_label", "roles": PHRASES.roles},
        "fields": ["first", "second"] if kind == "vector" else ["phrase"], "title": "Tiny", "base": "bert",
        "precision": precision,
    }  # fmt: skip
    return whole(out, settings, base)


def tagger(path: Path, vocabulary: int, tags: int) -> None:
    """A graph (batch, sequence) -> logits (batch, sequence, tags): each token has its own."""
    logits = np.random.default_rng(5).normal(size=(vocabulary, tags)).astype(np.float32)
    save(path, {"table": logits}, [("Gather", ["table", "input_ids"], "logits", {})], {"logits": ["b", "s", tags]})


def labeller(path: Path, vocabulary: int, labels: int) -> None:
    """A graph (batch, sequence) -> logits (batch, labels): the sum of what each token that is there says."""
    table = np.random.default_rng(7).normal(size=(vocabulary, labels)).astype(np.float32)
    save(
        path,
        {"table": table, "last": np.array([2], np.int64), "tokens": np.array([1], np.int64)},
        [
            ("Gather", ["table", "input_ids"], "each", {}),
            ("Cast", ["attention_mask"], "there", {"to": 1}),
            ("Unsqueeze", ["there", "last"], "mask", {}),
            ("Mul", ["each", "mask"], "read", {}),
            ("ReduceSum", ["read", "tokens"], "logits", {"keepdims": 0}),
        ],
        {"logits": ["b", labels]},
    )


def embedder(path: Path, vocabulary: int, width: int = 16) -> None:
    """A graph (batch, sequence) -> the mean over the mask (batch, width), of length 1."""
    table = np.random.default_rng(6).normal(size=(vocabulary, width)).astype(np.float32)
    axis = np.array([2], np.int64), np.array([1], np.int64)
    save(
        path,
        {"table": table, "last": axis[0], "tokens": axis[1]},
        [
            ("Gather", ["table", "input_ids"], "last_hidden_state", {}),
            ("Cast", ["attention_mask"], "there", {"to": 1}),
            ("Unsqueeze", ["there", "last"], "mask", {}),
            ("Mul", ["last_hidden_state", "mask"], "read", {}),
            ("ReduceSum", ["read", "tokens"], "summed", {"keepdims": 0}),
            ("LpNormalization", ["summed"], "sentence_embedding", {"axis": -1, "p": 2}),
        ],
        {"last_hidden_state": ["b", "s", width], "sentence_embedding": ["b", width]},
    )


def save(path: Path, held: dict[str, np.ndarray], nodes: list[Any], outputs: dict[str, list[Any]]) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(op, given, [made], **more) for op, given, made, more in nodes],
        "g",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def bert(path: Path, base: Path, labels: int) -> None:
    """A tiny BERT with a head for labels, by torch's exporter; it takes token types, too."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from core.export.graphs import reader
    from core.models.heads import LABEL

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=labels).eval()
        torch.nn.init.normal_(model.classifier.weight, std=1.0)
    reader.export(reader.wrap(model, LABEL, pad_id=0), path)

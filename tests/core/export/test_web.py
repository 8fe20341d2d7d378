"""The package for a browser: its layout, and the prompts of its page in Node beside those of training."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.encode import encode_prompt
from core.data.formats import Layout
from core.data.questions import encode_questions, question
from core.data.sides import encode_question
from core.data.template import Wording, prompt_segments, render
from core.data.whole import encode_texts
from core.data.worded import encode_words
from core.errors import InputError
from core.export import questions
from core.export.options import Options
from core.export.web import layout, prompt
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.core.data.test_manners import HALF, HARMONY, OPENS, R1, STRIPS
from tests.web.node import Node, node
from tests.web.packages import NASTY, PHRASES, demo_tokenizer, settings_of

__all__ = ["node"]  # a fixture


# The layout


def matmul(path: Path, count: int = 3) -> np.ndarray:
    """A graph of `count` weights beside it, x -> x @ w0 @ w1 ..., as the builder saves one; returns what ones give."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = [np.random.default_rng(i).normal(size=(8, 8)).astype(np.float32) for i in range(count)]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(count)]
    ends = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ["batch", 8]) for i in (0, count)]
    held = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save_model(
        model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=0, convert_attribute=False
    )
    found: np.ndarray = np.ones((1, 8), np.float32)
    for weight in weights:
        found = found @ weight
    return found


@pytest.mark.parametrize(
    ("inside", "chunk", "files"),
    [
        (10**6, 10**6, []),
        (0, 10**6, ["_data"]),
        (0, 600, ["_data", "_data_1"]),
        (0, 300, ["_data", "_data_1", "_data_2"]),
    ],
)
def test_weights_lie_where_transformers_js_looks(tmp_path: Path, inside: int, chunk: int, files: list[str]) -> None:
    import onnxruntime

    model = factory.write_tokenizer(tmp_path / "model", "wordpiece")
    (model / "config.json").write_text(json.dumps({"model_type": "bert", "_name_or_path": "/home/somebody/model"}))
    staged = Path(shutil.copytree(model, tmp_path / "package"))
    want = matmul(staged / "model.onnx")
    settings = {"template": None, "chat_template": None, "layout": None}
    found = layout.lay_out(staged, "reader", "int8", settings, model, inside=inside, chunk=chunk)
    assert found == {"dtype": "q8", "half": False, "graphs": {"model.onnx": "onnx/model_quantized.onnx"}}
    assert sorted(path.name for path in (staged / "onnx").iterdir()) == [
        "model_quantized.onnx",
        *(f"model_quantized.onnx{end}" for end in files),
    ]
    session = onnxruntime.InferenceSession(str(staged / "onnx" / "model_quantized.onnx"))
    np.testing.assert_allclose(session.run(None, {"x0": np.ones((1, 8), np.float32)})[0], want, rtol=1e-5)
    config = json.loads((staged / "config.json").read_text(encoding="utf-8"))
    assert "_name_or_path" not in config
    said = {"use_external_data_format": {"model_quantized.onnx": len(files)}} if files else {}
    assert config["transformers.js_config"] == {"dtype": "q8", **said}
    assert not (staged / "model.onnx").exists() and not (staged / "model.onnx.data").exists()
    for name in ("index.html", "package.json", "sample.mjs", "web/app.js", "web/fonts/OFL.txt", "web/prompt.json"):
        assert (staged / name).is_file(), name


def test_a_package_without_its_graph_is_not_laid_out(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no decoder_model_merged\.onnx"):
        matmul(tmp_path / "encoder_model.onnx")
        layout.lay_out(tmp_path, "rewriter", "fp32", {}, tmp_path)


def test_families_that_transformers_js_does_not_know_are_refused() -> None:
    options = Options("webgpu", "int8")
    layout.check({"model_type": "llama"}, "writer", options)
    layout.check({"model_type": "anything"}, "reader", options)
    with pytest.raises(InputError, match="'pegasus'.*It knows bart.*another device") as caught:
        layout.check({"model_type": "pegasus"}, "rewriter", options)
    assert caught.value.field == "export.device"
    with pytest.raises(InputError, match="cannot switch adapters") as caught:
        layout.check({"model_type": "llama"}, "writer", Options("webgpu", "int8", adapters=("a", "b")))
    assert caught.value.field == "export.adapters"


def test_the_page_asks_only_this_folder() -> None:
    for path in layout.PAGE.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org", "localhost", "127.0.0.1"}
        assert not hosts, (path.name, hosts)
        assert not re.search("innerHTML|insertAdjacentHTML|document.write|eval[(]", text), path.name
    page = (layout.PAGE / "index.html").read_text(encoding="utf-8")
    assert "default-src 'self'" in page and "<script>" not in page


# Prompts: the same ids, whatever is typed


def folder_of(path: Path, settings: dict[str, Any]) -> Path:
    """The parts of a web package that prompts are made of, around a tokenizer's files."""
    shutil.copytree(layout.PAGE, path, dirs_exist_ok=True)
    (path / "web" / "prompt.json").write_text(json.dumps(prompt.hints(settings, path)), encoding="utf-8")
    (path / "tunesmith.json").write_text(json.dumps(settings), encoding="utf-8")
    return path


TEMPLATES = [
    "### Phrase: {phrase}\n### Tone: {tone}",
    "{phrase}   [[ {tone} ]]",
    "<|user|>{{phrase}} {phrase}<|end|>\n<|assistant|>\n{tone}",
    "{phrase}{note}{phrase}\n{tone}<|end|>",
    "[[{note}]] then {phrase} [[{tone}]]",
    "{tone}",
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["demo", "bpe", "unigram", "unigram_no_prefix"])
def test_a_text_template_gives_the_ids_of_training(kind: str, tmp_path: Path, node: Node) -> None:
    rows = [{"phrase": text, "note": note} for text in NASTY for note in ("", "two  words ", "<|end|>")]
    for n, template in enumerate(TEMPLATES):
        # A Unigram may cut ### in two ways that are equally likely: which one it takes is in the last bit of a sum.
        template = template.replace("###", "Here") if "unigram" in kind else template
        for limit in (200, 23):
            path = tmp_path / f"{n}-{limit}"
            made = demo_tokenizer(path) if kind == "demo" else factory.write_tokenizer(path, kind, bos=bool(n % 2))  # type: ignore[arg-type]
            settings = settings_of(made, Wording(template), PHRASES, ["phrase", "note", "tone"], prompt_tokens=limit)
            tokenizer = load_tokenizer(path)
            want = [
                encode_prompt(
                    prompt_segments(render(row | {"tone": ""}, PHRASES, Wording(template), tokenizer)), tokenizer, limit
                )
                for row in rows
            ]
            got = node.ask("ids", folder_of(path, settings), rows)
            for row, ours, theirs in zip(rows, got, want, strict=True):
                assert ours == theirs, (template, limit, row)


BUILT_IN = ("alpaca", "gemma", "llama-3")
# As Qwen 3 does: what it was thinking goes where another question follows, so that only the marks tell answers apart.
FORGETS = (
    "{%- for m in messages %}\n{{- '<|im_start|>' + m.role + '\\n' }}\n"
    "{%- if m.role == 'assistant' %}\n    {%- if loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}\n"
    "    {%- generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}\n"
    "{%- else %}\n    {{- m.content + '<|im_end|>' }}\n{%- endif %}\n{{- '\\n' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}\n{%- endif %}\n"
)
# As Gemma does: no system prompt, words without the space around them.
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}"
    "{{ '<|im_start|>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>model\n' }}{% endif %}"
)
# As some of our own rows do: the prompt and its parts, told apart by the template.
PARTS = (
    "{% for m in messages %}{% if m.input is defined %}{{ 'Q: ' + m.instruction + '\nI: ' + m.input }}"
    "{% else %}{{ m.role + ': ' + m.content | tojson }}{% endif %}{{ '\n' }}{% endfor %}"
)


# In transformers.js a template's lstrip('\\n') takes all white space.
THINKING = [one.replace(".lstrip('\n')", "").replace(".strip('\n')", "") for one in (OPENS, R1, STRIPS, HARMONY, HALF)]
REASONED = (
    "<think>\nIt is late.\n</think>\n\nGood night.", "<thinking>so</thinking>yes", "It is late.</think> <|im_end|>",
    "<think>\n\n</think>\n\nplain", "<think>never closed", "<think>only</think>",
    "<|channel|>analysis<|message|>it is late<|end|><|start|>assistant<|channel|>final<|message|>Good night.<|return|>",
)  # fmt: skip


def talks() -> list[dict[str, Any]]:
    """Conversations of one turn and of three, each with nasty words, ending in a question."""
    turns = [[{"role": "user", "content": text}] for text in NASTY]
    for i, text in enumerate(NASTY):
        said = [{"role": "user", "content": text}, {"role": "assistant", "content": NASTY[i - 1]}]
        turns.append([*said, {"role": "user", "content": NASTY[(i + 3) % len(NASTY)]}])
        turns.append([*said, {"role": "user", "content": "And?"}, *said, {"role": "user", "content": text}])
    for text in REASONED:
        said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": text}]
        turns += [[*said, {"role": "user", "content": "And?"}], [*said, *said, {"role": "user", "content": "And?"}]]
    return [{"messages": one} for one in turns]


@pytest.mark.slow
@pytest.mark.parametrize("template", ["own", *BUILT_IN, FORGETS, STRICT, PARTS, *THINKING])
def test_a_conversation_gives_the_ids_of_training(template: str, tmp_path: Path, node: Node) -> None:
    answer = {"role": "assistant", "content": "."}
    for system, limit in ((None, 200), ("Be brief.  ", 200), (None, 40)):
        path = tmp_path / f"{system}-{limit}"
        if template == "own":
            demo_tokenizer(path)
        else:
            factory.write_tokenizer(path, bos=limit == 40)
            if template not in BUILT_IN:
                (path / "chat_template.jinja").write_text(template, encoding="utf-8")
                config = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
                (path / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
        wording = Wording(template if template in BUILT_IN else None, system)
        settings = settings_of(path, wording, questions.TALK, ["messages"], prompt_tokens=limit)
        tokenizer, rows, want = load_tokenizer(path), [], []
        for row in talks():
            try:
                segments = render({"messages": [*row["messages"], answer]}, questions.TALK, wording, tokenizer)
            except InputError:
                continue
            rows.append(row)
            want.append(encode_prompt(prompt_segments(segments), tokenizer, limit))
        assert len(rows) > 20
        for row, ours, theirs in zip(rows, node.ask("ids", folder_of(path, settings), rows), want, strict=True):
            assert ours == theirs, (template, system, limit, row)


ROWS = {
    "alpaca": ({"instruction": "i", "input": "n", "output": "o", "system": "s"}, ["i", "n", "o", "s"]),
    "prompt_completion": ({"prompt": "i", "context": "n", "completion": "o"}, ["i", "n", "o"]),
    "pair": ({"first": "i", "second": "n", "label": "o"}, ["i", "n", "o"]),
    "preference": ({"prompt": "i", "chosen": "o"}, ["i", "o"]),
    "text_label": ({"text": "i", "label": "o"}, ["i", "o"]),
}


@pytest.mark.slow
def test_a_row_through_a_chat_template_gives_the_ids_of_training(tmp_path: Path, node: Node) -> None:
    for name, (roles, columns) in ROWS.items():
        of = Layout(name, roles, "")
        for template in (None, PARTS):
            path = tmp_path / f"{name}-{template is None}"
            factory.write_tokenizer(path)
            if template:
                config = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
                (path / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
            tokenizer = load_tokenizer(path)
            rows = [{"i": text, "n": NASTY[i - 4], "s": NASTY[i - 6]} for i, text in enumerate(NASTY)]
            rows += [{"i": "Human: hello\n\nAssistant: good\n\nHuman: and?"}, {"i": "Human: a\n\nAssistant:"}]
            if name == "preference":  # an empty prompt is no conversation
                rows = [row for row in rows if str(row["i"]).strip()]
            settings = settings_of(path, Wording(), of, columns)
            want = [
                encode_prompt(prompt_segments(render(row | {"o": "."}, of, Wording(), tokenizer)), tokenizer, 200)
                for row in rows
            ]
            for row, ours, theirs in zip(rows, node.ask("ids", folder_of(path, settings), rows), want, strict=True):
                assert ours == theirs, (name, template, row)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_text_that_is_read_gives_the_ids_of_training(kind: Any, tmp_path: Path, node: Node) -> None:
    path = factory.write_tokenizer(tmp_path / kind, kind, chat=None, bos=kind == "bpe")
    tokenizer = load_tokenizer(path)
    texts = [text for text in NASTY if "###" not in text]
    for limit in (64, 9):
        shared = {"kind": "reader", "prompt_tokens": limit, "pad_id": 0, "chat_template": None, "system": None}
        shared |= {"template": None, "layout": {"name": "text_label", "roles": PHRASES.roles}, "columns": ["phrase"]}

        def ids(rows: list[Any], head: str, shared: dict[str, Any] = shared, **more: Any) -> list[Any]:
            settings = shared | {"head": head, "fields": ["phrase"]} | more
            return node.ask("ids", folder_of(path, settings), rows)

        rows = [{"phrase": text} for text in texts]
        asked = [question(row | {"tone": "."}, PHRASES, Wording(), tokenizer) for row in rows]
        want = [one.input_ids for one in encode_questions(asked, tokenizer, limit)]
        assert ids(rows, "sequence_classification") == want
        assert ids(rows, "feature_extraction") == [[one] for one in encode_texts(texts, tokenizer, limit)[0]]
        words = [text.split() for text in texts if text.split()]
        found = [
            {"ids": one.ids, "words": one.words, "kept": one.kept} for one in encode_words(words, tokenizer, limit)
        ]
        got = ids([{"words": one} for one in words], "token_classification")
        for one, ours, theirs in zip(words, got, found, strict=True):
            assert ours == theirs, (limit, one)
        wording = Wording("Sum up: {phrase}\n{tone}")
        form = {"kind": "rewriter", "template": wording.template, "columns": ["phrase", "tone"]}
        want = [
            encode_question(prompt_segments(render(row | {"tone": ""}, PHRASES, wording, tokenizer)), tokenizer, limit)
            for row in rows
        ]
        assert ids(rows, "", **form) == want

"""Models that read, as packages: the tokens of training, the numbers of PyTorch, and red where either is another."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from core.data.questions import encode_questions, question
from core.data.recognise import recognise
from core.data.template import Wording
from core.data.whole import encode_texts
from core.data.worded import encode_words
from core.errors import InputError
from core.export import bundle, make, questions, targets
from core.export.graphs import reader as graphs
from core.export.makers import reader, readings
from core.export.options import Options
from core.export.packages.run_reader import Package
from core.export.proof import read
from core.export.source import open_source
from core.models.heads import LABEL, TAGS, VECTOR
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.core.export import heads

HARD = [
    "plain words",
    "  two spaces  ",
    "[CLS] says [SEP], <|im_end|> and </s>",
    "Zoë 東京 😀\r\n\ttabs and\n\nnew lines",
    "{text} [[x]] {{y}}",
    "first " + "x " * 300 + "last",
    "",
]


# The tokens of training


def package(folder, tokenizer, head, form, limit=32):
    """A package without a graph."""
    settings = form | {
        "chat": form["chat_template"] is not None,
        "special_tokens": {k: v for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)},
        "kind": reader.Work.kind,
        "head": head.name,
        "labels": heads.NAMES[head],
        "pad_id": 0,
        "prompt_tokens": limit,
        "device": "cpu",
    }
    bundle.write(folder, settings, reader.Work.entry, targets.TARGETS["cpu"])
    return Package(folder)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
@pytest.mark.parametrize("template", [None, "{text}\n{label}", "Of {text} the tone is [[{label}]]", "chatml"])
def test_a_text_is_read_as_in_training(tmp_path, kind, template):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, kind, None, bos=kind == "unigram"))
    rows = [{"text": text, "label": "calm"} for text in HARD]
    layout, wording = recognise(["text", "label"], rows), Wording(template)
    if template == "chatml" and kind == "wordpiece":
        pytest.skip("chatml needs an end token")
    made = package(tmp_path, tokenizer, LABEL, questions.form(wording, layout, ["text", "label"], tokenizer))
    for row in rows:
        want = encode_questions([question(row, layout, wording, tokenizer)], tokenizer, 32)[0].input_ids
        assert made.ids({"text": row["text"]}) == made.ids(row) == want


def test_a_conversation_is_read_as_in_training(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    row = {"messages": [{"role": "user", "content": "Hm <|im_end|>"}, {"role": "assistant", "content": "calm"}]}
    layout = recognise(["messages"], [row])
    made = package(tmp_path, tokenizer, LABEL, questions.form(Wording(), layout, ["messages"], tokenizer))
    want = encode_questions([question(row, layout, Wording(), tokenizer)], tokenizer, 32)[0].input_ids
    assert made.ids(row) == made.ids(questions.asked_of(row, layout)) == want
    assert made.ids(made.row("Hm <|im_end|>", {}, [])) == want


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_words_and_compared_texts_are_read_as_in_training(tmp_path, kind):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, kind, None))
    form = {"template": None, "chat_template": None, "system": None, "columns": [], "optional": []}
    words = package(
        tmp_path, tokenizer, TAGS, form | {"fields": ["tokens"], "layout": {"name": "tokens_tags", "roles": {}}}
    )
    for text in HARD:
        want = encode_words([text.split(" ")], tokenizer, 32)[0]
        assert words.ids({"tokens": text.split(" ")}) == {"ids": want.ids, "words": want.words}
    pair = package(
        tmp_path, tokenizer, VECTOR, form | {"fields": ["one", "two"], "layout": {"name": "pair", "roles": {}}}
    )
    for one, two in zip(HARD, reversed(HARD), strict=True):
        assert pair.ids({"one": one, "two": two}) == encode_texts([one, two], tokenizer, 32)[0]
    assert pair.ids(pair.pair(["plain words"])) == encode_texts(["plain words"], tokenizer, 32)[0]


def test_a_typed_text_has_the_words_that_tagged_rows_have(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, "wordpiece", None))
    form = {"template": None, "chat_template": None, "system": None, "columns": [], "optional": []}
    made = package(
        tmp_path, tokenizer, TAGS, form | {"fields": ["tokens"], "layout": {"name": "tokens_tags", "roles": {}}}
    )
    said = made.row("Ada O'Brien-Lee paid $1,024.50 (twice).", {}, [])
    assert said == {"tokens": ["Ada", "O'Brien-Lee", "paid", "$", "1,024.50", "(", "twice", ")", "."]}
    assert made.row("लड़की आई, می\u200cخواهم।", {}, []) == {"tokens": ["लड़की", "आई", ",", "می\u200cخواهم", "।"]}


# What cannot be had


@pytest.mark.parametrize(
    ("options", "config", "says", "field"),
    [
        ({"precision": "bf16"}, {}, "not in bf16. Take int8", "export.precision"),
        ({"precision": "fp32", "keep_adapter": True}, {}, "its adapter is merged", "export.adapters"),
        ({"precision": "int8"}, {"quantization_config": {"bits": 4}}, "quantised already", "model.path"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_is_loaded(options, config, says, field):
    with pytest.raises(InputError, match=says) as error:
        reader.Work.check(config, Options("cpu", **options), targets.TARGETS["cpu"])
    assert error.value.field == field


def worker(run, tmp_path, device="cpu", precision="int8", **more):
    """The maker of a run, and its rows."""
    given = open_source(str(run.dir), tmp_path / "work")
    made = reader.Work(given, Options(device, precision, **more), targets.TARGETS[device])
    return made, made.ask(60, None)


@pytest.mark.parametrize(("validation", "fed", "compared"), [(0.4, 24, 16), (0, 20, 20)])
def test_static_scales_are_measured_on_rows_that_are_not_compared(
    tiny_models, runs_dir, tmp_path, validation, fed, compared
):
    run = heads.run_of(tiny_models("bert"), LABEL, folder=tmp_path, validation=validation)
    made, asked = worker(run, tmp_path, calibration="static")
    texts = [feeds["input_ids"][0].tolist() for feeds in made.calibration(["input_ids", "attention_mask"])]
    assert len(texts) == fed and len(asked.texts) == compared
    assert not {tuple(text) for text in texts} & {tuple(text) for text in asked.texts}
    assert ("none were kept back" in asked.told) == (not validation)


def test_a_graph_that_does_not_load_is_one_sentence(tiny_models, runs_dir, tmp_path, monkeypatch):
    made, _ = worker(heads.run_of(tiny_models("bert"), LABEL, folder=tmp_path), tmp_path, precision="fp32")

    def write(module, path, half=False):
        path.write_bytes(b"no graph")
        return ["input_ids", "attention_mask"]

    monkeypatch.setattr(graphs, "export", write)
    (tmp_path / "out").mkdir()
    says = "A BertForSequenceClassification does not export in fp32: onnxruntime does not load the graph"
    with pytest.raises(InputError, match=says) as error:
        made.build(tmp_path / "out", lambda what: None)
    assert error.value.field == "export.precision" and len(str(error.value).splitlines()) == 1


def test_a_model_alone_has_no_rows_to_measure_static_scales_on(tiny_models, runs_dir, tmp_path):
    run = heads.run_of(tiny_models("bert"), LABEL, folder=tmp_path)
    shutil.copytree(run.dir / "model", tmp_path / "alone")
    given = open_source(tmp_path / "alone", tmp_path / "work")
    made = reader.Work(given, Options("cpu", "int8", calibration="static"), targets.TARGETS["cpu"])
    assert list(made.calibration(["input_ids"])) == []


@pytest.mark.parametrize("head", [LABEL, TAGS, VECTOR])
def test_a_model_alone_is_asked_neutral_sentences_or_the_rows_that_are_named(tiny_models, runs_dir, tmp_path, head):
    run = heads.run_of(tiny_models("distilbert"), head, folder=tmp_path)
    shutil.copytree(run.dir / "model", tmp_path / "alone")
    given = open_source(tmp_path / "alone", tmp_path / "work")
    found = readings.ask(given, None, 5, None, 512)
    assert found.told.startswith("neutral sentences") and found.metrics == [] and len(found.rows) == 8
    made = package(tmp_path / "alone", given.tokenizer, head, found.form, found.limit)
    assert [made.ids(row) for row in found.rows] == found.prompts and all(map(len, found.texts))
    found = readings.ask(given, None, 5, run.config().data.path, 512)
    assert len(found.rows) == 5 and found.told.startswith("rows of ") and found.metrics
    made = package(tmp_path / "alone", given.tokenizer, head, found.form, found.limit)
    assert [made.ids(row) for row in found.rows] == found.prompts


# Whole exports: every family of encoders, decoders with a head, adapters that stay, each compared with PyTorch

TEMPLATE = {"template": "{text}\n{label}"}
CELLS = [
    ("bert", LABEL, "full", {}),
    ("roberta", TAGS, "lora", {}),
    ("modernbert", VECTOR, "full", {}),
    ("gpt2", TAGS, "adapter", {}),
    ("llama", LABEL, "prompt", TEMPLATE),
    ("t5", VECTOR, "full", {}),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function from a cell to its run and the report of its export, made once."""
    base = tmp_path_factory.mktemp("readers")
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_RUNS", str(base / "runs"))

        def get(family, head, way, data):
            key = family, head.name, way
            if key not in made:
                model = heads.model_of(family, base / family)
                run = heads.run_of(model, head, way, folder=base, **data)
                report = make.make(str(run.dir), Options("cpu", "fp32"), run.export_dir("cpu", "fp32"))
                made[key] = run, report
            return made[key]

        yield get


def ask(folder, *args):
    """Run the package's own script somewhere else, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("family", "head", "way", "data"), CELLS, ids=lambda v: getattr(v, "name", v if v else ""))
def test_a_package_says_what_pytorch_says(exported, family, head, way, data):
    run, report = exported(family, head, way, data)
    assert report["status"] == "verified", report["message"]
    assert report["rows"] == 16 and report["rows_from"].startswith("validation rows of ") and report["same"] == 1
    assert 0 < report["logit_range"] and report["max_logit_difference"] < 1e-5 * max(1, report["logit_range"])
    assert report["batch_difference"] < 1e-5 * max(1, report["logit_range"])
    main = {LABEL: "accuracy", TAGS: "entity_f1", VECTOR: "spearman"}[head]
    assert report["metric"]["name"] == main and report["metric"]["difference"]["low"] == 0
    assert report["metric"]["onnx"] == pytest.approx(report["metric"]["pytorch"])
    assert report["load_seconds"] > 0 and report["first_token_seconds"]["onnx"] > 0
    folder = run.export_dir("cpu", "fp32")
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".onnx", ".json"):
            text = path.read_bytes()
            assert b"site-packages" not in text and str(folder.parents[2]).encode() not in text, path
    graph = onnx.load(folder / "model.onnx").graph
    names = [value.name for value in graph.input]
    assert names == ["input_ids", "attention_mask"] + (["token_type_ids"] if family == "bert" else [])
    outputs = ["last_hidden_state", "sentence_embedding"] if head is VECTOR else ["logits"]
    assert [value.name for value in graph.output] == outputs


@pytest.mark.slow
def test_a_package_of_labels_answers_by_itself(exported):
    run, _ = exported(*CELLS[0])
    folder = run.export_dir("cpu", "fp32")
    found = json.loads(ask(folder, "The lake lies still", "--json").stdout)
    assert found["label"] == max(found["scores"], key=found["scores"].get)
    assert sum(found["scores"].values()) == pytest.approx(1)
    done = ask(folder, "The lake lies still")
    assert done.stdout == f"{found['label']}\t{found['score']:.1%}\n"
    assert len(ask(folder, "The lake lies still", "--all").stdout.splitlines()) == 4
    assert ask(folder, "--check").stdout == "Every file is as it was made.\n"
    for wrong, says in (
        (("a", "b"), "reads one text"),
        ((" ",), "nothing in this text"),
        (("--field", "x=y"), "no field"),
    ):
        done = ask(folder, *wrong)
        assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1
    code = (
        "import sys, run; run.Package().answer({'text': 'x'}); "
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'transformers', 'core', 'pydantic')])"
    )
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
def test_packages_of_tags_and_of_vectors_answer_by_themselves(exported):
    folder = exported(*CELLS[1])[0].export_dir("cpu", "fp32")
    found = json.loads(ask(folder, "Ada Lovelace lives in Ghent.", "--json").stdout)
    assert found["words"] == ["Ada", "Lovelace", "lives", "in", "Ghent", "."] and len(found["tags"]) == 6
    assert set(found["tags"]) <= set(heads.NAMES[TAGS])
    folder = exported(*CELLS[2])[0].export_dir("cpu", "fp32")
    vector = json.loads(ask(folder, "The lake lies still").stdout)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert float(ask(folder, "The lake lies still", "The lake lies still").stdout) == pytest.approx(1, abs=1e-4)
    found = json.loads(ask(folder, "The lake lies still", "I want my money back today", "--json").stdout)
    assert -1 <= found["similarity"] < 0.999 and len(found["vectors"]) == 2
    assert "Two texts are compared, and here are 3" in ask(folder, "a", "b", "c").stderr


# Red where something is another


@pytest.fixture
def proven(exported, tmp_path):
    """(maker, rows, PyTorch's answers, a copy of the package) of the first cell."""
    run, _ = exported(*CELLS[0])
    staged = tmp_path / "package"
    shutil.copytree(run.export_dir("cpu", "fp32"), staged)
    made, asked = worker(run, tmp_path, precision="fp32")
    return made, asked, made.reference(asked, tmp_path, lambda done: None, lambda: False), staged


def corrupt(path, change):
    """Change one weight of a graph: that which `change` is given and gives back."""
    model = onnx.load(path)
    weight = next(w for w in model.graph.initializer if w.name.endswith("layer.0.intermediate.dense.bias"))
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight).copy()), weight.name))
    onnx.save(model, path)


def one_number(values):
    values[3] += 30
    return values


def no_number(values):
    values[3] = np.nan
    return values


@pytest.mark.slow
def test_a_changed_weight_turns_the_comparison_red(proven):
    made, asked, truth, staged = proven
    assert made.compare(staged, asked, truth)["status"] == "verified"
    corrupt(staged / "model.onnx", one_number)
    found = made.compare(staged, asked, truth)
    assert found["status"] == "failed" and found["max_logit_difference"] > 0.02 * found["logit_range"]
    assert ask(staged, "--check").returncode == 1
    corrupt(staged / "model.onnx", no_number)
    found = made.compare(staged, asked, truth)
    assert found["status"] == "failed" and "none (NaN" in found["message"] and found["max_logit_difference"] is None


@pytest.mark.slow
def test_another_tokenizer_turns_the_comparison_red(proven, tmp_path):
    made, asked, truth, staged = proven
    other = factory.write_tokenizer(tmp_path / "other", "bpe", None)
    shutil.copyfile(other / "tokenizer.json", staged / "tokenizer.json")
    with pytest.raises(RuntimeError, match="makes other tokens of 16 of 16 prompts than training did"):
        made.compare(staged, asked, truth)
    with pytest.raises(RuntimeError, match="makes other tokens"):
        made.compare(staged, asked, None)


@pytest.mark.slow
def test_a_graph_that_is_not_the_model_is_refused_as_soon_as_it_is_written(proven):
    made, _, _, staged = proven
    module = graphs.wrap(made.given.model, LABEL, pad_id=made.given.pad_id)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    graph = staged / "model.onnx"
    assert 0 < graphs.try_out(graph, module, names, pad_id=made.given.pad_id, longest=64) < 1e-5
    corrupt(graph, one_number)
    with pytest.raises(RuntimeError, match="The graph is not the model: on 1 x 1 tokens its numbers are off by"):
        graphs.try_out(graph, module, names, pad_id=made.given.pad_id, longest=64)
    graphs.try_out(graph, None, names, pad_id=made.given.pad_id, longest=64)
    corrupt(graph, no_number)
    with pytest.raises(RuntimeError, match="numbers that are none on 1 x 1 tokens"):
        graphs.try_out(graph, None, names, pad_id=made.given.pad_id, longest=64)
    graph.write_bytes(b"no graph")
    with pytest.raises(RuntimeError, match="onnxruntime does not load the graph"):
        graphs.try_out(graph, None, names, pad_id=made.given.pad_id, longest=64)


# Smaller


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "more", "least", "near"),
    [("int8", {}, 0.4, 0.05), ("int8", {"calibration": "static"}, 0.7, 0.1), ("int4", {"block_size": 16}, 0.7, 0.2)],
    ids=["dynamic", "static", "int4"],
)
def test_smaller_weights_say_nearly_the_same(exported, proven, tmp_path, precision, more, least, near):
    run, whole = exported(*CELLS[0])
    _, asked, truth, staged = proven
    made, _ = worker(run, tmp_path / "smaller", precision=precision, **more)
    full = staged.with_name("full.onnx")
    (staged / "model.onnx").rename(full)
    made._smaller(full, staged / "model.onnx", ["input_ids", "attention_mask", "token_type_ids"])
    found = made.compare(staged, asked, truth)
    assert found["status"].startswith("verified") and found["same"] >= 0.8, found["message"]
    assert 1e-5 < found["max_logit_difference"] < near * found["logit_range"]
    assert (staged / "model.onnx").stat().st_size < least * whole["bytes"]


@pytest.mark.slow
def test_half_precision_for_a_gpu_is_compared_on_the_processor_and_not_called_verified(tiny_models, runs_dir, tmp_path):
    run = heads.run_of(tiny_models("qwen2"), LABEL, "lora", folder=tmp_path, **TEMPLATE)
    report = make.make(str(run.dir), Options("cuda", "fp16"), out := run.export_dir("cuda", "fp16"))
    assert report["status"] == "not verified here" and report["same"] == 1, report["message"]
    assert 1e-6 < report["max_logit_difference"] < 0.01 * report["logit_range"]
    kinds = {w.data_type for w in onnx.load(out / "model.onnx").graph.initializer if len(w.dims) == 2}
    assert onnx.TensorProto.FLOAT16 in kinds and onnx.TensorProto.FLOAT not in kinds
    assert onnx.load(out / "model.onnx").graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_batches_and_single_texts_are_both_compared():
    """A package that is right alone and wrong in a batch is not right."""
    one = [np.array([1.0, 2.0], np.float32), np.array([3.0, 0.5], np.float32)]
    truth = read.Said(one, one, 0, 0, 0)
    wrong = read.Said(one, [one[0] + 5, one[1]], 0, 0, 0)
    found = read.gaps(truth, wrong)
    assert found.largest == found.batch == 5 and found.span == 2.5 and found.most == 3
    assert found.mean == pytest.approx(10 / 8)

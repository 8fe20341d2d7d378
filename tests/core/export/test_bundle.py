"""What lies around the model: prompts as in training, a zip of the same bytes, and folders that are not ours."""

import ast
import errno
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.data.encode import encode_prompt
from core.data.named import NAMED
from core.data.recognise import recognise
from core.data.template import Wording, prompt_segments, render
from core.errors import InputError
from core.export import bundle, questions, targets
from core.export.packages import run_reader, terminal
from core.export.packages.run_writer import Package
from core.models.tokenizer import load_tokenizer
from tests import factory


def package(folder, tokenizer, layout, template, columns, **more):
    """A package without a model."""
    wording = Wording.meant(template)
    settings = questions.form(wording, layout, columns, tokenizer) | {
        "kind": "writer",
        "chat": wording.text is None,
        "special_tokens": {k: v for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)},
        "prompt_tokens": 64,
        "end_ids": [2, 4],
        "max_new_tokens": 8,
        "context": 512,
        "device": "cpu",
    }
    bundle.write(folder, settings | more, "core.export.packages.run_writer", targets.TARGETS["cpu"])
    return Package(folder)


HARD = [
    "plain words",
    "",
    "  two spaces  ",
    "<|im_end|> and </s>",
    "Zoë 東京 😀\r\n\ttabs",
    "{phrase} [[x]] {{y}}",
    "x " * 300,
]


@pytest.mark.parametrize("kind", ["bpe", "unigram", "unigram_no_prefix"])
@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize(
    "template",
    ["### Phrase: {phrase}\n### Tone: {tone}", "{phrase}[[ {tone}]]", "<s>{phrase} is [[{tone}]] as {{x}}", None],
)
def test_prompts_are_those_of_training(tmp_path, kind, bos, template):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, kind, bos=bos))
    rows = [{"phrase": text, "tone": "calm"} for text in HARD]
    layout = recognise(["phrase", "tone"], rows)
    made = package(tmp_path, tokenizer, layout, template, ["phrase", "tone"])
    for row in rows:
        want = encode_prompt(prompt_segments(render(row, layout, template, tokenizer)), tokenizer, 64)
        assert made.ids({"phrase": row["phrase"]}) == want


@pytest.mark.parametrize("chat", ["masked", "plain"])
def test_conversations_are_those_of_training(tmp_path, chat):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, chat=chat))
    talk = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Who are you? <|im_end|>"},
        {"from": "gpt", "value": "A model."},
        {"from": "human", "value": "And the tone?"},
        {"from": "gpt", "value": "Calm."},
    ]
    row = {"conversations": talk}
    layout = recognise(["conversations"], [row])
    made = package(tmp_path, tokenizer, layout, None, ["conversations"])
    want = encode_prompt(prompt_segments(render(row, layout, None, tokenizer)), tokenizer, 64)
    assert made.ids(row) == made.ids({"conversations": talk[:-1]}) == want


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("bos", [False, True])
def test_named_formats_are_those_of_training(tmp_path, name, bos):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None, bos=bos))
    wording = Wording(name, system="Be brief.")
    for row in (
        {"instruction": "Name the tone.", "input": "The lake lies still. <|im_end|>", "output": "calm"},
        {"sentence1": "x", "sentence2": "y", "label": "same"},
        {"system": "", "question": "q", "answer": "a", "passage": "p"},
    ):
        layout = recognise(list(row), [row])
        made = package(tmp_path, tokenizer, layout, wording, list(row))
        assert made.settings["template"] is None and "{%" in made.settings["chat_template"]
        want = encode_prompt(prompt_segments(render(row, layout, wording, tokenizer)), tokenizer, 64)
        assert made.ids(row) == want
        assert made.ids({column: row[column] for column in made.settings["fields"]}) == want


@pytest.mark.parametrize("template", [None, "gemma"])
@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                {"role": "user", "content": "Find tea"},
                {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": "{}"}}]},
                {"role": "tool", "content": "3"},
                {"role": "assistant", "content": "Three."},
            ],
            "tools": [{"name": "find"}],
        },
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: Bah"},
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Bah"},
    ],
)
def test_rows_of_every_kind_are_asked_as_in_training(tmp_path, template, row):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    layout = recognise(list(row), [row])
    made = package(tmp_path, tokenizer, layout, template, list(row))
    want = encode_prompt(prompt_segments(render(row, layout, template, tokenizer)), tokenizer, 64)
    assert made.ids(json.loads(json.dumps(questions.asked_of(row, layout)))) == want


def test_a_typed_question_of_a_conversation(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    row = {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": ""}
    made = package(tmp_path, tokenizer, recognise(list(row), [row]), None, list(row))
    assert made.row("Hi", {}, []) == {"messages": [{"role": "user", "content": "Hi"}]}


def test_alpaca_rows_and_their_optional_input(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    row = {"instruction": "Name the tone.", "input": "The lake lies still.", "output": "calm"}
    layout = recognise(list(row), [row])
    made = package(tmp_path, tokenizer, layout, None, list(row))
    want = encode_prompt(prompt_segments(render(row, layout, None, tokenizer)), tokenizer, 64)
    assert made.ids(row | {"output": ""}) == want
    assert made.row("Name the tone.", {}, []) == {"instruction": "Name the tone."}
    assert made.ids(made.row("Name the tone.", {"input": ""}, [])) != want


def test_what_a_person_types_becomes_a_row(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    layout = recognise(["a", "b", "label"], [{"a": "x", "b": "y", "label": "z"}])
    made = package(tmp_path, tokenizer, layout, "{a} and {b}: [[{label}]]", ["a", "b", "label"])
    assert made.row("one", {"b": "two"}, []) == {"a": "one", "b": "two"}
    with pytest.raises(InputError, match="Give --field b=... too."):
        made.row("one", {}, [])
    with pytest.raises(InputError, match="There is no field 'label'. Known: a, b."):
        made.row("", {"label": "x", "a": "1", "b": "2"}, [])


def test_the_library_of_a_package_stands_alone(tmp_path):
    tokenizer = load_tokenizer(factory.write_tokenizer(tmp_path))
    package(tmp_path, tokenizer, recognise(["text"], [{"text": "x"}]), "[[{text}]]", ["text"])
    for path in (tmp_path / "tunesmith").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("core"), path.name
    code = (
        "import sys, run; run.Package().ids({'text': 'x'}); print([m for m in sys.modules if m in ('torch', 'core')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_same_files_give_the_same_zip_and_nothing_else_is_in_it(tmp_path):
    folder = tmp_path / "package"
    (folder / "tunesmith").mkdir(parents=True)
    names = ["model.onnx", "model.onnx.data", "run.py", "tunesmith/errors.py"]
    for name in [*names, "report.json", "state.json", "output.log", "job.json", ".lock", "stop", "failed.json"]:
        (folder / name).write_bytes(name.encode())
    bundle.pack(folder, tmp_path / "one.zip", "top")
    (folder / "run.py").touch()
    bundle.pack(folder, tmp_path / "two.zip", "top")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == [f"top/{name}" for name in names]


def test_a_swap_leaves_what_a_job_keeps_and_no_stale_file(tmp_path):
    staged, folder = tmp_path / "staged", tmp_path / "package"
    for place, names in (
        (staged, ["model.onnx", "run.py"]),
        (folder, ["model.onnx", "old.json", "state.json", "report.json", "notes.txt"]),
    ):
        place.mkdir()
        for name in names:
            (place / name).write_text(place.name)
    (folder / "tunesmith.json").write_text(json.dumps({"files": {"model.onnx": "", "old.json": "", "../x": ""}}))
    (tmp_path / "x").touch()
    assert bundle.made_files(folder) == ["model.onnx", "old.json", "tunesmith.json"]
    bundle.swap(staged, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["model.onnx", "notes.txt", "run.py", "state.json"]
    assert (folder / "model.onnx").read_text() == "staged" and (tmp_path / "x").exists()


def test_a_swap_reaches_another_disk(tmp_path, monkeypatch):
    for name in ("staged", "volume"):
        (tmp_path / name).mkdir()
    (tmp_path / "staged" / "run.py").write_text("new")
    replace = os.replace

    def across(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", across)
    bundle.swap(tmp_path / "staged", tmp_path / "volume")
    assert [p.name for p in (tmp_path / "volume").iterdir()] == ["run.py"]


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match="holds other files. Name a new folder"):
        bundle.refuse_foreign(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        bundle.refuse_foreign(tmp_path / "thesis.txt")
    bundle.refuse_foreign(tmp_path / "new")
    (tmp_path / "tunesmith.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="holds other files"):
        bundle.refuse_foreign(tmp_path)
    (tmp_path / "tunesmith.json").write_text(json.dumps({"made_by": bundle.MADE_BY}))
    bundle.refuse_foreign(tmp_path)
    (tmp_path / "new.zip").touch()
    with pytest.raises(InputError, match=r"new\.zip is there already, and the package's zip goes there"):
        bundle.refuse_foreign(tmp_path / "new")


class Choosy:
    """A package that takes no text of blanks."""

    settings = {"fields": ["text"]}

    def row(self, text, fields, history):
        return {"text": text}

    def ids(self, row):
        return row["text"]

    def answer(self, row):
        if not row["text"].strip():
            raise InputError("There is nothing in this text.")
        return {"label": row["text"].upper(), "score": 1.0, "scores": {}}

    def words(self, ids):
        yield self.answer({"text": ids})["label"]


@pytest.mark.parametrize("talk", [lambda: terminal._talk(Choosy()), lambda: run_reader._talk(Choosy(), False)])
def test_a_line_that_cannot_be_answered_does_not_end_the_talk(monkeypatch, capsys, talk):
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \ncalm\n\n"))
    talk()
    said = capsys.readouterr()
    assert "There is nothing in this text." in said.err and "CALM" in said.out

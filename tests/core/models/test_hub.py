"""The Hub and data sets on it, against a small server of our own: which files, which errors, whose token."""

import json
import os
import subprocess
import sys

import pytest

from core.errors import InputError
from core.models.hub import session_token, token_mark
from core.paths import ROOT
from tests.core.models.fake_hub import GOOD, FakeHub, commit_of, serve

FRONT = """---
configs:
- config_name: easy
  default: true
  data_files:
  - {split: train, path: "easy/train-*.csv"}
  - {split: test, path: easy/test.csv}
- config_name: hard
  data_dir: hard
---
# A set
"""


def csv(*numbers):
    return ("n\n" + "".join(f"{n}\n" for n in numbers)).encode()


def jsonl(*numbers):
    return "".join(f'{{"n": "{n}"}}\n' for n in numbers).encode()


def parquet(*numbers):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"n": [str(n) for n in numbers]}), sink)
    return sink.getvalue()


def on_main(files, **more):
    return {"files": {"main": files}, **more}


SETS = {
    "own/plain": on_main({"README.md": b"# No front", "train.csv": csv(1, 2), "test.csv": csv(3), "logo.png": b"x"}),
    "own/parts": on_main({
        "data/train-00000-of-00002.parquet": parquet(1, 2), "data/train-00001-of-00002.parquet": parquet(3),
        "data/test-00000-of-00001.parquet": parquet(4), "data/train.csv": csv(9), "notes.txt": b"no rows",
    }),
    "own/configs": on_main({
        "README.md": FRONT.encode(), "easy/train-1.csv": csv(1), "easy/train-2.csv": csv(2), "easy/test.csv": csv(3),
        "hard/train.jsonl": jsonl(5), "hard/dev.jsonl": jsonl(6),
    }),
    "own/folders": on_main({"de/train.csv": csv(1), "en/train.csv": csv(2), "en/test.csv": csv(3)}),
    "own/names": on_main({"news-train.csv": csv(1), "news-test.csv": csv(2), "talk-train.csv": csv(3)}),
    "own/chat": on_main({"data/train_sft-00000-of-00001.parquet": parquet(1),
                         "data/test_sft-00000-of-00001.parquet": parquet(2)}),
    "own/script": {"files": {
        "main": {"README.md": b"", "script.py": b"raise SystemExit"},
        "refs/convert/parquet": {
            "a/train/0000.parquet": parquet(1), "a/train/0001.parquet": parquet(2), "a/test/0000.parquet": parquet(3),
            "b/partial-train/0000.parquet": parquet(4),
        },
    }},
    "own/nothing": on_main({"README.md": b"", "script.py": b"", "picture.png": b""}),
    "own/private": on_main({"train.csv": csv(7)}, private=True),
    "own/gated": on_main({"train.csv": csv(8)}, gated=True),
    "own/forbidden": on_main({}, status=403),
    "own/broken": on_main({}, status=503),
    "own/huge": on_main({"train.csv": csv(1)}, sizes={"train.csv": 90_000_000_000}),
}  # fmt: skip

CONFIG = b'{"model_type": "llama", "max_position_embeddings": 64}'
SMALL = {"config.json": CONFIG, "tokenizer.json": b"{}"}
MODELS = {
    "own/model": on_main({**SMALL, "model.safetensors": b"x", "README.md": b"---\nlicense: mit\n---\n"}),
    "Qwen/Qwen3-0.6B": on_main({**SMALL, "model.safetensors": b"x"}),
    "own/pickled": on_main({**SMALL, "pytorch_model.bin": b"x"}),
    "own/slow": on_main({"config.json": CONFIG, "vocab.json": b"{}", "model.safetensors": b"x"}),
    "own/none": on_main({"config.json": CONFIG}),
    "own/private": on_main({**SMALL, "model.safetensors": b"x"}, private=True),
    "own/gated": on_main({**SMALL, "model.safetensors": b"x"}, gated=True),
    "own/forbidden": on_main({}, status=403),
}
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9"}

# Each: the key of its answer, the set, name, split, a session's token, more environment.
ASKED = {
    "plain": ("own/plain", None, None), "plain test": ("own/plain", None, "test"),
    "plain slice": ("own/plain", None, "train[1:]"), "plain none": ("own/plain", None, "dev"),
    "plain wrong": ("own/plain", "de", None), "plain default": ("own/plain", "default", None),
    "parts": ("own/parts", None, None), "parts test": ("own/parts", None, "test"),
    "configs": ("own/configs", None, None), "configs test": ("own/configs", "easy", "test"),
    "configs hard": ("own/configs", "hard", None), "configs dev": ("own/configs", "hard", "validation"),
    "configs wrong": ("own/configs", "hrad", None), "configs no split": ("own/configs", "easy", "dev"),
    "folders": ("own/folders", None, None), "folders en": ("own/folders", "en", None),
    "folders wrong": ("own/folders", "fr", None),
    "names": ("own/names", "news", None), "names test": ("own/names", "news", "test"),
    "chat": ("own/chat", None, None), "chat sft": ("own/chat", None, "train_sft"),
    "script": ("own/script", "a", None), "script test": ("own/script", "a", "test"),
    "script partial": ("own/script", "b", None), "script none": ("own/script", None, None),
    "nothing": ("own/nothing", None, None), "missing": ("own/missing", None, None),
    "private": ("own/private", None, None), "private token": ("own/private", None, None, GOOD),
    "private again": ("own/private", None, None), "private wrong": ("own/private", None, None, "hf_wrong"),
    "gated": ("own/gated", None, None), "gated token": ("own/gated", None, None, GOOD),
    "forbidden": ("own/forbidden", None, None), "broken": ("own/broken", None, None), "huge": ("own/huge", None, None),
    "plain again": ("own/plain", None, None),
    "machine": ("own/private", None, None, None, {"HF_TOKEN": GOOD}),
    "stranger": ("own/private", None, None, None, {"HF_TOKEN": GOOD, "SPACE_ID": "a/b"}),
    "stranger token": ("own/private", None, None, GOOD, {"SPACE_ID": "a/b"}),
    "model machine": ("own/private", None, None, None, {"HF_TOKEN": GOOD}),
    "model stranger machine": ("own/private", None, None, None, {"HF_TOKEN": GOOD, "SPACE_ID": "a/b"}),
    "model stranger sha": ("own/private", commit_of("main"), None, None, {"HF_TOKEN": GOOD, "SPACE_ID": "a/b"}),
    "model stranger token": ("own/private", None, None, GOOD, {"SPACE_ID": "a/b"}),
    "model stranger again": ("own/private", None, None, None, {"SPACE_ID": "a/b"}),
    "model": ("own/model", None, None), "model known": ("Qwen/Qwen3-0.6B", None, None),
    "model revision": ("own/model", "v9", None),
    "model pickled": ("own/pickled", None, None), "model slow": ("own/slow", None, None),
    "model none": ("own/none", None, None), "model missing": ("own/missing", None, None),
    "model private": ("own/private", None, None), "model private token": ("own/private", None, None, GOOD),
    "model wrong token": ("own/private", None, None, "hf_wrong"), "model gated": ("own/gated", None, None),
    "model gated token": ("own/gated", None, None, GOOD), "model forbidden": ("own/forbidden", None, None),
    "model older name": ("own/private", None, None, None, {"HUGGING_FACE_HUB_TOKEN": GOOD}),
    "model kept": ("own/model", None, None, None, NOWHERE),
    "model not kept": ("own/none", None, None, None, NOWHERE),
    "model stranger": ("own/model", None, None, None, NOWHERE | {"SPACE_ID": "a/b"}),
}  # fmt: skip

CHILD = """
import json, os, sys
from core.data.sources import open_data
from core.errors import InputError
from core.models.catalog import describe_model
from core.models.hub import commit_of, session_token
for key, (path, name, split, *rest) in json.load(sys.stdin).items():
    token, more = [*rest, None, None][:2]
    before = dict(os.environ)
    os.environ.update(more or {})
    try:
        with session_token(token):
            if key.startswith("model"):
                info = describe_model(path, name)
                found = {"n": info.family, "commit": commit_of("model", path, "model.path", name)}
                found["said"] = [info.licence, info.parameters]
            else:
                source = open_data(path, name, split)
                found = {"n": " ".join(r["n"] for r in source.rows), "notes": source.notes, "name": source.name}
    except InputError as error:
        found = {"error": str(error), "field": error.field}
    for one in more or {}:
        del os.environ[one]
    os.environ.update(before)
    print(json.dumps([key, found]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What open_data says of ASKED, in a process whose huggingface_hub may ask; and what the server was asked."""
    hub, home = FakeHub(SETS, MODELS), tmp_path_factory.mktemp("home")
    own = ("HF_HUB_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TRANSFORMERS_OFFLINE")
    env = {k: v for k, v in os.environ.items() if k not in own}
    with serve(hub) as address:
        env |= {"HF_ENDPOINT": address, "HF_HOME": str(home), "TUNESMITH_RUNS": str(home / "runs"), "NO_PROXY": "*",
                "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", CHILD], input=json.dumps(ASKED), cwd=ROOT, env=env, capture_output=True, text=True,
            encoding="utf-8", timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert GOOD not in done.stdout + done.stderr and "hf_wrong" not in done.stdout + done.stderr
    kept = [p for p in home.rglob("*") if p.is_file()]
    assert kept and not any(GOOD.encode() in p.read_bytes() for p in kept)
    return dict(map(json.loads, done.stdout.splitlines())), hub.asked


@pytest.mark.parametrize(("key", "numbers"), [
    ("plain", "1 2"), ("plain test", "3"), ("plain slice", "2"), ("plain default", "1 2"), ("parts", "1 2 3"),
    ("parts test", "4"), ("configs", "1 2"), ("configs test", "3"), ("configs hard", "5"), ("configs dev", "6"),
    ("folders en", "2"), ("names", "1"), ("names test", "2"), ("chat sft", "1"), ("script", "1 2"),
    ("script test", "3"), ("script partial", "4"), ("private token", "7"), ("gated token", "8"), ("machine", "7"),
    ("stranger token", "7"),
])  # fmt: skip
def test_the_rows_of_a_set(answers, key, numbers):
    assert answers[0][key].get("n") == numbers, answers[0][key]
    assert answers[0][key]["name"] == ASKED[key][0].split("/")[1]


@pytest.mark.parametrize(("key", "field", "words"), [
    ("plain none", "data.split", "no split 'dev' in own/plain"),
    ("plain wrong", "data.name", "There is no configuration 'de'"),
    ("configs wrong", "data.name", "no configuration 'hrad'. Did you mean 'hard'? Known: easy, hard."),
    ("configs no split", "data.split", "There is train and test."),
    ("folders", "data.name", "several configurations: choose one of de and en"),
    ("folders wrong", "data.name", "Known: de, en"),
    ("chat", "data.split", "no split train: say which is meant of test_sft and train_sft"),
    ("script none", "data.name", "choose one of a and b"),
    ("nothing", "data.path", "has no file that can be read"),
    ("missing", "data.path", "There is no data set 'own/missing'"),
    ("private", "data.path", "One that is private needs a token"),
    ("private again", "data.path", "One that is private needs a token"),
    ("private wrong", "data.path", "the token (HF_TOKEN, or the one typed in) is not accepted"),
    ("gated", "data.path", "is gated: accept its terms"),
    ("forbidden", "data.path", "refuses the data set 'own/forbidden' (403)"),
    ("broken", "data.path", "answered 503"),
    ("huge", "data.path", "has 90 GB in 1 files"),
    ("stranger", "data.path", "One that is private needs a token"),
])  # fmt: skip
def test_what_is_wrong_with_a_set(answers, key, field, words):
    found = answers[0][key]
    assert words in found.get("error", ""), found
    assert found["field"] == field and len(found["error"].splitlines()) == 1


@pytest.mark.parametrize("key", ["model", "model private token", "model gated token", "model older name", "model kept",
                                 "model machine", "model stranger token"])  # fmt: skip
def test_a_model_that_may_be_read(answers, key):
    found = answers[0][key]
    said = ["mit", None] if key in ("model", "model kept") else ["", None]
    assert found == {"n": "llama", "commit": commit_of("main"), "said": said}


def test_a_model_of_the_catalogue_is_known_before_its_weights_are_fetched(answers):
    assert answers[0]["model known"]["said"] == ["Apache 2.0", 596_049_920]


@pytest.mark.parametrize(("key", "field", "words"), [
    ("model revision", "model.revision", "has no revision 'v9'"),
    ("model pickled", "model.path", "no weights in safetensors format; its pytorch_model.bin can hold code"),
    ("model slow", "model.path", "has vocab.json but no tokenizer.json"),
    ("model none", "model.path", "has no tokenizer.json"),
    ("model missing", "model.path", "neither a model folder here nor an open repository on the Hub"),
    ("model private", "model.path", "private needs a token (HF_TOKEN, or typed in)"),
    ("model wrong token", "model.path", "the one typed in) is not accepted"),
    ("model gated", "model.path", "accept its terms on its page on the Hub, then give a token of that account"),
    ("model forbidden", "model.path", "refuses the model 'own/forbidden' (403)"),
    ("model not kept", "model.path", "the Hugging Face Hub cannot be reached"),
    ("model stranger", "model.path", "the Hugging Face Hub cannot be reached"),
    ("model stranger machine", "model.path", "private needs a token"),
    ("model stranger sha", "model.path", "private needs a token"),
    ("model stranger again", "model.path", "private needs a token"),
])  # fmt: skip
def test_what_is_wrong_with_a_model(answers, key, field, words):
    found = answers[0][key]
    assert words in found.get("error", ""), found
    assert found["field"] == field and len(found["error"].splitlines()) == 1


def test_notes_say_what_was_chosen(answers):
    notes = {key: " ".join(found.get("notes", [])) for key, found in answers[0].items()}
    assert "The configuration easy is read, of 2." in notes["configs"]
    assert "The files of the split train are read; there is test too." in notes["plain"]
    assert "2 files, read one after another" in notes["parts"]
    assert "is a script, which is not run" in notes["script"]
    assert "only the first part" in notes["script partial"]


def test_the_hub_is_not_asked_anew_and_files_are_fetched_once(answers):
    listings = [a for a in answers[1] if a.startswith("GET /api/datasets/own/plain")]
    assert len(listings) == 6  # for None (asked twice), test, train, dev, and the configurations de and default
    fetched = [a for a in answers[1] if a.startswith("GET /datasets/own/plain") and "train.csv" in a]
    assert len(fetched) == 1


def test_a_token_is_of_its_session(monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert token_mark() == ""
    with session_token(" one "):
        one = token_mark()
        with session_token("two"):
            assert token_mark() not in ("", one)
        assert token_mark() == one and "one" not in one
    with session_token(None):
        assert token_mark() == ""
    monkeypatch.setenv("HF_TOKEN", "machine")
    assert token_mark() != ""
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert token_mark() == ""


def test_a_token_that_is_none_is_refused_without_being_shown():
    with pytest.raises(InputError, match="holds a character that no token has") as error, session_token("hf_x\ny"):
        pass
    assert "hf_x" not in str(error.value)

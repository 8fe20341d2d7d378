"""Play: a package and PyTorch asked the same; in this process, in the worker's, and on the command line."""

import json
import os
import shutil
from types import SimpleNamespace

import psutil
import pytest

from core.__main__ import main
from core.errors import InputError
from core.export import several, targets
from core.export.make import make
from core.export.options import Options
from core.export.play import Speech, Warm
from core.models.heads import LABEL, TAGS, VECTOR
from core.runs.playing import PlayWorker, Side, form
from core.runs.state import Stopped
from tests import factory
from tests.conftest import ROOT
from tests.core.export import heads
from tests.core.export.runs import tuned

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A run on the demo model in fp32, and two runs on one base in one package."""
    place = tmp_path_factory.mktemp("play")
    before = os.environ.get("TUNESMITH_RUNS")
    os.environ["TUNESMITH_RUNS"] = str(place / "runs")
    try:
        rows = factory.write_jsonl(place / "rows.jsonl", factory.tone_rows(24))
        one = tuned(
            ROOT / "assets" / "demo-model", rows, 1, "demo", settings={"r": 4}, evaluation={"max_new_tokens": 24}
        )
        make(str(one.dir), Options("cpu", "fp32"), one.export_dir("cpu", "fp32"), rows=2)
        base = factory.tiny_model("llama", place / "llama")
        talks = [
            {"messages": [{"role": "user", "content": row["phrase"]}, {"role": "assistant", "content": row["tone"]}]}
            for row in factory.tone_rows(24)
        ]
        talks = factory.write_jsonl(place / "talks.jsonl", talks)
        two = [tuned(base, rows, 1, "tone", settings={"r": 4}), tuned(base, talks, 2, "chat", template=None)]
        several.make_several([run.id for run in two], Options("cpu", "fp32"), two[0].export_dir("cpu", "fp32"), rows=2)
        yield SimpleNamespace(demo=one, tone=two[0], chat=two[1])
    finally:
        os.environ.pop("TUNESMITH_RUNS") if before is None else os.environ.update(TUNESMITH_RUNS=before)


@pytest.fixture
def runs(here, monkeypatch):
    """The same, with their folder in the environment of the test."""
    monkeypatch.setenv("TUNESMITH_RUNS", str(here.demo.dir.parent))
    return here


@pytest.fixture(scope="module")
def warm():
    return Warm()


def question(of, text="The lake lies still tonight.", **more):
    asked = {"package": str(of.export_dir("cpu", "fp32")), "run": str(of.dir), "text": text, "fields": {}}
    return asked | {"history": [], "adapter": None, "max_new_tokens": None} | more


def test_both_answer_the_same_piece_by_piece(runs, warm):
    said = []
    found = warm.answer(question(runs.demo), said.append)
    assert found["same"] is True and found["onnx"]["text"] == found["pytorch"]["text"] != ""
    assert [word["state"] for word in said if "state" in word] == [
        "loading the package", "the package answers", "loading PyTorch's model", "PyTorch answers",
    ]  # fmt: skip
    for side in ("onnx", "pytorch"):
        one = Side(**found[side])
        pieces = [word["piece"] for word in said if word.get("side") == side]
        assert "".join(pieces).strip() == one.text and len(pieces) > 1
        assert 1 < one.tokens <= 24 and one.answer is None and not one.error
        assert 0 < one.first_token_seconds < one.seconds
        assert one.tokens_per_second == pytest.approx(one.tokens / one.seconds)
    said.clear()
    again = warm.answer(question(runs.demo, max_new_tokens=3), said.append)
    assert [word["state"] for word in said if "state" in word] == ["the package answers", "PyTorch answers"]
    assert again["onnx"]["tokens"] == 3 and again["loading"] < found["loading"]


def test_adapters_are_switched_and_the_base_has_its_own_model(runs, warm):
    texts = {}
    talk = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "calm"}]
    for name, adapter, history in (("a", "tone", []), ("b", "chat", []), ("c", "chat", talk), ("d", "base", [])):
        found = warm.answer(question(runs.tone, adapter=adapter, history=history))
        assert found["same"] is True, name
        texts[name] = found["onnx"]["text"]
    assert len(set(texts.values())) == 4, "each has its own answer, and the history counts"
    with pytest.raises(InputError, match="Write something first"):
        warm.answer(question(runs.tone, " ", adapter="chat"))
    with pytest.raises(InputError, match="no adapter 'x'"):
        warm.answer(question(runs.tone, adapter="x"))
    assert form(runs.tone.export_dir("cpu", "fp32")).adapters == ["tone", "chat", "base"]
    assert form(runs.tone.export_dir("cpu", "fp32")).fields == ["phrase"]
    chat = form(runs.tone.export_dir("cpu", "fp32"), "chat")
    assert chat.chat and chat.fields == [] and chat.kind == "writer"
    assert warm.answer(question(runs.demo))["same"] is True, "another package, with a library of the same name"


def test_what_is_wrong_is_said_and_the_next_is_answered(runs, warm, tmp_path):
    for more, why in (
        ({"fields": {"phrse": "x"}}, "no field 'phrse'"),
        ({"text": ""}, "Fill in phrase first"),
        ({"max_new_tokens": 5000}, "ask for 1 to 2,048"),
        ({"package": str(tmp_path / "none")}, "export the run first"),
    ):
        with pytest.raises(InputError, match=why):
            warm.answer(question(runs.demo, **more))
    damaged = tmp_path / "damaged"
    shutil.copytree(runs.demo.export_dir("cpu", "fp32"), damaged)
    (damaged / "tokenizer.json").write_text((damaged / "tokenizer.json").read_text() + " ")
    with pytest.raises(InputError, match=r"damaged \(tokenizer.json missing or changed\)"):
        warm.answer(question(runs.demo, package=str(damaged)))
    (damaged / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=r"damaged \(tokenizer.json missing or changed\)"):
        warm.answer(question(runs.demo, package=str(damaged)))
    shutil.copyfile(runs.demo.export_dir("cpu", "fp32") / "tokenizer.json", damaged / "tokenizer.json")
    settings = json.loads((damaged / "tunesmith.json").read_text())
    (damaged / "tunesmith.json").write_text(json.dumps(settings | {"device": "cuda", "precision": "bf16"}))
    if not targets.target("cuda").verifiable("writer")[0]:
        with pytest.raises(InputError, match="A package for CUDA does not answer on this machine"):
            warm.answer(question(runs.demo, package=str(damaged)))
    (damaged / "tunesmith.json").write_text(json.dumps(settings | {"device": "webgpu"}))
    assert warm.answer(question(runs.demo, package=str(damaged)))["same"] is True, "the processor stands in"
    (damaged / "run.py").unlink()
    for content, why in (
        (json.dumps(settings), r"damaged \(run.py missing"),
        ("{", "tunesmith.json is missing or damaged"),
    ):
        (damaged / "tunesmith.json").write_text(content)
        with pytest.raises(InputError, match=why):
            warm.answer(question(runs.demo, package=str(damaged)))
    lost = warm.answer(question(runs.demo, run="20200101-000000-gone"))
    assert lost["onnx"]["tokens"] and lost["same"] is None and "There is no run" in lost["pytorch"]["error"]
    with pytest.raises(Stopped):
        warm.answer(question(runs.demo), gone=lambda: True)
    assert warm.answer(question(runs.demo))["same"] is True
    with pytest.raises(InputError, match="export the run first"):
        form(tmp_path / "none")


def test_the_worker_streams_is_interrupted_and_stays_warm(runs):
    worker = PlayWorker(idle_minutes=2)
    try:
        pieces, states = [], []
        found = worker.play(
            runs.demo, "cpu", "fp32", "Tea first, then the letters.",
            on_piece=lambda side, piece: pieces.append((side, piece)), on_state=states.append,
        )  # fmt: skip
        assert states[:2] == ["starting", "loading the package"] and found.same
        for side in (found.onnx, found.pytorch):
            assert "".join(piece for name, piece in pieces if name == side.side).strip() == side.text
        pid, pieces[:] = worker._process.pid, []
        with pytest.raises(InputError, match="withdrawn"):
            worker.play(
                runs.demo, "cpu", "fp32", "Tea", max_new_tokens=2048,
                on_piece=lambda side, piece: pieces.append(piece), should_stop=lambda: len(pieces) > 2,
            )  # fmt: skip
        assert 2 < len(pieces) < 1000
        with pytest.raises(ZeroDivisionError):  # a page that fails in the middle of an answer
            worker.play(runs.demo, "cpu", "fp32", "Tea", on_piece=lambda side, piece: 1 / 0)
        with pytest.raises(InputError, match="no field 'tone2'"):
            worker.play(runs.demo, "cpu", "fp32", fields={"tone2": "x"})
        again = worker.play(runs.demo, "cpu", "fp32", "Tea first, then the letters.")
        assert again.onnx.text == found.onnx.text and worker._process.pid == pid
        psutil.Process(pid).kill()
        psutil.wait_procs([psutil.Process(pid)], timeout=30) if psutil.pid_exists(pid) else None
    finally:
        worker.close()


def test_the_command_line(runs, capfd):
    assert main(["play", runs.demo.id, "So glad that you came", "--precision", "fp32"]) == 0
    shown = capfd.readouterr().out
    assert shown.startswith("ONNX ") and "tokens/s" in shown and "Both answers are the same." in shown
    assert main(["play", runs.demo.id, "hello", "--precision", "int8"]) == 2
    assert "no package cpu-int8 to ask: export the run first. There are: cpu-fp32" in capfd.readouterr().err
    assert main(["play"]) == 2
    assert main(["play", runs.demo.id, "--field", "phrase=hello", "--precision", "fp32", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["same"] is True


@pytest.mark.parametrize(
    ("head", "more", "kind"),
    [
        (LABEL, {"text": "The lake lies still tonight"}, "label"),
        (TAGS, {"text": "Ada Lovelace lives in Ghent."}, "tags"),
        (VECTOR, {"text": "", "fields": {"sentence1": "Tea first", "sentence2": "Tea, then letters"}}, "similarity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_read_answer_in_figures(tmp_path, runs_dir, tiny_models, head, more, kind):
    run = heads.run_of(tiny_models("distilbert"), head, "lora", folder=tmp_path)
    make(str(run.dir), Options("cpu", "fp32"), run.export_dir("cpu", "fp32"), rows=2)
    assert form(run.export_dir("cpu", "fp32")).kind == "reader"
    found = Warm().answer(question(run, **more))
    assert found["same"] is True
    for side in (Side(**found["onnx"]), Side(**found["pytorch"])):
        assert side.text and side.tokens is None and side.seconds > 0 and kind in side.answer
        assert "vectors" not in side.answer, "nobody reads those"
    one, other = found["onnx"]["answer"], found["pytorch"]["answer"]
    if head is LABEL:
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4) and len(one["scores"]) == 4
    if head is VECTOR:
        assert one["similarity"] == pytest.approx(other["similarity"], abs=1e-4) and one["width"] == 64


def test_a_character_of_several_tokens_comes_when_it_is_whole():
    texts = ["", "a", "a\ufffd", "a\ufffd", "a東"]
    said = []
    speech = Speech("onnx", lambda ids: texts[len(ids)], said.append)
    for token in range(4):
        speech.add(token)
    assert speech.told()["text"] == "a東" and [word["piece"] for word in said] == ["a", "東"]

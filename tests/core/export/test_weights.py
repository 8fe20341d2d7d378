"""Merged weights, adapters and GGUF files of whole runs: written, loaded in a fresh process, compared, packed."""

import json
import zipfile
from pathlib import Path

import pytest

from core.errors import InputError
from core.export import formats, make_format, weights
from core.export.proof import formats as proof
from core.export.proof import loaded
from tests import factory


def make(run, name: str, precision: str | None = None, **more):
    _, precision = formats.check(name, precision)
    return make_format.make(str(run.dir), name, precision, run.export_dir(name, precision), **more)


@pytest.fixture
def near(monkeypatch):
    """What is asked of a fresh process is asked of this one: the comparison itself takes a fraction of a second."""
    monkeypatch.setattr(loaded, "ask", lambda folder, request: json.loads(json.dumps(loaded._answer(folder, request))))


# In a fresh process


@pytest.mark.slow
@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_a_run_in_every_format(tuned_run, tiny_llama, name, tmp_path):
    run = tuned_run(tiny_llama)
    report = make(run, name)
    _, precision = formats.check(name, None)
    out = run.export_dir(name, precision)
    assert report["status"] == "verified", report["message"]
    assert report["rows"] == 4 and report["rows_from"].startswith("validation rows of ")
    assert report["same"] == report["greedy_match"] == 1.0 and report["load_seconds"] > 0
    assert report["max_logit_difference"] < (0.02 if name == "gguf" else 1e-4)
    assert report["metric"]["name"] == "accuracy" and report["texts"]["differ"] == 0 < report["texts"]["compared"]
    assert report["bytes"] == sum(p.stat().st_size for p in out.iterdir() if p.suffix in (".safetensors", ".gguf")) > 0
    [found] = formats.exports(run)
    assert found["format"] == name and found["report"]["status"] == "verified" and found["zip"].is_file()
    with zipfile.ZipFile(found["zip"]) as archive:
        names = {Path(n).name: archive.read(n) for n in archive.namelist()}
    assert set(names) >= {"README.md", "tunesmith.json"} and "report.json" not in names
    for file, content in names.items():
        for place in (str(tmp_path), str(Path.home()), "site-packages"):
            assert place.encode() not in content, f"{file} names {place}"
    said = json.loads(names["tunesmith.json"])
    assert set(said["files"]) == set(names) - {"README.md", "tunesmith.json"} and said["precision"] == precision
    card = names["README.md"].decode()
    assert report["message"] in card and card.startswith("---\nlibrary_name: ") and "base_model" not in card
    assert "tiny-llama" in card and "```yaml" in card


# What comes out


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision(tuned_run, tiny_llama, near, precision):
    import torch

    run = tuned_run(tiny_llama)
    report = make(run, "safetensors", precision)
    assert report["status"] in ("verified", "verified with loss") and report["max_logit_difference"] > 1e-4
    model, _ = weights.open_merged(run.export_dir("safetensors", precision), run_head("causal_lm"))
    assert (
        model.dtype is weights.DTYPES[precision] is getattr(torch, {"bf16": "bfloat16", "fp16": "float16"}[precision])
    )


def run_head(name: str):
    from core.models.heads import HEADS

    return HEADS[name]


def test_weights_too_large_for_half_precision(tmp_path, tuned_run):
    import torch

    from core.models.load import load_base

    folder = factory.tiny_model("llama", tmp_path / "m")
    model = load_base(str(folder))
    with torch.no_grad():
        model.model.embed_tokens.weight[7, 3] = 1e6
    model.save_pretrained(folder)
    with pytest.raises(InputError, match="embed_tokens.weight does not fit into fp16: choose bf16 or fp32"):
        weights.write_merged(str(folder), tmp_path / "work", tmp_path / "out", "fp16", run_head("causal_lm"))


def test_a_model_that_was_tuned_whole(tuned_run, tiny_llama, near):
    run = tuned_run(tiny_llama, "full")
    assert make(run, "safetensors")["status"] == "verified"
    with pytest.raises(InputError, match="tuned whole, so it has no adapter: take the merged safetensors"):
        make(run, "adapter")
    assert [found["format"] for found in formats.exports(run)] == ["safetensors"]


def test_an_adapter_names_its_base_and_no_folder_of_this_machine(tuned_run, tiny_llama, near):
    run = tuned_run(tiny_llama)
    make(run, "adapter")
    out = run.export_dir("adapter", "fp32")
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == tiny_llama.name
    assert "PeftModel.from_pretrained(base, FOLDER)" in (out / "README.md").read_text("utf-8")
    assert weights.public_name("owner/base") == "owner/base" == weights.hub_id("owner/base")
    assert weights.hub_id(str(tiny_llama)) == ""


def test_an_adapter_that_lies_alone_takes_the_tokenizer_of_its_base(tiny_llama, tmp_path, near):
    from tests.core.methods.test_merge import tuned

    tuned(tiny_llama, tmp_path / "a", name="lora")
    report = make_format.make(str(tmp_path / "a"), "adapter", "fp32", tmp_path / "out")
    assert report["status"] == "verified" and report["rows_from"].startswith("neutral sentences")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (tiny_llama / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("template", [None, "llama-3"])
def test_a_chat_becomes_gguf_with_its_template(tuned_run, tiny_llama, near, template):
    run = tuned_run(tiny_llama, template=template)
    report = make(run, "gguf", "f32")
    assert report["status"] == "verified", report["message"]
    out = run.export_dir("gguf", "f32")
    assert "{{ .Prompt }}" in (out / "Modelfile").read_text("utf-8")
    assert "llama-cli -m rows-LoRA-r-16-F32.gguf" in (out / "README.md").read_text("utf-8")


def test_an_encoder_decoder(tmp_path, tiny_models, near):
    report = make_format.make(str(tiny_models("t5")), "safetensors", "fp32", tmp_path / "out")
    assert report["status"] == "verified" and report["rows_from"].startswith("neutral sentences")
    with pytest.raises(InputError, match="GGUF is written for models that write text after a prompt"):
        make_format.make(str(tiny_models("t5")), "gguf", "f32", tmp_path / "other")
    assert not (tmp_path / "other").exists()


# What is wrong is seen


def test_a_corrupted_weight_turns_it_red(tuned_run, tiny_llama, near, monkeypatch):
    run = tuned_run(tiny_llama)
    assert make(run, "safetensors")["status"] == "verified"
    out = run.export_dir("safetensors", "fp32")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    real = weights.write_merged

    def other(target, work, into, precision, head):
        real(str(factory.tiny_model("llama", work / "other", seed=7)), work, into, precision, head)

    monkeypatch.setattr(weights, "write_merged", other)
    report = make(run, "safetensors")
    assert report["status"] == "failed" and report["exit"] == 1 and "should agree" in report["message"]
    [found] = formats.exports(run)
    assert found["failed"]["status"] == "failed" and found["report"]["status"] == "verified"
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != "failed.json"} == before, (
        "what stood there stands"
    )


def test_a_swapped_tokenizer_turns_it_red(tuned_run, tiny_llama, tmp_path, near, monkeypatch):
    run = tuned_run(tiny_llama)
    real = weights.write_merged
    other = factory.write_tokenizer(tmp_path / "t", "unigram")

    def swapped(target, work, into, precision, head):
        real(target, work, into, precision, head)
        (into / "tokenizer.json").write_bytes((other / "tokenizer.json").read_bytes())

    monkeypatch.setattr(weights, "write_merged", swapped)
    report = make(run, "safetensors")
    assert report["status"] == "failed" and "Its tokenizer cuts" in report["message"]


@pytest.mark.slow
def test_what_does_not_load_has_failed(tuned_run, tiny_llama, monkeypatch):
    run = tuned_run(tiny_llama)
    real = weights.write_adapter

    def torn(folder, into):
        real(folder, into)
        (into / "adapter_model.safetensors").write_bytes(b"no weights")

    monkeypatch.setattr(weights, "write_adapter", torn)
    report = make(run, "adapter")
    assert report["status"] == "failed" and report["message"].startswith("What was written does not load: ")
    assert not run.export_dir("adapter", "fp32").with_suffix(".zip").exists()


def test_texts_that_are_cut_otherwise_are_a_loss_or_a_failure():
    class Subject:
        chat, ends = None, [4]

    texts = [["odd", True, [1]]] * (len(proof.ODD_TEXTS) + 1) + [["prompt", False, [2]]] * 10
    found = {"chat_template": None, "tokens": {"eos": 4}, "other_texts": []}

    def judged(name, others):
        return proof._tokenizer(Subject(), name, found | {"other_texts": others}, texts, "verified", "Fine.")

    assert judged("gguf", []) == ("verified", "Fine.")
    assert judged("gguf", [0])[0] == "verified with loss" and "cuts 1 of 23 texts otherwise" in judged("gguf", [0])[1]
    assert judged("gguf", [21, 22])[0] == "failed", "two of ten prompts"
    assert judged("safetensors", [0])[0] == "failed", "there it is the same file"
    assert proof._tokenizer(Subject(), "gguf", found | {"chat_template": "x"}, texts, "verified", "")[0] == "failed"
    assert proof._tokenizer(Subject(), "gguf", found | {"tokens": {"eos": 9}}, texts, "verified", "")[0] == "failed"


# The card


def test_the_card_names_a_base_that_the_hub_knows(tuned_run, tiny_llama, tmp_path, monkeypatch):
    import yaml

    from core.export import format_card
    from core.export.subject import Found, open_subject

    subject = open_subject(str(tuned_run(tiny_llama).dir))
    monkeypatch.setattr(Found, "named", "owner/base")
    monkeypatch.setattr(Found, "licence", "apache-2.0")
    report = dict.fromkeys(("max_logit_difference", "metric")) | {
        "precision": "fp32", "message": "All.", "status": "verified", "rows": 3, "rows_from": "rows", "same": 1.0,
        "bytes": 10, "texts": {"compared": 5, "differ": 0},
    }  # fmt: skip
    for name, relation in (("safetensors", "finetune"), ("adapter", "adapter")):
        text = format_card.readme(formats.FORMATS[name], subject, report, {}, tmp_path)
        front = yaml.safe_load(text.split("---")[1])
        assert front["base_model"] == "owner/base" and front["base_model_relation"] == relation
        assert front["license"] == "apache-2.0" and front["pipeline_tag"] == "text-generation"
        assert front["tags"] == ["tunesmith", name] and "5 of 5" in text


# Refused, stopped


def test_formats_and_precisions_that_there_are_not():
    with pytest.raises(
        InputError, match="no format 'gguv'. Did you mean 'gguf'.*onnx, safetensors, adapter, gguf"
    ) as no:
        formats.check("gguv", None)
    assert no.value.field == "export.format"
    with pytest.raises(InputError, match="GGUF has no precision 'int4'. Known: q8_0, f32, f16, q4_0"):
        formats.check("gguf", "int4")
    assert formats.check("safetensors", None)[1] == "fp32"


def test_a_family_that_gguf_has_not_is_refused_before_anything_is_loaded(tuned_run, tmp_path, monkeypatch):
    from core.models import load

    folder = factory.tiny_model("llama", tmp_path / "m", attention_bias=True)
    run = tuned_run(folder)
    monkeypatch.setattr(load, "load_run", lambda *a, **k: pytest.fail("it was loaded"))
    with pytest.raises(InputError, match="cannot say attention_bias"):
        make(run, "gguf")


def test_a_full_disk_leaves_the_earlier_file(tuned_run, tiny_llama, near, monkeypatch):
    import gguf

    from core.runs.failures import explain

    run = tuned_run(tiny_llama)
    make(run, "gguf")
    out = run.export_dir("gguf", "q8_0")
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(self, tensor, endianess=None):
        raise OSError("8 requested and 3 written")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    with pytest.raises(OSError, match="No space left") as caught:
        make(run, "gguf")
    assert explain(caught.value, out)[0] == "disk_full"
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert sorted(p.name for p in out.parent.iterdir()) == ["gguf-q8_0", "gguf-q8_0.zip"], "nothing is left behind"


def test_a_stop_leaves_nothing(tuned_run, tiny_llama, near):
    from core.runs.state import Stopped

    run = tuned_run(tiny_llama)
    said: list[str] = []
    with pytest.raises(Stopped):
        make(run, "gguf", say=said.append, should_stop=lambda: "building" in said)
    assert said == ["loading", "asking PyTorch", "building"]
    assert list((run.dir / "export").iterdir()) == []

"""Whole exports: built, loaded in a fresh process, compared, packed; and what is left when one does not get through."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.errors import InputError
from core.export import bundle, exports, make, targets
from core.export.graphs import builder
from core.export.options import Options
from core.export.proof import written
from tests import factory

pytestmark = pytest.mark.slow


def build(run, device="cpu", precision="fp32", **more):
    out = run.export_dir(device, precision)
    return make.make(str(run.dir), Options(device, precision), out, **more)


def ask(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the package's own script somewhere else, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in bundle.package_files(folder)}


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
def test_a_run_becomes_a_package_that_answers_the_same(tuned_run, tiny_llama, precision):
    run = tuned_run(tiny_llama)
    report = build(run, precision=precision)
    out = run.export_dir("cpu", precision)
    assert report["rows"] == len(run_validation(run))
    assert report["rows_from"].startswith("validation rows of ")
    assert report["bytes"] == bundle.model_bytes(out) > 0
    assert report["metric"]["name"] == "accuracy"
    assert report["tokens_per_second"]["onnx"] > 0
    if precision == "fp32":
        assert report["status"] == "verified" and report["greedy_match"] == 1.0
        assert report["max_logit_difference"] < 1e-4
    else:
        assert report["status"] in ("verified", "verified with loss")
        assert 1e-4 < report["max_logit_difference"] < report["logit_range"]
    assert exports(run)[0]["report"]["status"] == report["status"]


def run_validation(run):
    from core.data.sources import open_data
    from core.data.split import split_source

    return split_source(open_data(run.config().data.path), run.config()).validation


@pytest.mark.parametrize("family", ["smollm", "mistral", "qwen2", "qwen3", "phi3", "gemma2", "gemma3_text"])
def test_every_family_in_fp32(tmp_path, tiny_models, family):
    report = make.make(str(tiny_models(family)), Options("cpu", "fp32"), tmp_path / "out")
    assert report["status"] == "verified", report["message"]
    assert report["max_logit_difference"] < 5e-3
    assert report["rows_from"].startswith("neutral sentences")


@pytest.mark.parametrize("family", ["mistral", "phi3", "gemma2", "gemma3_text"])
def test_texts_longer_than_the_sliding_window(tmp_path, family):
    layers = {"layer_types": ["sliding_attention", "full_attention"]} if family.startswith("gemma") else {}
    model = factory.tiny_model(family, tmp_path / family, sliding_window=12, **layers)
    report = make.make(str(model), Options("cpu", "fp32"), tmp_path / "out")
    assert report["status"] == "verified", report["message"]


@pytest.mark.parametrize("device", ["cuda", "tensorrt-rtx", "dml"])
def test_packages_for_other_devices_are_built_and_labelled(tmp_path, tiny_models, device):
    target = targets.TARGETS[device]
    if target.verifiable()[0]:
        pytest.skip("this machine can run it")
    for precision in ("fp16", "int4"):
        report = make.make(str(tiny_models("qwen2")), Options(device, precision), tmp_path / precision)
        assert report["status"] == "not verified here" and report["message"].startswith("Built, and not run on")
        assert report["on_processor"]["status"] in ("verified", "verified with loss"), report["on_processor"]
        assert report["max_logit_difference"] is not None, "the graph itself was compared on the processor"
        config = json.loads((tmp_path / precision / "genai_config.json").read_text())
        assert target.builder in config["model"]["decoder"]["session_options"]["provider_options"][0]
        wanted = targets.TARGETS[device].requirements[0]
        assert wanted in (tmp_path / precision / "requirements.txt").read_text()
        assert "It was never run on" in (tmp_path / precision / "README.md").read_text()


def test_all_precisions_ask_pytorch_once_and_one_is_recommended(tuned_run, tiny_llama, monkeypatch):
    from core.export.makers import writer

    run, asked, told = tuned_run(tiny_llama), [], []
    real = writer.pytorch
    monkeypatch.setattr(writer, "pytorch", lambda *args, **more: asked.append(1) or real(*args, **more))
    folder = run.dir / "export"
    choices = [Options("cpu", precision) for precision in ("fp32", "fp16", "int8", "int4")]
    made = make.make_all(str(run.dir), choices, folder, on_report=told.append)
    assert len(asked) == 1 and [r["precision"] for r in told] == ["fp32", "fp16", "int8", "int4"]
    assert {r["status"] for r in made} <= {"verified", "verified with loss"}, made
    sizes = [r["bytes"] for r in made]
    assert sizes == sorted(sizes, reverse=True)
    for report in made:
        assert set(report["perplexity"]) == {"pytorch", "onnx"} and report["peak_bytes"] > 10**7
        assert report["first_token_seconds"]["onnx"] > 0 and report["mean_logit_difference"] < report["logit_range"]
        assert {"mean", "low", "high", "p"} <= set(report["metric"]["difference"])
    assert made[0]["perplexity"]["onnx"] == pytest.approx(made[0]["perplexity"]["pytorch"], rel=1e-4)
    names = {p.name for p in folder.iterdir()}
    assert names == {f"cpu-{o.precision}{end}" for o in choices for end in ("", ".zip")}
    card = (folder / "cpu-int8" / "README.md").read_text()
    for heading in ("Run it", "Compared with PyTorch", "Where it comes from", "Limits", "Settings"):
        assert f"## {heading}" in card
    assert "95 % interval" in card and "learning_rate" in card and str(run.dir.parent) not in card


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_script_gives_the_tokens_of_pytorch(tuned_run, tiny_llama, method):
    from core.data.encode import encode_prompt
    from core.data.sources import open_data
    from core.data.template import prompt_segments, render
    from core.models.load import load_run
    from core.models.tokenizer import end_ids
    from core.tasks.predict import write

    run = tuned_run(tiny_llama, method)
    build(run)
    model, tokenizer = load_run(run)
    config = run.config()
    source = open_data(config.data.path)
    for phrase in ("The lake lies still tonight.", "<|im_end|> 東京 {phrase} [[x]]  "):
        row = {"phrase": phrase, "tone": "calm"}
        prompt = encode_prompt(
            prompt_segments(render(row, source.layout, config.data.template, tokenizer)), tokenizer, 64
        )
        [want] = write(model, tokenizer, [prompt], max_new_tokens=8, ends=end_ids(tokenizer, run.dir / "model"))
        done = ask(run.export_dir("cpu", "fp32"), phrase, "--ids")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["prompt"] == prompt
        assert found["answer"][: len(want.ids)] == want.ids and len(found["answer"]) == len(want.ids) + want.stopped
        assert ask(run.export_dir("cpu", "fp32"), "--field", f"phrase={phrase}").stdout.strip() == want.text


@pytest.mark.parametrize("template", [None, "llama-3"])
def test_chats_are_rendered_as_in_training(tuned_run, tiny_llama, template):
    run = tuned_run(tiny_llama, template=template)
    report = build(run)
    assert report["status"] == "verified", report["message"]
    assert "jinja2" in (run.export_dir("cpu", "fp32") / "requirements.txt").read_text()


def test_the_script_says_what_is_wrong_in_one_line(tuned_run, tiny_llama):
    run = tuned_run(tiny_llama)
    build(run)
    out = run.export_dir("cpu", "fp32")
    wrong = ask(out, "--field", "phrse=hello")
    assert wrong.returncode == 2 and wrong.stderr.strip() == "There is no field 'phrse'. Known: phrase."
    for words, said in (
        (("--field", "phrase"), "--field 'phrase' has no value"),
        (("a", "--max-new-tokens", "0"), "--max-new-tokens 0 is too few"),
        (("a", "--on", "GPU"), "A package for cpu runs there, or with --on cpu on this processor; not on 'GPU'."),
    ):
        wrong = ask(out, *words)
        assert wrong.returncode == 2 and said in wrong.stderr and len(wrong.stderr.splitlines()) == 1
    assert ask(out, "--check").returncode == 0
    (out / "tokenizer.json").write_text("{}")
    damaged = ask(out, "--check")
    assert damaged.returncode == 1 and damaged.stdout == "Missing or changed: tokenizer.json.\n"
    asked = ask(out, "a")
    assert asked.returncode == 1
    assert asked.stderr == "The package is damaged (tokenizer.json missing or changed): make it again.\n"
    (out / "tunesmith.json").write_text("{")
    for words in (("--check",), ("a",)):
        asked = ask(out, *words)
        assert asked.returncode == 2 and asked.stderr.startswith("tunesmith.json is missing or damaged")


def test_nothing_of_this_machine_is_in_the_package(tuned_run, tiny_llama, tmp_path):
    run = tuned_run(tiny_llama)
    build(run, precision="int8")
    out = run.export_dir("cpu", "int8")
    places = [str(tmp_path), str(bundle.ROOT), "site-packages", str(Path.home())]
    for name, content in everything(out).items():
        for place in places:
            assert place.encode() not in content, f"{name} names {place}"
    with zipfile.ZipFile(out.with_name("cpu-int8.zip")) as archive:
        names = archive.namelist()
        assert all(place.encode() not in archive.read(n) for n in names for place in places)
    assert not any(Path(n).name in ("report.json", "state.json") or n.startswith("/") for n in names)


def test_the_same_run_gives_the_same_zip(tuned_run, tiny_llama):
    run = tuned_run(tiny_llama)
    build(run)
    archive = run.export_dir("cpu", "fp32").with_name("cpu-fp32.zip")
    first = archive.read_bytes()
    build(run)
    assert archive.read_bytes() == first


def test_the_download_runs_where_it_is_unpacked(tuned_run, tiny_llama, tmp_path):
    run = tuned_run(tiny_llama)
    build(run)
    place = tmp_path / "a place with ünicode"
    with zipfile.ZipFile(run.export_dir("cpu", "fp32").with_name("cpu-fp32.zip")) as archive:
        archive.extractall(place)
    [folder] = place.iterdir()
    assert ask(folder, "--check").returncode == 0
    done = ask(folder, "The party was a delight.")
    assert done.returncode == 0, done.stderr


def test_batches_filled_on_the_right(tuned_run, tiny_llama):
    import onnxruntime_genai as og

    run = tuned_run(tiny_llama)
    build(run)
    out = run.export_dir("cpu", "fp32")
    pad = json.loads((out / "genai_config.json").read_text())["model"]["pad_token_id"]
    assert pad == json.loads((out / "tunesmith.json").read_text())["pad_id"]
    model = og.Model(str(out))
    prompts = [[1, 30, 40, 50, 60, 70], [1, 90, 91], [1, 33, 44, 55, 66, 77, 88, 99]]

    def generate(rows):
        longest = max(map(len, rows))
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=longest + 6, batch_size=len(rows), do_sample=False)
        generator = og.Generator(model, params)
        import numpy as np

        generator.append_tokens(np.array([row + [pad] * (longest - len(row)) for row in rows], dtype=np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return [generator.get_sequence(i).tolist()[longest:] for i in range(len(rows))]

    together = generate(prompts)
    for prompt, found in zip(prompts, together, strict=True):
        [alone] = generate([prompt])
        assert alone[: len(found)] == found[: len(alone)]


def test_what_was_read_is_not_read_again_and_says_the_same(tuned_run, tiny_llama):
    from core.export.packages.run_writer import Package

    run = tuned_run(tiny_llama)
    build(run, precision="int4")
    package = Package(run.export_dir("cpu", "int4"))
    prompt, answers = [1, 30, 40, 50, 60, 70], ([33, 44, 55], [9], list(range(30, 90)))
    alone = [Package(package.folder).logits(prompt, answer) for answer in answers]
    first = list(package.generate(prompt))
    for answer, want in zip(answers, alone, strict=True):
        found = package.logits(prompt, answer)
        assert found.shape == want.shape and abs(found - want).max() < 1e-4
    assert list(package.generate(prompt)) == first
    assert abs(package.logits([1, 30, 41], [33]) - Package(package.folder).logits([1, 30, 41], [33])).max() == 0


def test_a_stopped_export_leaves_the_earlier_package(tuned_run, tiny_llama, monkeypatch):
    run = tuned_run(tiny_llama)
    build(run)
    out = run.export_dir("cpu", "fp32")
    before, report = everything(out), (out / "report.json").read_bytes()

    def stopped(*args, **more):
        raise KeyboardInterrupt

    for name in ("compare",):
        monkeypatch.setattr(written, name, stopped)
        with pytest.raises(KeyboardInterrupt):
            build(run)
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(make.bundle, "pack", lambda *a: (_ for _ in ()).throw(full))
    monkeypatch.undo()
    monkeypatch.setenv("TUNESMITH_RUNS", str(run.dir.parent))
    monkeypatch.setattr(make.bundle, "pack", lambda *a: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="No space left"):
        build(run)
    assert everything(out) == before and (out / "report.json").read_bytes() == report
    assert sorted(p.name for p in out.parent.iterdir()) == ["cpu-fp32", "cpu-fp32.zip"], "nothing is left behind"


def test_a_failed_comparison_is_told_and_leaves_the_earlier_package(tuned_run, tiny_llama, monkeypatch):
    run = tuned_run(tiny_llama)
    build(run)
    before = everything(run.export_dir("cpu", "fp32"))
    real = builder.build

    def other(folder, *args, **more):
        real(factory.tiny_model("llama", folder.parent / "other", seed=7), *args, **more | {"loaded": None})

    monkeypatch.setattr(builder, "build", other)
    report = build(run)
    assert report["status"] == "failed" and report["exit"] == 1 and "should agree" in report["message"]
    assert everything(run.export_dir("cpu", "fp32")) == before
    [found] = exports(run)
    assert found["report"]["status"] == "verified" and found["failed"]["status"] == "failed"


def test_a_package_that_does_not_load_has_failed(tuned_run, tiny_llama, monkeypatch):
    run = tuned_run(tiny_llama)
    real = builder.build

    def broken(folder, device, precision, out, **more):
        real(folder, device, precision, out, **more)
        (out / "model.onnx").write_bytes(b"no model")

    monkeypatch.setattr(builder, "build", broken)
    report = build(run)
    assert report["status"] == "failed" and report["message"].startswith("The package does not run: ")
    assert exports(run)[0]["report"] is None and exports(run)[0]["zip"] is None


def test_a_family_that_is_not_exported(tmp_path):
    model = factory.tiny_model("llama", tmp_path / "model")
    config = json.loads((model / "config.json").read_text()) | {"architectures": ["Qwen2MoeForCausalLM"]}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match="A Qwen2MoeForCausalLM cannot be exported yet.*Llama, Mistral, .*GPT"
    ) as caught:
        make.make(str(model), Options("cpu", "fp32"), tmp_path / "out")
    assert caught.value.field == "model.path"
    assert not (tmp_path / "out").exists()

"""Runs of every kind, really trained for two steps, as merged weights and as an adapter alone."""

import pytest

from core.config import build
from core.errors import InputError
from core.export import formats, make_format
from core.export.proof import loaded
from tests import factory
from tests.core.tasks.test_pairs import pairs
from tests.core.tasks.test_tags import rows_of

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(tiny_models, tmp_path, runs_dir, monkeypatch):
    """A function that trains two steps: (family, task, method) -> run. Fresh processes are this one."""
    from core.cli.train import train
    from core.runs import store

    monkeypatch.setattr(loaded, "ask", loaded._answer)

    def make(family: str, task: str, method: str):
        rows = {"extraction": rows_of(12), "similarity": pairs("score", 12)}.get(task, factory.tone_rows(12))
        data = {"path": str(factory.write_jsonl(tmp_path / "rows.jsonl", rows)), "max_tokens": 48, "validation": 0.25}
        if task == "classification":
            data["template"] = "### {phrase}\n{tone}"
        config = build(
            {
                "task": task,
                "model": {"path": str(tiny_models(family))},
                "data": data,
                "method": {"name": method},
                "training": {"max_steps": 2, "eval_steps": 2, "save_steps": 2, "learning_rate": 1e-2},
                "evaluation": {"max_new_tokens": 6},
            }
        )
        run = store.create(config)
        train(run)
        return run

    return make


def place(run, name: str):
    return run.export_dir(name, formats.check(name, None)[1])


def export(run, name: str):
    return make_format.make(str(run.dir), name, formats.check(name, None)[1], place(run, name))


@pytest.mark.parametrize(
    ("family", "task", "method", "names"),
    [
        ("bert", "classification", "lora", ["safetensors", "adapter"]),
        ("bert", "extraction", "ia3", ["safetensors", "adapter"]),
        ("distilbert", "similarity", "full", ["safetensors"]),
        ("qwen2", "classification", "qlora", ["safetensors", "adapter", "gguf"]),
    ],
)
def test_runs_of_every_kind(trained, family, task, method, names):
    run = trained(family, task, method)
    for name in names:
        report = export(run, name)
        assert report["status"] == "verified", f"{name}: {report['message']}"
        assert report["same"] == 1.0 and report["rows"] >= 3 and report["rows_from"].startswith("validation rows")
        assert report["max_logit_difference"] <= (0.03 if name == "gguf" else 1e-3) * max(1.0, report["logit_range"])
    card = (place(run, names[0]) / "README.md").read_text("utf-8")
    assert "SHA-256" in card and "```yaml" in card and str(run.dir.parent) not in card


@pytest.mark.parametrize("method", ["adapter", "prompt"])
def test_what_cannot_be_merged_goes_alone(trained, method):
    run = trained("llama", "classification", method)
    report = export(run, "adapter")
    assert report["status"] == "verified", report["message"]
    card = (place(run, "adapter") / "README.md").read_text("utf-8")
    assert "load_run(FOLDER)" in card and "PEFT by itself does not compute" in card
    with pytest.raises(InputError, match="merge"):
        export(run, "safetensors")
    with pytest.raises(InputError, match="merge"):
        export(run, "gguf")

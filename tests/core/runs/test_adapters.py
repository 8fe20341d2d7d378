"""Which adapters share a base, and names of runs; from files alone."""

import json

import pytest

from core.errors import InputError
from core.runs import adapters
from core.runs.adapters import BASE, Base, by_base, differs, rename
from core.runs.store import Run


@pytest.fixture
def run(runs_dir):
    """A function that writes a run's folder with an adapter's two files."""

    def write(name, base="some/base", kind="LORA", note=None, **said):
        folder = runs_dir / name
        (folder / "model").mkdir(parents=True)
        (folder / "state.json").write_text('{"state": "done"}')
        config = {"base_model_name_or_path": base, "peft_type": kind, "task_type": "CAUSAL_LM", "r": 8} | said
        (folder / "model" / "adapter_config.json").write_text(json.dumps(config))
        if note is not None:
            (folder / "model" / "base.json").write_text(json.dumps(note))
        return Run(folder)

    return write


def test_by_what_they_stand_on(run, runs_dir):
    note = {"fingerprint": "f1", "head": "causal_lm", "labels": [], "quantization": None}
    run("20260101-000001-a", note=note)
    run("20260101-000002-b", note=note, kind="IA3")
    run("20260101-000003-c", note=note | {"fingerprint": "f2"})
    run("20260101-000004-d", note=note | {"quantization": {"load_in_4bit": True}})
    run("20260101-000005-e", note=note | {"head": "token_classification", "labels": ["A", "B"]})
    run("20260101-000006-f", base="other/base", revision="v1", kind="BOTTLENECK")
    (runs_dir / "20260101-000007-g").mkdir()
    (runs_dir / "20260101-000007-g" / "state.json").write_text('{"state": "running"}')  # no model yet
    found = by_base()
    assert [[info.run.id[-1] for info in infos] for infos in found.values()] == [["f"], ["e"], ["d"], ["c"], ["b", "a"]]
    first, last = list(found)[0], list(found)[-1]
    assert (first.path, first.revision, first.head) == ("other/base", "v1", "causal_lm")
    assert [info.label for info in found[last]] == ["IA3", "LoRA r 8"]


def test_files_that_say_nothing(run, runs_dir):
    whole = run("20260101-000001-a")
    (whole.dir / "model" / "adapter_config.json").write_text("{broken")
    run("20260101-000002-b", base="")
    assert by_base() == {}


def test_why_they_do_not_go_together():
    one = Base("a", None, "f1")
    assert differs(one, Base("a", None, "f1")) == differs(one, Base("a", None, "")) == ""
    assert "its base is b" in differs(one, Base("b", None, "f1"))
    assert "other weights" in differs(one, Base("a", None, "f2"))
    assert "other weights" not in differs(one, Base("a", "v2", "f2"))
    assert "head" in differs(one, Base("a", None, "f1", head="token_classification"))
    assert "4 bits" in differs(one, Base("a", None, "f1", quantization="{}"))


def test_a_run_is_renamed(run):
    made = run("20260101-000001-a")
    (made.dir / "environment.json").write_text('{"seed": 3, "name": "old"}')
    rename(made, "  Tone, the second try  ")
    assert made.title == "Tone, the second try" and made.environment()["seed"] == 3


@pytest.mark.parametrize("bad", ["", "  ", "x" * 81, "two\nlines", "hidden\u202e", "half \ud800", "nul\0"])
def test_names_that_are_refused(run, bad):
    made = run("20260101-000001-a")
    with pytest.raises(InputError, match="write 1 to 80 characters"):
        rename(made, bad)
    assert made.environment() == {}


def test_no_run_is_called_as_the_base_is():
    from core.runs.store import STAMP

    assert not STAMP.match(BASE) and adapters.KINDS.keys() >= {"LORA", "IA3", "BOTTLENECK"}

"""The card of adapters on one base: what is listed, asked, combined, renamed; with a worker and commands in their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.config import build
from core.errors import InputError
from core.runs import jobs, store
from core.runs.asking import Answers, Said
from core.runs.store import Run
from core.visitors import Visitor
from ui.shared import first_draft
from ui.tabs.runs import adapters


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path))
    return tmp_path


def adapter(name: str) -> Run:
    """A run that has an adapter, as far as its files say."""
    run = store.create(build(first_draft()), name)
    (run.dir / "model").mkdir()
    said = {"base_model_name_or_path": "assets/demo-model", "peft_type": "LORA", "r": 8, "task_type": "CAUSAL_LM"}
    (run.dir / "model" / "adapter_config.json").write_text(json.dumps(said), encoding="utf-8")
    return run


def test_without_adapters_it_says_what_will_be_here() -> None:
    nothing, body, *_ = adapters.listed(None, [])
    assert nothing.visible and not body.visible


def test_adapters_of_a_base_are_listed_and_two_are_ticked() -> None:
    runs = [adapter(name) for name in ("<b>one", "two", "three")]
    nothing, body, base, chosen = adapters.listed(None, [])
    assert body.visible and not nothing.visible and "3 adapters" in base.choices[0][0]
    assert {value for _, value in chosen.choices} == {"base", *(run.id for run in runs)} and len(chosen.value) == 2
    assert adapters.listed("gone", ["base", "no-such-run"])[3].value == ["base"]


def test_answers_are_escaped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = adapter("<b>one")

    class Worker:
        def ask(self, prompt: str, names: list[str], **kw: Any) -> Answers:
            return Answers([Said(name, f"<i>{prompt}", True, 2) for name in names], 0.2, 1.5, [names])

    monkeypatch.setattr(adapters, "worker", Worker)
    first, last = adapters.answered("hello", adapters.listed(None, [])[2].value, [run.id, "base"])
    assert "Asking" in first and last.count("&lt;i&gt;hello") == 2 and "<i>" not in last and "<b>one" not in last
    assert "in one batch, after 1.5 s of loading" in last
    assert "Nothing is asked" in next(adapters.answered(" ", None, [run.id]))


def test_a_refusal_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Worker:
        def ask(self, *args: Any, **kw: Any) -> Answers:
            raise InputError("They do not share a <base>.")

    monkeypatch.setattr(adapters, "worker", Worker)
    run = adapter("one")
    assert "share a &lt;base&gt;" in list(adapters.answered("x", None, [run.id]))[-1]
    assert "There is no run" in list(adapters.answered("x", None, [str(run.dir)]))[-1], "a path is no run of this page"


def test_combining_hands_on_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(jobs, "answer_of", lambda *words, visitor: asked.append(words) or {"title": "both"})
    a, b = adapter("a").id, adapter("b").id
    *_, (words, again) = adapters.combined(None, [a, "base", b], "0.7, 0.3", "svd", "both", 4)
    assert "A new run: both" in words and again == 5
    more = ("--method", "svd", "--weights=0.7,0.3", "--name=both")
    assert asked == [("adapters", "combine", f"--runs={a},{b}", *more)]
    assert "no run" in list(adapters.combined(None, [a, "/etc"], "", "cat", "", 4))[-1][0]
    assert "Tick two" in next(adapters.combined(None, ["a", "base"], "", "cat", "", 4))[0]


def test_renaming_and_merging_take_exactly_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = adapter("one")
    words, again = adapters.renamed([run.id, "base"], "another", 1)
    assert "another" in words and again == 2 and store.open_run(run.id).title == "another"
    assert "Tick exactly one" in adapters.renamed(["base"], "x", 1)[0]
    assert "did not work" in adapters.renamed([run.id], " ", 1)[0]

    def merge(*words: str, visitor: Visitor) -> None:
        Path(words[-1]).mkdir()
        (Path(words[-1]) / "model.safetensors").write_bytes(b"x" * 2_000_000)

    monkeypatch.setattr(jobs, "answer_of", merge)
    for _ in range(2):  # the second time it is there already
        assert "2 MB" in list(adapters.merged([run.id], 1))[-1][0]

"""ui.tabs.export: devices as they are, one job at a time, nothing from the browser believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.runs import jobs
from core.runs.store import Run
from tests.ui.conftest import set_state
from ui.places import places
from ui.tabs import export
from ui.tabs.export import job

Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def _plain_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Accordion", "CheckboxGroup", "Button", "Column", "Radio", "HTML", "Dropdown"):
        monkeypatch.setattr(export.gr, name, lambda *args, **kw: ({"value": args[0]} if args else {}) | kw)


def tuned(run: Run) -> Run:
    (run.dir / "model").mkdir()
    (run.dir / "model" / "adapter_config.json").write_text("{}", encoding="utf-8")
    return run


def show(run_id: str, device: str = "cpu", precision: str = "int8") -> dict[str, Any]:
    names = "title chosen cancel compare go nothing lacking body device about precision doing progress".split()
    names += ["overview", "detail"]
    return dict(zip(names, export.show(run_id, device, precision), strict=True))


def test_a_card_says_whether_it_can_be_tried_here() -> None:
    cards = {name: export.place_card(place) for name, place in places("writer").items()}
    assert cards["cpu"] == "CPU\ncan be verified here" and "graph check only" in cards["webgpu"]
    assert cards["qnn"].endswith("✕ not for this model") and cards["gguf"].endswith("can be verified here")
    assert places("reader")["qnn"].precisions
    assert not any("✓" in card for card in cards.values())  # nothing was made yet


def test_without_weights_nothing_can_be_exported(new_run: Make) -> None:
    for run_id, words in (("", "becomes a package"), (new_run("running").id, "still being trained")):
        found = show(run_id)
        assert found["nothing"]["visible"] and not found["body"]["visible"] and not found["go"]["visible"]
        assert words in found["lacking"]
        assert ('data-tab="train"' if run_id else "Choose a run above") in found["lacking"]


def test_a_precision_that_the_device_has_not_falls_back(new_run: Make) -> None:
    run = tuned(new_run("done"))
    found = show(run.id, "dml", "int8")
    assert found["precision"] == {"value": "fp16", **{k: v for k, v in found["precision"].items() if k != "value"}}
    assert found["go"]["value"] == "Export fp16 for DirectML" and found["go"]["visible"]
    assert found["compare"] == {"value": "Compare all 2", "visible": True}
    refused = show(run.id, "qnn", "int8")
    assert refused["device"]["value"] == "cpu" and "QNN does not take this model" in refused["about"]
    files = show(run.id, "gguf", "q4_0")
    assert files["go"]["value"] == "Write GGUF, q4_0" and not files["compare"]["visible"]
    assert show(run.id, "../x", "y")["go"]["value"] == "Export int8 for CPU"


def test_one_job_at_a_time(new_run: Make) -> None:
    run = tuned(new_run("done"))
    folder = run.export_dir("cpu", "fp32")
    folder.mkdir(parents=True)
    set_state(Run(folder), "running", what="building")
    found = show(run.id)
    assert found["cancel"]["visible"] and not found["go"]["visible"] and found["doing"]["visible"]
    assert found["progress"]["kind"] == "export/cpu-fp32" and "fp32 for CPU: building" in found["progress"]["html"]
    assert "Building" in found["overview"]
    folder = run.export_dir("cpu", "all")
    folder.mkdir(parents=True)
    set_state(Run(folder), "running", what="int8 (2 of 4): building")
    assert show(run.id)["progress"]["kind"] == "export/cpu-all"


def test_start_hands_on_what_was_chosen(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run, started = tuned(new_run("done")), []
    monkeypatch.setattr(jobs, "start_export", lambda *args, visitor, **more: started.append((args, more)))
    chosen = export.options.gather(64, 0, "static", True, ["other"])
    problems, count = job.start(run.id, "cpu", "int4", chosen, 1)
    assert count == 2 and not problems["visible"] and started == [((run, "cpu", "int4", ""), chosen)]
    job.start_all(run.id, "cpu", {}, 1)
    job.start(run.id, "gguf", "q8_0", chosen, 1)
    assert started[1:] == [((run, "cpu", "all", ""), {}), ((run, "gguf", "q8_0", ""), {"form": "gguf"})]


@pytest.mark.parametrize(
    ("device", "precision", "words"),
    [("cpu", "bf16", "not in bf16"), ("gpu", "int4", "no format"), ("../..", "", "no format"), ("qnn", "int8", "take")],
)
def test_a_device_or_precision_that_is_none_is_refused(new_run: Make, device: str, precision: str, words: str) -> None:
    problems, count = job.start(tuned(new_run("done")).id, device, precision, {}, 1)
    assert count == 1 and problems["visible"] and words in problems["value"]

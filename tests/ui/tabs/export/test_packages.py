"""ui.packages: what the page says of an export, and the one file that it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.runs.files import write_json
from core.runs.store import Run
from ui.places import places
from ui.tabs.export import packages, plot
from ui.tabs.export.words import metric_label

CPU = places("writer")["cpu"]
REPORT: dict[str, Any] = {
    "device": "cpu",
    "precision": "int8",
    "status": "verified with loss",
    "message": "59 of 60 answers are PyTorch's, token for token <b>.",
    "rows": 60,
    "same": 59 / 60,
    "max_logit_difference": 0.35,
    "logit_range": 36.4,
    "metric": {"name": "accuracy", "pytorch": 0.5, "onnx": 0.45},
    "perplexity": {"pytorch": 1.5, "onnx": 1.52},
    "first_token_seconds": {"pytorch": 0.02, "onnx": 0.0042},
    "load_seconds": 0.07,
    "peak_bytes": 210_000_000,
    "tokens_per_second": {"pytorch": 40.0, "onnx": 58.0},
    "bytes": 8_084_234,
    "made": 1000.0,
}


@pytest.fixture
def made(new_run: Callable[..., Run]) -> Run:
    run = new_run("done")
    folder = run.export_dir("cpu", "int8")
    write_json_to(folder / "report.json", REPORT)
    folder.with_name("cpu-int8.zip").write_bytes(b"zip")
    return run


def write_json_to(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, value)


def test_precisions_that_were_made_and_that_were_not(made: Run) -> None:
    assert "Recommended" not in packages.overview(made, CPU, "int8")  # one alone is preferred to nothing
    write_json_to(made.export_dir("cpu", "fp32") / "report.json", REPORT | {"bytes": 32_000_000})
    html = packages.overview(made, CPU, "int8")
    assert html.count("Not made yet") == 2 and "Verified with loss" in html
    for words in ("8.1 MB", "45.0&thinsp;%", "58 tokens/s", "Recommended", "Accuracy"):
        assert words in html
    assert packages.proven(made, CPU) == "verified with loss: fp32, int8"
    assert packages.made_before(made, "cpu", "int8") and not packages.made_before(made, "cpu", "fp16")


def test_nothing_is_recommended_or_verified_before_it_was_measured(new_run: Callable[..., Run]) -> None:
    run = new_run("done")
    html = packages.overview(run, CPU, "int8")
    assert "Recommended" not in html and "default" in html and packages.proven(run, CPU) == ""


def test_the_comparison_in_figures(made: Run) -> None:
    html = packages.detail(made, CPU, "int8")
    for words in (
        "of 60",
        "0.35",
        "of 36.4",
        "PyTorch 50.0&thinsp;%",
        "token for token &lt;b&gt;.",
        "Download, 3 bytes",
        "PyTorch 1.5",
        "4.2 <small>ms, PyTorch 20 ms",
        "210 <small>MB",
    ):
        assert words in html
    assert "Not made yet" in packages.detail(made, CPU, "int4")


def test_a_package_that_cannot_run_here_says_so(new_run: Callable[..., Run]) -> None:
    run = new_run("done")
    none = dict.fromkeys(("same", "max_logit_difference", "logit_range", "metric", "tokens_per_second"))
    report = REPORT | none | {"status": "not verified here", "message": "Built, and not run."}
    write_json_to(run.export_dir("webgpu", "fp16") / "report.json", report)
    html = packages.detail(run, places("writer")["webgpu"], "fp16")
    assert "Not verified here" in html and "Same answers" not in html
    assert "it will say so" in packages.detail(run, places("writer")["webgpu"], "int4")


def test_a_failed_attempt_is_told_beside_what_stands(made: Run) -> None:
    write_json_to(
        made.export_dir("cpu", "int8") / "failed.json", REPORT | {"status": "failed", "message": "Only 3 <i>."}
    )
    html = packages.detail(made, CPU, "int8")
    assert "The last attempt failed" in html and "Only 3 &lt;i&gt;." in html and "Download" in html


def test_only_the_zip_is_served(made: Run) -> None:
    from gradio import utils

    packages.detail(made, CPU, "int8")
    assert utils.is_static_file(made.dir / "export" / "cpu-int8.zip")
    for other in ("config.yaml", "state.json", "export/cpu-int8/report.json"):
        assert not utils.is_static_file(made.dir / other)


@pytest.mark.parametrize(("name", "words"), [("bleu", "BLEU"), ("rougeL", "ROUGE-L"), ("exact_match", "Exact match")])
def test_metrics_have_names(name: str, words: str) -> None:
    assert metric_label({"metric": {"name": name}}) == words


def test_a_label_that_is_written_is_called_so_as_evaluate_calls_it(made: Run) -> None:
    write_json_to(made.export_dir("cpu", "int8") / "report.json", REPORT | {"head": "causal_lm"})
    assert "Writes the label" in packages.overview(made, CPU, "int8")
    assert "Writes the label" in packages.detail(made, CPU, "int8")
    assert metric_label(REPORT | {"head": "sequence_classification"}) == "Accuracy"


def test_two_packages_are_drawn_against_each_other(made: Run) -> None:
    assert "<svg" not in packages.overview(made, CPU, "int8"), "one says nothing against another"
    metric = {"name": "accuracy", "pytorch": 0.5, "onnx": 0.5, "difference": {"low": 0.0, "high": 0.0}}
    write_json_to(made.export_dir("cpu", "fp32") / "report.json", REPORT | {"bytes": 17_000_000, "metric": metric})
    html = packages.overview(made, CPU, "int8")
    assert html.count("<circle") == 2 and "17.0 MB, 50.0 %" in html and "Take fp32" in html
    assert "would lose quality" in html


def test_the_figure_stands_what_is_missing() -> None:
    bare = REPORT | {"metric": None, "tokens_per_second": None}
    drawn = plot.drawn({"int8": bare, "int4": bare | {"bytes": 1}, "fp32": bare | {"same": None}}, "int8")
    assert drawn.count("<circle") == 2 and "nan" not in drawn and "Same answers" in drawn

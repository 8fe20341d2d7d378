"""ui.packages: what the page says of an export, and the one file that it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.export.targets import TARGETS
from core.runs.files import write_json
from core.runs.store import Run
from ui import packages

CPU = TARGETS["cpu"]
REPORT: dict[str, Any] = {
    "device": "cpu",
    "precision": "int8",
    "status": "verified with loss",
    "message": "59 of 60 answers are PyTorch's, token for token <b>.",
    "rows": 60,
    "greedy_match": 59 / 60,
    "max_logit_difference": 0.35,
    "logit_range": 36.4,
    "metric": {"name": "accuracy", "pytorch": 0.5, "onnx": 0.45},
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
    html = packages.overview(made, CPU, "int8")
    assert html.count("Not made yet") == 2 and "Verified with loss" in html
    for words in ("8.1 MB", "45.0&thinsp;%", "58 tokens/s", "Recommended", "Accuracy"):
        assert words in html
    assert packages.made_before(made, "cpu", "int8") and not packages.made_before(made, "cpu", "fp32")


def test_the_comparison_in_figures(made: Run) -> None:
    html = packages.detail(made, CPU, "int8")
    for words in (
        "of 60",
        "0.35",
        "of 36.4",
        "PyTorch 50.0&thinsp;%",
        "token for token &lt;b&gt;.",
        "Download, 3 bytes",
    ):
        assert words in html
    assert "Not made yet" in packages.detail(made, CPU, "int4")


def test_a_package_that_cannot_run_here_says_so(new_run: Callable[..., Run]) -> None:
    run = new_run("done")
    none = dict.fromkeys(("greedy_match", "max_logit_difference", "logit_range", "metric", "tokens_per_second"))
    report = REPORT | none | {"status": "not verified here", "message": "Built, and not run."}
    write_json_to(run.export_dir("webgpu", "fp16") / "report.json", report)
    html = packages.detail(run, TARGETS["webgpu"], "fp16")
    assert "Not verified here" in html and "Same answers" not in html
    assert "it will say so" in packages.detail(run, TARGETS["webgpu"], "int4")


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
    assert packages.metric_label(name) == words

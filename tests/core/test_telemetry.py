"""What libraries report is switched off by whatever starts first, and a package switches it off for whoever runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from core.export import bundle
from core.runs import standby
from core.telemetry import OFF
from tests.conftest import ROOT

SAY = f"; import os, json; print(json.dumps([os.environ.get(name) for name in {list(OFF)!r}]))"
RUNNERS = sorted(path.stem for path in (ROOT / "core/export/packages").glob("run_*.py"))


def asked_for() -> dict[str, str]:
    """An environment that asks for all that is reported."""
    return {**os.environ, **dict.fromkeys(OFF, "0"), "GRADIO_ANALYTICS_ENABLED": "True", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "first",
    [
        "app",
        "core.__main__",
        "core.runs.waiting",
        "core.data.workbook",
        "docs.make",
        "assets.make",
        "tests.bench.__main__",
    ],
)
def test_every_beginning_switches_it_off(first):
    """Also where the environment says otherwise: nothing leaves the machine."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {first}" + SAY], env=asked_for(), cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(list(OFF.values())).replace("'", '"'), done.stderr


def test_no_other_beginning_is_left_out():
    """Each program of the project is a module of a package that switches it off, or imports one first."""
    programs = [p for room in ("core", "docs", "assets") for p in (ROOT / room).rglob("*.py")] + [ROOT / "app.py"]
    programs = [p for p in programs if '__name__ == "__main__"' in p.read_text(encoding="utf-8")]
    elsewhere = {p.relative_to(ROOT).as_posix() for p in programs if not p.is_relative_to(ROOT / "core")}
    assert elsewhere == {"app.py", "docs/make.py", "assets/make/__main__.py"}


def test_a_job_gets_it_whatever_it_is_given(monkeypatch):
    for name in OFF:
        monkeypatch.delenv(name)
    assert OFF.items() <= standby.environment(dict.fromkeys(OFF, "0")).items()


def test_the_container_says_it_too():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert dict(re.findall(r"^    (?:ENV )?(\w+)=(\S+)", text, re.MULTILINE)).items() >= OFF.items()


@pytest.mark.parametrize("entry", RUNNERS)
def test_a_package_switches_it_off_before_its_runtime(tmp_path, entry):
    from core.export.targets import TARGETS

    kind = entry.removeprefix("run_").replace("looped", "writer")
    bundle.write(tmp_path, {"kind": kind}, f"core.export.packages.{entry}", TARGETS["cpu"])
    done = subprocess.run(
        [sys.executable, "-c", "import run" + SAY], env=asked_for() | {"PYTHONPATH": ""}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(list(OFF.values())).replace("'", '"'), done.stderr
    assert not re.search(r"^(import|from) onnxruntime", (tmp_path / "run.py").read_text(encoding="utf-8"), re.MULTILINE)


def test_samples_for_phones_and_node_switch_it_off_first():
    for path in (ROOT / "core/export/mobile").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert (
            'Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)' in text
            and 'setenv("ORT_DISABLE_TELEMETRY", "1", 1)' in text
        )
    sample = (ROOT / "core/export/web/page/sample.mjs").read_text(encoding="utf-8")
    assert 0 < sample.index('process.env.ORT_DISABLE_TELEMETRY = "1"') < sample.index('import("@huggingface')

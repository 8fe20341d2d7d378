"""Tokens are struck out of whatever a job says."""

import io
import json
import subprocess
import sys

import pytest

from core.errors import InputError
from core.paths import ROOT
from core.runs.eventlog import EventLog
from core.runs.failures import explain, last_error
from core.runs.masking import Masked, mask

TOKEN = "hf_" + "aB3" * 11 + "z"


def test_tokens_are_struck_out(monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert mask(f"Bearer {TOKEN}, again {TOKEN}.") == "Bearer [token], again [token]."
    plain = "the module hf_hub_download and hf_short"
    assert mask(plain) == plain and mask("private-word") == "private-word"
    monkeypatch.setenv("HF_TOKEN", "private-word")
    assert mask("a private-word") == "a [token]"
    monkeypatch.setenv("HF_TOKEN", "a")
    assert mask("a private-word") == "a private-word"


def test_a_stream_an_error_and_an_event_hold_none(tmp_path):
    raw = io.BytesIO()
    stream = Masked(raw, encoding="utf-8", line_buffering=True)
    assert stream.write(f"{TOKEN}\n") == len(TOKEN) + 1
    print("more", TOKEN, file=stream)
    assert raw.getvalue().decode().split() == ["[token]", "more", "[token]"]
    for error in (RuntimeError(f"401 for {TOKEN}"), InputError(f"no {TOKEN}")):
        assert explain(error, tmp_path)[1].endswith("[token]")
    assert TOKEN not in last_error(["Traceback (most recent call last):", f"OSError: {TOKEN}"])
    log = EventLog(tmp_path / "events.jsonl")
    log.add("note", 0, text=f"with {TOKEN}")
    log.close()
    assert json.loads((tmp_path / "events.jsonl").read_text())["text"] == "with [token]"


@pytest.mark.slow
def test_a_traceback_of_the_command_line_holds_none():
    code = "from core.runs.masking import mask_output\nmask_output()\nraise RuntimeError('with ' + 'hf_' + 'k' * 34)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "RuntimeError: with [token]" in done.stderr and "kkkk" not in done.stderr

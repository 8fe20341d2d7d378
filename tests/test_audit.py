"""Pins are looked up among known vulnerabilities: what is open fails, and what is skipped fails, too."""

from __future__ import annotations

import ast
import copy
import functools
import http.server
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import audit
from tests.conftest import ROOT

KNOWN = json.loads(audit.ADVISORIES.read_text(encoding="utf-8"))
PINNED, _ = audit.pins(audit.REQUIREMENTS)
GRADIO = "CVE-2026-134825"


def test_nothing_is_open_and_nothing_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--offline"]) == 0
    assert f"{len(PINNED)} pins looked up in scripts/advisories.json" in capsys.readouterr().out and len(PINNED) > 40


def test_a_pin_that_the_file_does_not_name_is_skipped() -> None:
    (sentence,) = audit.offline(PINNED | {"left-pad": "1.0"}, KNOWN)
    assert sentence.startswith("left-pad 1.0 was skipped")


@pytest.mark.parametrize(
    "line", ["gradio>=6", "gradio", "gradio==6.*", "gradio @ https://example.org/g.whl", "-e .", "gradio==x"]
)
def test_a_line_that_pins_nothing_is_skipped(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"# a remark\n-r other.txt\npandas==3.1.1  # why\n{line}\n")
    found, (sentence,) = audit.pins([tmp_path / "requirements.txt"])
    assert found == {"pandas": "3.1.1"} and repr(line) in sentence


@pytest.mark.parametrize(
    ("version", "count"), [("6.31.0", 0), ("6.27.0", 0), ("6.32.0", 0), ("6.19.0", 1), ("6.5.9", 6), ("6.5.9rc1", 6)]
)
def test_ranges_begin_and_end_where_the_advisory_says(version: str, count: int) -> None:
    assert len(audit.offline({"gradio": version}, KNOWN)) == count


def test_a_mitigation_holds_as_long_as_its_test_is_there() -> None:
    known = copy.deepcopy(KNOWN)
    (one,) = (one for one in known["advisories"] if one["id"] == GRADIO)
    assert not audit.offline({"gradio": "6.31.0"}, known)
    one["held_by"] = "tests/ui/test_page.py::test_that_is_not_there"
    assert "mitigated by nothing" in audit.offline({"gradio": "6.31.0"}, known)[0]
    del one["mitigated"]
    assert GRADIO in audit.offline({"gradio": "6.31.0"}, known)[0]


def test_what_is_open_in_libraries_is_not_called() -> None:
    """Of accelerate two functions, of PEFT two initialisations: neither in our code nor in what it calls of others."""
    torch_load = torch_default()
    assert torch_load is None, "torch.load without weights_only would run code again: PEFT's CorDA and LoRA-GA do so"
    calls = ("load_checkpoint_in_model", "load_checkpoint_and_dispatch")
    ours = [path for room in ("core", "ui", "assets") for path in (ROOT / room).rglob("*.py")]
    theirs = [path for name in ("transformers", "peft") for path in package(name).rglob("*.py")]
    for path in [*ours, *theirs]:
        text = path.read_text(encoding="utf-8")
        assert not any(call in text for call in calls), path
        if path in ours:
            assert "corda" not in text.lower() and "lora_ga" not in text.lower(), path


def package(name: str) -> Path:
    """The folder of an installed package, which is not imported for that."""
    found = importlib.util.find_spec(name)
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


def torch_default() -> Any:
    """What torch.load takes for weights_only where nothing is given: None means True, since 2.6."""
    tree = ast.parse((package("torch") / "serialization.py").read_text(encoding="utf-8"))
    (load,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "load")
    names = [argument.arg for argument in load.args.kwonlyargs]
    return ast.literal_eval(load.args.kw_defaults[names.index("weights_only")] or ast.Constant(False))


# With a network: what pip-audit prints


def report(**changed: Any) -> dict[str, Any]:
    """Its report where nothing is known of any pin, but for the packages that are named."""
    clean = {name: {"name": name, "version": version, "vulns": []} for name, version in PINNED.items()}
    return {"dependencies": [one for one in (clean | changed).values() if one is not None], "fixes": []}


def found(name: str, vulnerability: str, *aliases: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": PINNED[name],
        "vulns": [{"id": vulnerability, "fix_versions": ["99"], "aliases": list(aliases), "description": "bad"}],
    }


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, None),
        ({"torch": {"name": "torch", "skip_reason": "not found on PyPI"}}, "torch was skipped: not found on PyPI"),
        ({"torch": None}, f"torch {PINNED['torch']} was skipped: pip-audit says nothing of it."),
        ({"torch": {"name": "torch", "version": "1.0", "vulns": []}}, "pip-audit says nothing of it"),
        ({"torch": found("torch", "CVE-1-1")}, f"torch {PINNED['torch']}: CVE-1-1: bad (fixed in 99)"),
        ({"gradio": found("gradio", "CVE-1-1")}, "CVE-1-1"),
        ({"gradio": found("gradio", GRADIO)}, None),
        ({"gradio": found("gradio", "GHSA-x", GRADIO)}, None),
    ],
)
def test_what_pip_audit_says_is_believed_but_not_what_it_skips(changed: dict[str, Any], sentence: str | None) -> None:
    wrong = audit.online(PINNED, report(**changed), KNOWN)
    assert wrong == [] if sentence is None else len(wrong) == 1 and sentence in wrong[0]


class Osv(http.server.BaseHTTPRequestHandler):
    """Knows one vulnerability, of orjson."""

    def do_GET(self) -> None:
        self.send_error(405)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked["package"]["name"])  # type: ignore[attr-defined]
        hit = {"id": "PYSEC-1", "summary": "bad", "affected": [], "modified": "2026-01-01T00:00:00Z"}
        body = json.dumps({"vulns": [hit]} if asked["package"]["name"] == "orjson" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def osv() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server of this machine in the place of OSV's; `.asked` names the packages."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_pip_audit_itself_is_asked_of_every_pin(osv: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--osv-url", f"http://127.0.0.1:{osv.server_port}/v1/query"]) == 1
    said = capsys.readouterr()
    assert sorted(osv.asked) == sorted(PINNED)
    assert said.err == f"orjson {PINNED['orjson']}: PYSEC-1: bad\n" and "OSV by pip-audit" in said.out


def test_where_nobody_answers_the_file_is_read(osv: Any, capsys: pytest.CaptureFixture[str]) -> None:
    osv.shutdown()
    osv.server_close()
    assert audit.main(["--osv-url", f"http://127.0.0.1:{osv.server_port}/v1/query"]) == 0
    assert "since OSV does not answer here" in capsys.readouterr().out


def test_a_pip_audit_that_breaks_off_is_a_failure(
    osv: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken: Callable[..., Any] = functools.partial(Osv.send_error, code=500)
    monkeypatch.setattr(Osv, "do_POST", lambda self: broken(self))
    assert audit.main(["--osv-url", f"http://127.0.0.1:{osv.server_port}/v1/query"]) == 1
    assert "pip-audit ended with" in capsys.readouterr().err


def test_make_lint_asks() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = text.partition("\nlint:")[2].partition("\n\n")[0]
    assert "$(PY) scripts/audit.py\n" in lint + "\n"

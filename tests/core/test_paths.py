"""What a path in a config means, and what it may not mean where strangers use the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.sources import open_data
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from core.paths import ROOT, is_public, portable, resolve, uploads_dir


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SPACE_ID", "owner/space")
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "data" / "runs"))
    (tmp_path / "data" / "uploads").mkdir(parents=True)
    return tmp_path


def test_a_relative_path_is_from_here_or_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("assets/demo-model") == ROOT / "assets/demo-model"
    (tmp_path / "rows.csv").write_text("a\n1\n")
    assert resolve("rows.csv") == tmp_path / "rows.csv"
    assert portable(ROOT / "assets" / "x") == "assets/x" and portable(tmp_path) == str(tmp_path)


@pytest.mark.parametrize("path", ["/etc/passwd", "/nowhere/at/all", "../../etc/passwd", "~/.ssh/id_rsa", ".git/config",
                                  "core/config.py", "assets/../.git/config", "assets/../../x"])  # fmt: skip
def test_a_stranger_reads_no_file_of_the_machine(public: Path, path: str) -> None:
    with pytest.raises(InputError, match="open to everybody"):
        resolve(path)


def test_a_stranger_follows_no_link_out_of_the_uploads(public: Path) -> None:
    secret = public / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    link = uploads_dir() / "link.csv"
    link.symlink_to(secret)
    with pytest.raises(InputError, match="open to everybody"):
        open_data(str(link))


def test_a_stranger_uses_demo_files_uploads_and_the_hub(public: Path) -> None:
    upload = uploads_dir() / "own.csv"
    upload.write_text("text,label\nfine,glad\n")
    assert len(open_data(str(upload)).rows) == 1
    assert load_tokenizer("assets/demo-model").eos_token == "<|end|>"
    assert resolve("owner/model") == ROOT / "owner/model"


def test_public_may_be_said_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public()
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    assert is_public()
    monkeypatch.setenv("SPACE_ID", "owner/space")
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert not is_public()

"""Uploads are kept under safe names."""

from pathlib import Path

import pytest

from core.errors import InputError
from ui import uploads


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\me\\rows.JSONL", "rows.jsonl"),
        (".hidden.json", "hidden.json"),
        ("a<b>|c?.csv", "a-b--c.csv"),
        ("Ünï çödé (1).txt", "Ünï çödé (1).txt"),
        ("con.csv", "con-file.csv"),
        ("...", "data"),
        ("x" * 300 + ".csv", "x" * 80 + ".csv"),
    ],
)
def test_a_name_is_safe_everywhere(given: str, wanted: str) -> None:
    assert uploads.safe_name(given) == wanted


def test_a_file_is_kept_once_for_each_content(tmp_path: Path, folder: Path) -> None:
    one = tmp_path / "rows.csv"
    one.write_text("a,b\n1,2\n")
    first, again = uploads.keep(one), uploads.keep(one)
    assert first == again
    assert Path(first).is_relative_to(folder)
    one.write_text("a,b\n3,4\n")
    assert uploads.keep(one) != first
    assert len(list(folder.rglob("*.csv"))) == 2 and not list(folder.rglob("*.part"))


def test_what_cannot_be_kept_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.exe").write_bytes(b"MZ")
    with pytest.raises(InputError, match="not a kind of file"):
        uploads.keep(tmp_path / "x.exe")
    (tmp_path / "x.csv").write_text("a\n1\n")
    monkeypatch.setattr(uploads, "LIMIT_MB", 0)
    with pytest.raises(InputError, match="at most 0 MB"):
        uploads.keep(tmp_path / "x.csv")
    monkeypatch.undo()
    monkeypatch.setattr("shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path / "full"))
    with pytest.raises(InputError, match="no space left on device"):
        uploads.keep(tmp_path / "x.csv")

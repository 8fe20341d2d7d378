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


def test_files_of_a_private_set_are_kept_and_the_token_is_not(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.models import hub

    seen = []

    def fetch(repository: str, name: str | None, split: str | None) -> list[Path]:
        seen.append((repository, name, hub.token_mark()))
        for part in range(2):
            (tmp_path / f"train-0000{part}-of-00002.jsonl").write_text(f'{{"q": "{part}", "a": "b"}}\n')
        return sorted(tmp_path.glob("train-*.jsonl"))

    monkeypatch.setattr("core.data.sources.fetch_data", fetch)
    before = hub.token_mark()
    kept = uploads.keep_from_hub("owner/private", "small", None, "hf_secret_of_ada")
    assert [path.name for path in sorted((folder.parent / kept).iterdir())] == [
        "train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"
    ]  # fmt: skip
    assert seen[0][:2] == ("owner/private", "small")
    assert seen[0][2] != before == hub.token_mark()
    assert not any("hf_secret" in path.read_text() for path in folder.rglob("*") if path.is_file())


def test_several_files_are_kept_together_once(tmp_path: Path, folder: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(f"x,y\n{name},1\n")
    first = uploads.keep_all([tmp_path / "b.csv", tmp_path / "a.csv"])
    again = uploads.keep_all([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert first == again
    assert Path(first).name == "b and 1 more"
    assert len(list(folder.rglob("*.csv"))) == 2
    with pytest.raises(InputError, match="Two of the files are named 'a.csv'"):
        uploads.keep_all([tmp_path / "a.csv", tmp_path / "a.csv"])

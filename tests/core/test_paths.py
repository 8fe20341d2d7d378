"""What a path in a config means, and what it may not mean where strangers use the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.sources import open_data
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from core.paths import ROOT, is_public, place, portable, refuse_unwritable, resolve, runs_dir, uploads_dir


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


NO_PATHS = [
    "~nosuchuser/x",
    "~root",
    "x" * 5000,
    "a/" + "b" * 300,
    "a\0b",
    "\ud800x",
    "~",
    "/proc/self/root" + "/etc/passwd",
]


@pytest.mark.parametrize("path", [*NO_PATHS[:1], *NO_PATHS[2:6]])
def test_what_can_be_no_path_is_a_sentence_with_its_field(path: str) -> None:
    with pytest.raises(InputError, match="is no path for model.path: ") as caught:
        resolve(path, "model.path")
    assert caught.value.field == "model.path" and len(str(caught.value)) < 400
    with pytest.raises(InputError, match="is no path for --out: ") as caught:
        place(path, "--out")
    assert not caught.value.field


@pytest.mark.parametrize("path", ["", "  ", "\t"])
def test_nothing_is_no_path(path: str) -> None:
    with pytest.raises(InputError, match="No path is given for --run-dir"):
        place(path, "--run-dir")


def test_a_link_to_itself_and_a_file_as_a_folder_are_places_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    for path in (tmp_path / "loop", tmp_path / "loop" / "x", tmp_path / "file" / "x"):
        try:
            assert not resolve(str(path), "data.path").exists()
        except InputError as error:
            assert "symbolic links" in str(error)
    for path in ("loop", "loop/x", "file/x", "file"):
        with pytest.raises(
            InputError, match="--out: the folder .* cannot be made: .* is a (file|link that leads nowhere)"
        ):
            refuse_unwritable(tmp_path / path, "--out")


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_stranger_is_told_the_same_whatever_the_reason(public: Path, path: str) -> None:
    said = []
    for one in (path, "/etc/passwd"):
        with pytest.raises(InputError) as caught:
            resolve(one, "model.path")
        said.append(str(caught.value).partition(" cannot be used here")[2])
    assert said[0] == said[1] and said[0]


def test_a_folder_that_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unwritable(tmp_path / "new" / "inner")
    assert not list(tmp_path.iterdir())  # what was tried is gone

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("core.paths.tempfile.mkdtemp", denied)  # root may write everywhere
    with pytest.raises(InputError, match=r"--out: .* nothing can be written into .* \(permission denied\)"):
        refuse_unwritable(tmp_path / "new", "--out")


def test_a_variable_that_names_no_folder_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_RUNS", "~nosuchuser/runs")
    with pytest.raises(InputError, match="is no path for TUNESMITH_RUNS: there is no user 'nosuchuser'"):
        runs_dir()

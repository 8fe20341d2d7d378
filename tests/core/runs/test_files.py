"""Files are whole or not there."""

import json
import os
import stat

import pytest

from core.runs import files


def test_numbers_that_are_not_finite_become_null(tmp_path):
    files.write_json(
        tmp_path / "a.json", {"loss": float("nan"), "all": (float("inf"), 1.5), "in": {"x": -float("inf")}}
    )
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": None, "all": [None, 1.5], "in": {"x": None}}


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a", "before")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        files.write_text(tmp_path / "a", "after")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_others_may_read_what_is_written(tmp_path):
    files.write_text(tmp_path / "a", "x")
    with files.whole_folder(tmp_path / "f") as work:
        (work / "private").touch(mode=0o600)
    mask = files._umask()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "f" / "private").stat().st_mode) == 0o666 & ~mask


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with files.whole_folder(tmp_path / "f") as work:
        (work / "a").write_text("1")
        assert not (tmp_path / "f").exists()
    with pytest.raises(ValueError), files.whole_folder(tmp_path / "f") as work:
        (work / "a").write_text("2")
        raise ValueError
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f" / "a").read_text() == "1"


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    with files.locked(tmp_path / "l") as first, files.locked(tmp_path / "l") as second:
        assert first and not second
    with files.locked(tmp_path / "l") as third:
        assert third


def test_tail_gives_whole_lines_from_the_end(tmp_path):
    (tmp_path / "log").write_text("".join(f"line {i}\n" for i in range(1000)))
    assert files.tail(tmp_path / "log", most=20)[-1] == "line 999"
    assert all(line.startswith("line ") for line in files.tail(tmp_path / "log", most=25))
    assert files.tail(tmp_path / "none") == []

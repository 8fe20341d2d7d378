"""What a file holds is made once for each version of it."""

import os
import time

from core.runs.versions import OfVersion, settled, version


def old(path, text, seconds=10):
    """A file that was written some time ago."""
    path.write_text(text)
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_version_is_another_after_each_change(tmp_path):
    path = tmp_path / "file"
    assert version(path) is None and version("nul\0") is None
    old(path, "one")
    first = version(path)
    old(path, "three")
    second = version(path)
    (tmp_path / "other").write_text("three")
    os.utime(tmp_path / "other", ns=(second[2], second[2]))
    os.replace(tmp_path / "other", path)
    assert len({first, second, version(path)}) == 3


def test_made_once_until_a_file_changes(tmp_path):
    path, made = tmp_path / "file", []
    memo = OfVersion(2)

    def get(name="a"):
        return memo.get(name, (version(path), version(tmp_path / "gone")), lambda: made.append(1) or path.read_text())

    old(path, "one")
    assert [get() for _ in range(3)] == ["one"] * 3 and len(made) == 1
    old(path, "two", 5)
    assert [get(), get()] == ["two"] * 2 and len(made) == 2
    assert memo.found("a")[1] == "two" and memo.found("b") is None
    get("b"), get("c")
    assert memo.found("a") is None
    memo.clear()
    assert memo.found("c") is None


def test_what_was_written_a_moment_ago_is_not_relied_on(tmp_path):
    """It may be written again within the same tick of the file system's clock, to the same size and inode."""
    path, memo = tmp_path / "file", OfVersion(2)
    now = time.time_ns()
    assert not settled(None, (1, 1, now)) and settled(None, (1, 1, now - 10**9), (1, 1, now + 10**12))
    path.write_text("one")
    memo.get("a", ((1, 3, time.time_ns()),), path.read_text)
    assert memo.found("a") is None

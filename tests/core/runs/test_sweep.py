"""Uploads that no run names go after a day, on a public page; whatever a run names, and what is new, stays."""

import os
import time

import pytest

from core.config import build, dumps
from core.paths import uploads_dir
from core.runs import sweep as module
from core.runs.sweep import GOING, KEPT_S, sweep

DAY = 24 * 3600


@pytest.fixture
def public(runs_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path / "uploads"))


def upload(number, days, name="rows.jsonl", inside=""):
    """An upload that was written so many days ago."""
    folder = uploads_dir() / f"{number:012x}"
    file = folder / inside / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    then = time.time() - days * DAY
    for path in (file, *file.parents):
        if path.is_relative_to(folder):
            os.utime(path, (then, then))
    return file


def run(runs_dir, name, text):
    folder = runs_dir / name
    folder.mkdir()
    (folder / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())


def left():
    return sorted(int(path.name, 16) for path in uploads_dir().iterdir() if path.name[0] != ".")


def test_what_nobody_names_goes_after_a_day(public, runs_dir):
    upload(1, 0.9)
    upload(2, 1.1)
    upload(3, 40, "a.csv", "a and 2 more")
    trained, held = upload(4, 40), upload(5, 40)
    upload(6, 40)
    upload(7, 40)
    run(runs_dir, "one", dumps(build({"data": {"path": str(trained)}, "evaluation": {"data": f"{held}[:5]"}})))
    run(runs_dir, "kept-back", dumps(build({"data": {"path": "x.csv", "validation": f"{uploads_dir()}/{6:012x}/rows.jsonl"}})))
    run(runs_dir, "damaged", b"\xff\xfe: [" + f"uploads/{7:012x}".encode())
    (runs_dir / "no-run").mkdir()
    (runs_dir / "file").write_text("x")
    assert sorted(int(name, 16) for name in sweep()) == [2, 3]
    assert left() == [1, 4, 5, 6, 7] and sweep() == []


def test_on_ones_own_machine_nothing_goes(public, monkeypatch):
    upload(1, 400)
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    assert sweep() == [] and left() == [1]


def test_what_is_being_written_or_was_uploaded_again_stays(public):
    writing, again, inner = upload(1, 9), upload(2, 9), upload(3, 9, "a.csv", "a and 1 more")
    writing.with_name(".rows.jsonl.77.part").write_text("{")
    os.utime(writing.parent, (1, 1))
    os.utime(again)
    os.utime(inner)
    assert sweep() == [] and left() == [1, 2, 3]


def test_no_other_folder_is_touched(public):
    upload(1, 9)
    for name in ("notes", "0123456789ab-x", "0123456789a", "0123456789AB"):
        (uploads_dir() / name).mkdir()
        (uploads_dir() / name / "x").write_text("x")
        for path in (uploads_dir() / name / "x", uploads_dir() / name):
            os.utime(path, (1, 1))
    (uploads_dir() / "0123456789ff").symlink_to(uploads_dir() / "notes")
    assert sweep() == [f"{1:012x}"] and len(list(uploads_dir().iterdir())) == 5


def test_a_run_that_takes_it_meanwhile_keeps_it(public, runs_dir, monkeypatch):
    file, real, looks = upload(1, 9), module._named, []

    def late():
        looks.append(real())
        if len(looks) == 1:  # just after the first look, somebody starts a run
            run(runs_dir, "late", f"data: {{path: {file}}}")
        return looks[-1]

    monkeypatch.setattr(module, "_named", late)
    assert sweep() == [] and file.is_file() and len(looks) == 2


def test_what_an_interrupted_sweep_left_behind(public, runs_dir):
    gone, wanted = upload(1, 9), upload(2, 9)
    for file in (gone, wanted):
        file.parent.rename(file.parent.with_name(GOING + file.parent.name))
    run(runs_dir, "wants", f"data: {{path: {wanted}}}")
    assert sweep() == [f"{1:012x}"] and wanted.is_file() and not gone.exists() and left() == [2]


def test_where_a_config_cannot_be_read_nothing_goes(public, runs_dir, monkeypatch):
    upload(1, 9)
    run(runs_dir, "locked", "data: {}")
    real = type(runs_dir).read_bytes

    def denied(path):
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(type(runs_dir), "read_bytes", denied)
    assert sweep() == [] and left() == [1]


def test_configs_are_read_only_where_something_is_old_enough(public, monkeypatch):
    upload(1, 0.5)
    monkeypatch.setattr(module, "_named", lambda: pytest.fail("nothing is old"))
    assert sweep() == [] and KEPT_S == DAY

"""Only whole checkpoints count."""

import json

import pytest

from core.runs import checkpoints


def make(folder, step, content=b"weights"):
    path = folder / f"step-{step}"
    path.mkdir(parents=True)
    (path / "model.bin").write_bytes(content)
    checkpoints.write_manifest(path)
    return path


def test_only_whole_checkpoints_count(tmp_path):
    for step in (5, 10, 100):
        make(tmp_path, step)
    (tmp_path / "step-100" / "manifest.json").unlink()
    (tmp_path / "step-200").mkdir()
    (tmp_path / "best-7").mkdir()
    assert checkpoints.steps(tmp_path) == [5, 10]
    assert checkpoints.steps(tmp_path / "none") == []


def test_a_damaged_one_falls_back_to_the_one_before_with_a_note(tmp_path):
    for step in (5, 10, 15):
        make(tmp_path, step)
    (tmp_path / "step-15" / "model.bin").write_bytes(b"short")
    (tmp_path / "step-10" / "model.bin").write_bytes(b"WEIGHTS")
    path, notes = checkpoints.newest(tmp_path)
    assert path == tmp_path / "step-5"
    assert notes == [
        "The checkpoint of step 15 is not used: model.bin has 5 bytes instead of 7.",
        "The checkpoint of step 10 is not used: the content of model.bin has changed.",
    ]
    (tmp_path / "step-5" / "model.bin").unlink()
    assert checkpoints.newest(tmp_path)[0] is None


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model.bin": 7}, "its manifest.json cannot be read: files.model.bin: 7 should be an object"),
        ({"model.bin": {"bytes": 7}}, "its manifest.json cannot be read: files.model.bin.sha256: it is missing"),
        ({"model.bin": {"sha256": "x"}}, "its manifest.json cannot be read: files.model.bin.bytes: it is missing"),
        ({"other.bin": {"bytes": 7, "sha256": "x"}}, "model.bin is not in its manifest.json"),
        (["model.bin"], "its manifest.json cannot be read: files: ['model.bin'] should be an object"),
    ],
)
def test_an_edited_manifest_is_one_that_is_not_used(tmp_path, files, says):
    make(tmp_path, 5)
    (make(tmp_path, 10) / "manifest.json").write_text(json.dumps({"files": files}))
    path, notes = checkpoints.newest(tmp_path)
    assert path == tmp_path / "step-5" and notes == [f"The checkpoint of step 10 is not used: {says}."]
    assert checkpoints.steps(tmp_path) == [5]


def test_what_is_needed_must_be_there_whatever_the_manifest_says(tmp_path):
    make(tmp_path, 5)
    path, notes = checkpoints.newest(tmp_path, ["model.bin", "optimizer.pt"])
    assert path is None and notes == ["The checkpoint of step 5 is not used: optimizer.pt is missing."]


def test_the_manifest_lists_every_file(tmp_path):
    path = make(tmp_path, 1)
    (path / "sub").mkdir()
    (path / "sub" / "x").write_text("y")
    checkpoints.write_manifest(path)
    assert set(json.loads((path / "manifest.json").read_text())["files"]) == {"model.bin", "sub/x"}


def test_rotation_keeps_the_newest(tmp_path):
    for step in (5, 10, 15, 20):
        make(tmp_path, step)
    (tmp_path / ".writing-step-25-x").mkdir()
    (tmp_path / "best-5").mkdir()
    checkpoints.rotate(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best-5", "step-15", "step-20"]

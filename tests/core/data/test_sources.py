"""Paths, slices, Hub ids, the cache, the real files and the demo sets."""

import os
from pathlib import Path

import pytest

from core.data import readers
from core.data.sources import demo_sets, open_data
from core.data.suggest import suggest_template
from core.data.template import check_template
from core.errors import InputError
from tests.factory import write_jsonl

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def ten(tmp_path):
    return write_jsonl(tmp_path / "dir with space" / "zehn ü.jsonl", [{"n": str(i)} for i in range(10)])


@pytest.mark.parametrize(
    ("part", "want"),
    [
        ("[:3]", range(10)[:3]), ("[3:]", range(10)[3:]), ("[-2:]", range(10)[-2:]), ("[2:5]", range(10)[2:5]),
        ("[:]", range(10)), ("[ 1 : -1 ]", range(10)[1:-1]), ("[5:99]", range(5, 10)), ("[10%:30%]", range(1, 3)),
        ("[-20%:]", range(8, 10)), ("", range(10)),
    ],
)  # fmt: skip
def test_a_slice_is_pythons(ten, part, want):
    assert [r["n"] for r in open_data(f"{ten}{part}").rows] == [str(i) for i in want]


@pytest.mark.parametrize(
    ("part", "words"),
    [("[]", "is empty"), ("[::2]", "is no slice"), ("[3]", "is no slice"), ("[a:b]", "is no slice"),
     ("[20:30]", "holds no rows: the file has 10"), ("[:200%]", "200% is no share")],
)  # fmt: skip
def test_a_wrong_slice_says_so(ten, part, words):
    with pytest.raises(InputError, match=words) as error:
        open_data(f"{ten}{part}")
    assert error.value.field == "data.path"


def test_a_file_whose_name_looks_like_a_slice(tmp_path):
    file = write_jsonl(tmp_path / "rows[1:2]", [{"n": "a"}, {"n": "b"}])
    assert len(open_data(str(file)).rows) == 2


def test_fingerprints_tell_content_and_slices_apart(ten, tmp_path):
    other = write_jsonl(tmp_path / "other.jsonl", [{"n": str(i)} for i in range(10)])
    marks = {open_data(f"{ten}{part}").fingerprint for part in ("", "[:3]", "[:4]")}
    assert len(marks) == 3 and open_data(str(other)).fingerprint in marks


def test_a_file_is_read_once_and_again_when_it_changes(ten, monkeypatch):
    read, calls = readers.read, []
    monkeypatch.setattr(readers, "read", lambda path, *rest: calls.append(path) or read(path, *rest))
    open_data(str(ten)), open_data(f"{ten}[:3]"), open_data(str(ten))
    assert len(calls) == 1
    write_jsonl(ten, [{"n": "new"}])
    os.utime(ten, ns=(1, 1))
    assert [r["n"] for r in open_data(str(ten)).rows] == ["new"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "No data is chosen"), ("{ten}x", "Did you mean 'zehn ü.jsonl'"),
        ("~nobody-here/x", "is no path"), ("x" * 5000, "file name too long"), ("a\0b", "no path has"),
        ("/no/such/folder/rows.csv", "There is no folder '/no/such/folder' either"),
    ],
)  # fmt: skip
def test_what_is_no_file(ten, spec, words):
    with pytest.raises(InputError, match=words):
        open_data(spec.replace("{ten}", str(ten)).replace("{folder}", str(ten.parent)))


def test_no_right_to_read(ten, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="you have no right to read it"):
        open_data(str(ten))


def test_a_hub_id_without_a_network(no_network):
    with pytest.raises(InputError, match="'someone/some-set' here, and the Hugging Face Hub cannot be reached"):
        open_data("someone/some-set")
    no_network.clear()


def test_rows_are_cheap_and_whole(ten):
    rows = open_data(str(ten)).rows
    assert rows[-1] == {"n": "9"} and len(rows[2:5]) == 3 and rows[::3][1] == {"n": "3"}
    assert list(rows.take([5, 1])) == [{"n": "5"}, {"n": "1"}]
    with pytest.raises(IndexError):
        rows[10]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "count", "layout"),
    [("alpaca_en_demo.json", 999, "alpaca"), ("banking77_train.csv", 10003, "text_label"),
     ("banking77_test.csv", 3080, "text_label"), ("e2e_devset.csv", 4672, "prompt_completion")],
)  # fmt: skip
def test_real_files(name, count, layout):
    source = open_data(str(SHARED / name))
    assert (len(source.rows), source.layout.name) == (count, layout)
    check_template(suggest_template(source.layout), source.columns)


def test_demo_sets():
    found = demo_sets()
    if not found:
        pytest.skip("the demo sets have not been made (make demo-model)")
    assert found[0].name == "fields"
    assert all(300 <= d.rows <= 2000 for d in found)


def test_a_stranger_is_not_told_the_names_of_other_uploads(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path))
    (tmp_path / "3fa9c0ffee12").mkdir()
    (tmp_path / "rows of ada.jsonl").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="Did you mean 'rows of ada.jsonl'"):
        open_data(str(tmp_path / "rows of ada.json"))
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    for name in ("rows of ada.json", "3fa9c0ffee13"):
        with pytest.raises(InputError) as caught:
            open_data(str(tmp_path / name))
        assert "Did you mean" not in str(caught.value)

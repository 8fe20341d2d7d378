"""One sheet of a workbook is read as it is seen there; what cannot be read gets its sentence, and the page lives on."""

import datetime
import gzip
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from core.data.readers import read
from core.data.sheets import read_workbook
from core.data.sources import Rows, open_data
from core.errors import InputError

GOOD = Path(__file__).parents[2] / "data" / "sheets"


def write(path, sheets, merged=()):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        for cells in merged:
            sheet.merge_cells(cells)
    book.save(path)
    return path


def rows_of(path, sheet=None):
    table = read(path, sheet)
    return list(Rows(table.data, table.json))


def refused(path, sheet=None):
    with pytest.raises(InputError) as error:
        open_data(str(path), sheet)
    assert "\n" not in str(error.value) and str(path.parent) not in str(error.value)
    return str(error.value), error.value.field


def test_values_are_those_of_the_cells(tmp_path):
    day, noon = datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 12, 30)
    file = write(
        tmp_path / "rows.xlsx",
        {
            "S": [
                ["q", "n", 2024],
                ["007", 7, day],
                ["two\nlines", 2.5, noon],
                ["#N/A", True, datetime.time(3, 4)],
                [None, -3, datetime.timedelta(hours=30)],
                ["  ", 1e20, None],
            ]
        },
    )
    assert rows_of(file) == [
        {"q": "007", "n": 7, "2024": "2024-01-02"},
        {"q": "two\nlines", "n": 2.5, "2024": "2024-01-02T12:30:00"},
        {"q": None, "n": True, "2024": "03:04:00"},
        {"q": None, "n": -3, "2024": "30:00:00"},
        {"q": None, "n": 1e20, "2024": None},
    ]


@pytest.mark.parametrize("name", sorted(p.name for p in GOOD.iterdir()))
def test_every_kind_of_workbook_also_packed(tmp_path, name):
    """Files that other programs wrote: a cover sheet, then a table that does not begin in the first cell."""
    expected = [{"phrase": "Zoë said no", "score": 1}, {"phrase": "naïve", "score": 2.5}]
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((GOOD / name).read_bytes()))
    plain = tmp_path / "without an ending"
    plain.write_bytes((GOOD / name).read_bytes())
    assert rows_of(GOOD / name) == rows_of(packed) == rows_of(plain) == expected
    assert read(GOOD / name).notes == ["The rows are those of the sheet 'Data'; there are others: Cover."]


def test_the_first_sheet_with_rows_and_a_named_one(tmp_path):
    file = write(tmp_path / "b.xlsx", {"Empty": [], "Head": [["q"]], "Data": [["q"], ["x"]], "Old": [["q"], ["y"]]})
    source = open_data(str(file))
    assert list(source.rows) == [{"q": "x"}]
    assert source.notes == ["The rows are those of the sheet 'Data'; there are others: Empty, Head, Old."]
    named = open_data(str(file), "old ")
    assert list(named.rows) == [{"q": "y"}] and named.fingerprint != source.fingerprint
    assert refused(file, "Dta") == (
        "b.xlsx has no sheet 'Dta'. Did you mean 'Data'? Its sheets: Empty, Head, Data, Old.", "data.name",
    )  # fmt: skip
    assert refused(file, "Empty") == ("b.xlsx holds no rows: every cell in its sheet 'Empty' is empty.", "data.path")
    assert refused(file, "Head") == ("b.xlsx, sheet 'Head': there is a header (q) and no rows.", "data.path")


def test_a_hidden_sheet_comes_last(tmp_path):
    file = write(tmp_path / "b.xlsx", {"Lists": [["a"], ["1"]], "Data": [["q"], ["x"]]})
    book = openpyxl.load_workbook(file)
    book["Lists"].sheet_state = "hidden"
    book.save(file)
    assert rows_of(file) == [{"q": "x"}]
    assert rows_of(file, "Lists") == [{"a": "1"}]


def test_a_name_of_a_sheet_for_another_file(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("q\nx\n")
    assert refused(file, "Data") == ("rows.csv is no workbook, so it has no sheet 'Data'.", "data.name")


def test_empty_rows_and_columns_are_passed_over(tmp_path):
    rows = [[None] * 4, [None, "q", None, "a"], [None] * 4, [None, "x", None, "y"], [None, None, None, "z"]]
    assert rows_of(write(tmp_path / "b.xlsx", {"S": rows})) == [{"q": "x", "a": "y"}, {"q": None, "a": "z"}]


def test_merged_cells(tmp_path):
    rows = [["Survey", None], ["label", "q"], ["good", "a"], [None, "b"], [None, None], ["bad", "c"]]
    file = write(tmp_path / "b.xlsx", {"S": rows}, ["A1:B1", "A3:A5"])
    assert rows_of(file) == [
        {"label": "good", "q": "a"}, {"label": "good", "q": "b"}, {"label": "bad", "q": "c"},
    ]  # fmt: skip
    assert read(file).notes == [
        "The merged cell above the names of the columns is taken for a title and left out.",
        "The value of a merged cell stands in each row that it covers.",
    ]


def test_columns_without_a_name(tmp_path):
    index = write(tmp_path / "index.xlsx", {"S": [[None, "q"], [0, "x"]]})
    assert rows_of(index) == [{"index": 0, "q": "x"}]
    far = write(tmp_path / "far.xlsx", {"S": [["q", "a"], ["x", "y"], ["x", "y", *[None] * 25, "ask Bob"]]})
    assert refused(far)[0] == (
        "far.xlsx, sheet 'S': column AB has no name in row 1, and a value in row 3. Name it, or remove the column."
    )
    twice = write(tmp_path / "twice.xlsx", {"S": [["q", "q"], ["x", "y"]]})
    assert refused(twice)[0] == "twice.xlsx: two columns are named 'q'. Rename one of them."


def test_a_value_in_the_last_cell_does_not_end_the_page(tmp_path):
    file = write(tmp_path / "b.xlsx", {"S": [["q"], ["x"]]})
    book = openpyxl.load_workbook(file)
    book["S"]["XFD1048576"] = "far"
    book.save(file)
    assert refused(file)[0] == (
        "b.xlsx needs more memory or time than a table of its size should: perhaps a value stands far down or far to "
        "the right of the rest. Save the sheet as CSV and give that."
    )


def test_a_workbook_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("core.data.workbook.MAX_BYTES", 1000)
    file = write(tmp_path / "b.xlsx", {"S": [["q"], ["x"]]})
    assert refused(file)[0].startswith("b.xlsx unpacks to more than 0 GB: save the sheet as CSV")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_workbook_that_is_cut(tmp_path, share):
    file = write(tmp_path / "b.xlsx", {"S": [["q"], ["x"]]})
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    assert refused(file)[0] == "b.xlsx is a damaged workbook: open it in its program and save it again."


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
def test_a_workbook_with_a_broken_part(tmp_path, part):
    whole = write(tmp_path / "whole.xlsx", {"S": [["q"], ["x"]]})
    file = tmp_path / "b.xlsx"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:-40] if name == part else old.read(name))
    try:
        assert rows_of(file) == [{"q": "x"}]  # a part that ends early may still hold all its values
    except InputError as error:
        assert str(error) == "b.xlsx is a damaged workbook: open it in its program and save it again."


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        ("word/document.xml", "a Word document: copy its table into a sheet, or its text into a plain text file"),
        ("ppt/presentation.xml", "a presentation: copy its text into a table first"),
        ("Index/Document.iwa", "an Apple document: export it as CSV"),
    ],
)
def test_documents_of_other_kinds(tmp_path, inside, what):
    file = tmp_path / "b.xlsx"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(inside, "x")
    assert refused(file)[0] == f"b.xlsx is {what}."


def test_a_text_document_of_libreoffice(tmp_path):
    file = tmp_path / "b.odt"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    assert refused(file)[0] == "b.odt is an OpenDocument file without a table: save a sheet as .ods."


def test_text_that_is_named_as_a_workbook(tmp_path):
    (tmp_path / "export.xls").write_text("q\ta\nx\ty\n")
    assert rows_of(tmp_path / "export.xls") == [{"q": "x", "a": "y"}]


def test_the_same_values_as_openpyxl(tmp_path):
    rows = [["text", "number"], *([f"row {i}", i * 0.5] for i in range(300))]
    file = write(tmp_path / "b.xlsx", {"S": rows})
    stranger = openpyxl.load_workbook(io.BytesIO(file.read_bytes())).active
    assert [list(r.values()) for r in rows_of(file)] == [list(r) for r in stranger.iter_rows(2, values_only=True)]
    assert read_workbook(file).columns == ["text", "number"]

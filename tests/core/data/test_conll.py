"""CoNLL: a word and its tag a line, a sentence a row; what is ragged names its line."""

import gzip

import pytest

from core.data.readers import read
from core.data.sources import Rows, open_data
from core.errors import InputError

ROWS = [
    {"tokens": ["Anna", "lives", "in", "New", "York"], "tags": ["B-PER", "O", "O", "B-LOC", "I-LOC"]},
    {"tokens": ["She", "left"], "tags": ["O", "O"]},
]


def write(path, separator=" ", middle=(), blank="\n", comments=""):
    text = comments
    for row in ROWS:
        for word, tag in zip(row["tokens"], row["tags"], strict=True):
            text += separator.join([word, *middle, tag]) + "\n"
        text += blank
    path.write_bytes(text.encode())
    return path


def read_rows(path):
    table = read(path)
    return list(Rows(table.data, table.json)), table.notes


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.bio", "a.txt", "a", "a.tsv", "A.CONLL"])
@pytest.mark.parametrize("separator", [" ", "\t", "   "])
def test_words_and_tags(tmp_path, name, separator):
    if name == "a.tsv" and separator != "\t":
        pytest.skip("no tabs in it")
    rows, notes = read_rows(write(tmp_path / name, separator))
    assert rows == ROWS
    assert notes == ["Each sentence is a row."]


def test_more_columns_documents_and_comments(tmp_path):
    file = write(
        tmp_path / "a.conll", " ", ("NNP", "B-NP"), " \n\n", "# source = x\n-DOCSTART- -X- -X- O\n\n# free words\n"
    )
    rows, notes = read_rows(file)
    assert rows == ROWS
    assert notes == ["Each sentence is a row: of 4 columns the first is the word and the last its tag."]


def test_a_hash_is_a_word_where_it_has_a_tag(tmp_path):
    (tmp_path / "a.conll").write_text("# O\n1 O\n\n#tag B-X\n")
    assert read_rows(tmp_path / "a.conll")[0] == [
        {"tokens": ["#", "1"], "tags": ["O", "O"]}, {"tokens": ["#tag"], "tags": ["B-X"]},
    ]  # fmt: skip


def test_gzip_and_windows_lines(tmp_path):
    plain = write(tmp_path / "a.conll").read_bytes()
    (tmp_path / "a.conll.gz").write_bytes(gzip.compress(plain.replace(b"\n", b"\r\n")))
    assert read_rows(tmp_path / "a.conll.gz")[0] == ROWS


CONLLU = """# sent_id = 1
# text = Im Haus
1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_
1\tIn\tin\tADP\t_\t_\t3\tcase\t_\t_
2\tdem\tder\tDET\t_\t_\t3\tdet\t_\t_
3\tHaus am See\tHaus\tNOUN\t_\t_\t0\troot\t_\t_
3.1\tist\tsein\tAUX\t_\t_\t_\t_\t_\t_

1\tJa\tja\tINTJ\t_\t_\t0\troot\t_\t_
"""


@pytest.mark.parametrize("name", ["a.conllu", "a.conll"])
def test_conllu_gives_form_and_upos(tmp_path, name):
    (tmp_path / name).write_text(CONLLU)
    rows, notes = read_rows(tmp_path / name)
    assert rows == [
        {"tokens": ["In", "dem", "Haus am See"], "tags": ["ADP", "DET", "NOUN"]}, {"tokens": ["Ja"], "tags": ["INTJ"]},
    ]  # fmt: skip
    assert notes == ["Each sentence is a row: its word forms (FORM) and their word classes (UPOS)."]


def test_a_file_without_blank_lines_says_so(tmp_path):
    assert read_rows(write(tmp_path / "a.bio", blank=""))[1][-1] == (
        "No blank line parts the file, so all of it is one sentence."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a B-X\nb\nc O\n", "a.conll, line 2: 1 column, where the first line has 2."),
        ("a\tB-X\n\nb\tc\tO\n", "a.conll, line 3: 3 columns, where the first line has 2."),
        ("a\tB-X\n\tO\n", "a.conll, line 2: the word is missing."),
        ("a\tB-X\nb\t\n", "a.conll, line 2: the tag is missing."),
        ("only words\n", None),
        ("one\ntwo\n", "a.conll: the line 'one' has no tag: a word and its tag are needed in each line."),
        ("\n \n", "a.conll holds nothing but white space."),
        ("# only = comments\n", "a.conll holds no words."),
    ],
)
def test_what_is_ragged_names_its_line(tmp_path, text, sentence):
    file = tmp_path / "a.conll"
    file.write_text(text)
    if sentence is None:
        assert read_rows(file)[0] == [{"tokens": ["only"], "tags": ["words"]}]
        return
    with pytest.raises(InputError) as error:
        open_data(str(file))
    assert str(error.value) == sentence


def test_prose_and_tables_are_not_taken_for_it(tmp_path):
    (tmp_path / "a.txt").write_text("I think it is O\nBut this is a line of prose\nand so is this one\n")
    assert read_rows(tmp_path / "a.txt")[0][0] == {"text": "I think it is O"}
    (tmp_path / "a.tsv").write_text("word\tclass\nbig\tADJ\nhouse\tNOUN\n")
    assert read_rows(tmp_path / "a.tsv")[0][0] == {"word": "big", "class": "ADJ"}

"""Tokens and tags: the text, the entities by every way of tagging, and rows that do not fit."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.formats import to_messages
from core.data.sources import open_data
from core.data.tagged import entities, join, spans
from core.errors import InputError
from tests.factory import write_jsonl


def opened(tmp_path, *rows):
    return open_data(str(write_jsonl(tmp_path / "rows.jsonl", list(rows))))


def test_text_and_entities_are_made(tmp_path):
    row = {"tokens": ["Ada", "Lovelace", "lived", "in", "London", "."],
           "ner_tags": ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]}  # fmt: skip
    source = opened(tmp_path, row, {"tokens": [], "ner_tags": []})
    assert source.rows[0] == row | {
        "text": "Ada Lovelace lived in London.", "entities": '{"PER": ["Ada Lovelace"], "LOC": ["London"]}',
    }  # fmt: skip
    assert source.rows[1]["text"] == "" and source.rows[1]["entities"] == "{}"
    assert source.columns == ["tokens", "ner_tags", "text", "entities"] and source.layout.name == "tokens_tags"
    assert source.notes == ["'text' and 'entities' were made from 'tokens' and 'ner_tags'."]


def test_a_text_that_is_there_stays(tmp_path):
    source = opened(tmp_path, {"text": "Hi , Ada", "tokens": ["Hi", ",", "Ada"], "tags": ["O", "O", "PER"]})
    assert source.rows[0]["text"] == "Hi , Ada" and source.rows[0]["entities"] == '{"PER": ["Ada"]}'


@pytest.mark.parametrize("bad", [
    {"tokens": ["a", "b"], "tags": ["O"]}, {"tokens": "a b", "tags": ["O"]}, {"tokens": ["a"], "tags": "O"},
])  # fmt: skip
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_row_that_does_not_fit_has_neither_and_changes_no_layout(tmp_path, bad, place):
    rows = [{"tokens": ["Ada", "sings"], "tags": ["B-PER", "O"]}] * 4
    source = opened(tmp_path, *rows[:place], bad, *rows[place:])
    assert source.layout.name == "tokens_tags" and len(source.rows) == 5
    assert source.rows[place] == bad | {"text": None, "entities": None}
    assert [row["text"] for row in source.rows].count("Ada sings") == 4
    with pytest.raises(InputError, match="and this row has none|a tag for each word is needed"):
        to_messages(source.rows[place], source.layout)


@pytest.mark.parametrize("row", [
    {"words": ["a", "b"], "labels": ["x"]}, {"tokens": "a b", "tags": "O O"}, {"tokens": ["a"], "tags": [["O"]]},
    {"tokens": 7, "label": "x"},
])  # fmt: skip
def test_other_rows_stay_as_they_are(tmp_path, row):
    assert list(opened(tmp_path, row, row).rows) == [row, row]


def parquet(path, tags, names):
    table = pa.Table.from_pylist([{"tokens": ["Ada", "Lovelace", "sings"], "ner_tags": tags}])
    if names:
        feature = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
        meta = {"info": {"features": {"ner_tags": feature}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(meta)})
    pq.write_table(table, path)
    return json.loads(open_data(str(path)).rows[0]["entities"])


def test_numbers_have_the_names_that_a_parquet_file_gives_them(tmp_path):
    assert parquet(tmp_path / "a.parquet", [1, 2, 0], ["O", "B-PER", "I-PER"]) == {"PER": ["Ada Lovelace"]}


def test_numbers_without_names_are_the_types(tmp_path):
    assert parquet(tmp_path / "a.parquet", [3, 3, 0], None) == {"3": ["Ada Lovelace"]}


def test_a_parquet_file_that_datasets_wrote(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    names = ["O", "B-LOC", "I-LOC"]
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=names))})
    Dataset.from_dict({"tokens": [["New", "York", "!"]], "ner_tags": [[1, 2, 0]]}, features).to_parquet(
        tmp_path / "a.parquet"
    )
    row = open_data(str(tmp_path / "a.parquet")).rows[0]
    assert (row["text"], row["entities"]) == ("New York!", '{"LOC": ["New York"]}')


TOKENS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(("tags", "want"), [
    ("B-X I-X O B-Y O", {"X": ["a b"], "Y": ["d"]}),
    ("B-X B-X I-X O O", {"X": ["a", "b c"]}),
    ("I-X I-X O I-Y I-Y", {"X": ["a b"], "Y": ["d e"]}),  # IOB1
    ("I-X B-X I-X I-Y O", {"X": ["a", "b c"], "Y": ["d"]}),  # IOB1: B only between two of one type
    ("B-X I-X E-X S-Y O", {"X": ["a b c"], "Y": ["d"]}),  # IOBES
    ("B-X I-X L-X U-Y U-Y", {"X": ["a b c"], "Y": ["d", "e"]}),  # BILOU
    ("B-X M-X E-X O S-X", {"X": ["a b c", "e"]}),  # BMES
    ("E-X E-X I-X S-X I-X", {"X": ["a", "b", "c", "d", "e"]}),
    ("B-X I-Y I-X O I-X", {"X": ["a", "c", "e"], "Y": ["b"]}),
    ("X X O Y X", {"X": ["a b", "e"], "Y": ["d"]}),
    ("B I O B B", {"entity": ["a b", "d", "e"]}),
    ("B-a-b I-a-b O 0 -100", {"a-b": ["a b"]}),
    ("O O O O O", {}),
])  # fmt: skip
def test_every_way_of_tagging(tags, want):
    assert entities(TOKENS, tags.split()) == want


def conll(tags):
    """The rules of the CoNLL scorer, as two questions asked of each pair of neighbours; written out independently."""
    parts = [("O", "")] + [tuple(t.split("-", 1)) if t != "O" else ("O", "") for t in tags] + [("O", "")]
    parts = [({"L": "E", "U": "S"}.get(mark, mark), kind) for mark, kind in parts]
    found, start = [], 0
    for place, ((before, old), (mark, new)) in enumerate(zip(parts, parts[1:], strict=False)):
        ends = before in "ES" or (before in "BI" and mark in "BSO") or (before != "O" and old != new)
        starts = mark in "BS" or (before in "ESO" and mark in "EI") or (mark != "O" and old != new)
        if ends:
            found.append((old, start, place))
        if starts:
            start = place
    return found


TAG = st.sampled_from(["O", *(f"{mark}-{kind}" for mark in "BIESLU" for kind in "XY")])


@given(st.lists(TAG, max_size=12))
def test_spans_are_those_of_the_conll_scorer(tags):
    assert spans(tags) == conll(tags)


@given(st.lists(st.tuples(st.sampled_from("XYZ"), st.integers(1, 4), st.integers(0, 2)), max_size=6), st.booleans())
def test_what_is_tagged_comes_back(chunks, bilou):
    tags, want = [], []
    for kind, length, gap in chunks:
        want.append((kind, len(tags), len(tags) + length))
        if bilou:
            tags += [f"U-{kind}"] if length == 1 else [f"B-{kind}", *[f"I-{kind}"] * (length - 2), f"L-{kind}"]
        else:
            tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        tags += ["O"] * gap
    assert spans(tags) == want


@pytest.mark.parametrize(("tokens", "text"), [
    ("Hello , world !", "Hello, world!"), ("( see [ 3 ] ) : yes", "(see [3]): yes"), ("50 % off ; really ?", None),
    ("a - b", "a - b"), ("What ?! No ...", "What?! No..."),
])  # fmt: skip
def test_spaces_between_tokens(tokens, text):
    assert join(tokens.split()) == (text or "50% off; really?")


@given(st.lists(st.text(st.sampled_from("ab.,()[]!%"), min_size=1, max_size=3), max_size=8))
def test_joining_changes_nothing_but_spaces(tokens):
    text = join(tokens)
    assert text.replace(" ", "") == "".join(tokens) and "  " not in text and text == text.strip()


def test_lists_in_the_cells_of_a_csv_file(tmp_path):
    path = tmp_path / "rows.csv"
    row = '"[""Ada"", ""sleeps""]","[""B-PER"", ""O""]"\n'
    path.write_text("tokens,ner_tags\n" + row * 3, encoding="utf-8")
    source = open_data(str(path))
    assert source.layout.name == "tokens_tags"
    assert [m["content"] for m in to_messages(source.rows[0], source.layout)] == ["Ada sleeps", '{"PER": ["Ada"]}']

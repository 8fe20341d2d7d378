"""A large array is read piece by piece, with the values and the sentences that it has when it is read at once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import jsonarrays, parsers
from core.data.readers import read
from core.data.rows import Rows
from core.errors import InputError

FLAT = [{"q": f"question {i} ]}},{{", "n": i, "big": 10**25 if i == 50 else None} for i in range(120)]
TALKS = [{"talk": [{"talk": "a", "n": [i]}, {"talk": '},{"talk":'}], "x": 1.0} for i in range(120)]


@pytest.fixture(params=[300, 5000])
def large(request, monkeypatch):
    """Windows of a few rows, so that the edges fall everywhere."""
    monkeypatch.setattr(parsers, "WHOLE", 40)
    monkeypatch.setattr(jsonarrays, "BLOCK", request.param)


def rows_of(path):
    table = read(path)
    return list(Rows(table.data, table.json))


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("rows", [FLAT, TALKS, [{}, *FLAT]])
@pytest.mark.parametrize(
    "wrap", [lambda r: r, lambda r: {"meta": {"list": [1, {}]}, "empty": [], "rows": r, "end": 1.5}]
)
def test_values_are_those_of_json(tmp_path, large, rows, wrap, indent):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(wrap(rows), indent=indent) + "\n")
    names = dict.fromkeys(n for row in rows for n in row)
    assert repr(rows_of(file)) == repr([{n: row.get(n) for n in names} for row in rows])


BROKEN = [
    '[{"a": 1}, {"a": 2} {"a": 3}]', '[{"a": 1}, {"a": 2},]', '[{"a": 1}, {"a": x}]', '[{"a": 1}, {"a": "x]',
    '[{"a": 1}, 7]', '[{"a": 1},\n {"a": "b" "c": 1}]', '[{"a": 1}, {"a": 2}', '[{"a": 1}] [2]', '"text"',
    '{"a": [{"b": 1}], "c": [{"d": 1}]}', '{"a": {"b": 1}}', '{"a": 1,\n\n b: [{"c": 1}]}', '{"a" [{"c": 1}]}',
    '[{"a":\n{"b" 1}}]', '7777777', '[{"a": "x\ny"}]',
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_wrong_has_the_same_sentence(tmp_path, monkeypatch, text):
    file, said = tmp_path / "rows.json", []
    file.write_text(text)
    for whole in (1 << 20, 4):
        monkeypatch.setattr(parsers, "WHOLE", whole)
        monkeypatch.setattr(jsonarrays, "BLOCK", 16)
        with pytest.raises(InputError) as error:
            read(file)
        said.append(str(error.value).replace(", line 1:", ":"))
    assert said[0] == said[1] or text.endswith(",]")


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.text(max_size=6) | st.integers()), min_size=8),
    st.integers(4, 60),
)
def test_any_array_and_any_window(tmp_path_factory, rows, block):
    file = tmp_path_factory.mktemp("json") / "rows.json"
    if not any(rows):
        return
    file.write_text(json.dumps(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsers, "WHOLE", 8)
        patch.setattr(jsonarrays, "BLOCK", block)
        found = rows_of(file)
    assert found == [
        {n: row.get(n) for n in found[0]} for row in json.loads(json.dumps(rows).replace("\\ud8", "\\ud8"))
    ]


def test_one_value_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parsers, "WHOLE", 1000)
    monkeypatch.setattr(jsonarrays, "LONGEST", 4000)
    monkeypatch.setattr(jsonarrays, "BLOCK", 500)
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"a": "x"}] * 200 + [{"a": "y" * 9000}]))
    with pytest.raises(InputError, match="one value has more than"):
        read(file)

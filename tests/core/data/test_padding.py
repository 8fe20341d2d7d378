"""Nulls that Arrow filled in are no values, whatever file they come in; nulls that somebody wrote are."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.formats import to_messages, tools
from core.data.sources import open_data


def call(name, **arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def row(*calls, tools=None):
    said = {"role": "assistant", "content": "", "tool_calls": list(calls)}
    talk = [
        {"role": "user", "content": "go"},
        said,
        {"role": "tool", "content": "1"},
        {"role": "assistant", "content": "x"},
    ]
    return {"messages": talk, **({"tools": tools} if tools else {})}


TOOLS = [
    {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
    {"name": "find", "parameters": {"type": "object", "properties": {"city": {"type": "object", "note": "x"}}}},
]
ROWS = [row(call("add", a=1, b=2), tools=TOOLS), row(call("find", city={"in": "BE", "big": True}), tools=TOOLS[1:])] * 4
PADDED = [row(call("add", a=1, b=2, city=None)), row(call("find", a=None, b=None, city={"in": "BE", "big": None}))] * 4


def arguments(path):
    source = open_data(str(path))
    made = [to_messages(one, source.layout) for one in source.rows]
    return [[c["function"]["arguments"] for m in one for c in m.get("tool_calls", ())] for one in made]


def written(tmp_path, rows, kind):
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "csv":
        lines = [json.dumps(json.dumps(one["messages"])).replace('\\"', '""') for one in rows]
        path.write_text("messages\n" + "\n".join(lines) + "\n")
    else:
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def test_a_file_in_columns_has_no_null_members(tmp_path):
    path = written(tmp_path, ROWS, "parquet")
    assert arguments(path)[:2] == [[{"a": 1, "b": 2}], [{"city": {"in": "BE", "big": True}}]]
    source = open_data(str(path))
    named = [[tool["function"] for tool in tools(one, source.layout)] for one in source.rows]
    assert named[:2] == [TOOLS, TOOLS[1:]]
    assert "null" not in json.dumps(list(source.rows))


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_padding_that_was_written_as_json_is_taken_out(tmp_path, kind):
    path = written(tmp_path, PADDED, kind)
    assert arguments(path)[:2] == [[{"a": 1, "b": 2}], [{"city": {"in": "BE"}}]]


def test_what_no_call_ever_fills_is_padding_unless_the_tool_has_it(tmp_path):
    one = [row(call("add", a=n, city=None), tools=TOOLS[:1]) for n in range(3)]
    assert arguments(written(tmp_path, one, "jsonl")) == [[{"a": n}] for n in range(3)]
    one = [row(call("add", a=n, b=None), tools=TOOLS[:1]) for n in range(3)]
    assert arguments(written(tmp_path, one, "json")) == [[{"a": n, "b": None}] for n in range(3)]
    assert arguments(written(tmp_path, [row(call("add", a=1, b=None))], "jsonl")) == [[{"a": 1, "b": None}]]


@pytest.mark.parametrize("kind", ["jsonl", "json"])
@pytest.mark.parametrize(
    "rows",
    [
        [row(call("add", a=1, b=None)), row(call("find", city="Ghent"))],
        [row(call("add", a=1, b=None)), row(call("add", a=None, b=2))],
        [row(call("now", at="x", by=None)), row(call("then", at="y", by="h")), row(call("now", at=None, by="C"))],
    ],
)  # fmt: skip
def test_a_null_that_somebody_wrote_stays(tmp_path, kind, rows):
    want = [[c["function"]["arguments"] for c in one["messages"][1]["tool_calls"]] for one in rows]
    assert arguments(written(tmp_path, rows, kind)) == want

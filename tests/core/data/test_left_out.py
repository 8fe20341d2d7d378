"""What check says is left out is what training leaves out: the same rows, by the same code, the first row or not."""

import copy
import json

import pytest

from core.config import build
from core.data.bulk import encode_rows
from core.data.dataset import open_examples
from core.data.report import findings
from core.data.split import split_source
from tests.factory import write_jsonl

LEFT_OUT = {"unreadable", "refused", "no_answer", "empty_answer", "unlearned", "undesired"}
STRICT = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def talk(*words):
    return [{"role": ("user", "assistant")[i % 2], "content": w} for i, w in enumerate(words)]


GOOD = [{"messages": talk(f"ask {i}", f"say {i}")} for i in range(6)]
PAIRS = [{"prompt": f"ask {i}", "completion": f"say {i}"} for i in range(6)]
TAGGED = [{"tokens": ["Ada", f"sings{i}"], "ner_tags": ["B-PER", "O"]} for i in range(6)]
# name -> (good rows, bad rows, settings of data)
CASES = {
    "refused": (GOOD, [{"messages": [{"role": "user", "content": "a"}, *talk("b", "c")]}], {}),
    "no turns": (GOOD, [{"messages": []}, {"messages": None}, {"messages": "hello"}], {}),
    "no answer": (GOOD, [{"messages": talk("a")}], {}),
    "empty answer": (GOOD, [{"messages": talk("a", "")}, {"messages": talk("a", "  ")}], {}),
    "marked": (GOOD, [{"messages": [talk("a")[0], talk("a", "b")[1] | {"weight": 0}]}], {}),
    "an image": (
        GOOD, [{"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}, talk("", "b")[1]]}], {},
    ),
    "a nameless call": (
        GOOD,
        [{"messages": [*talk("a"), {"role": "assistant", "content": None, "tool_calls": [{"function": {}}]}]}],
        {},
    ),
    "unknown role": (GOOD, [{"messages": [*talk("a", "b"), {"role": "wizard", "content": "c"}]}], {}),
    "one tool broken": (
        [{**row, "tools": "[]"} for row in GOOD], [{"messages": talk("a", "b"), "tools": "not json"}], {},
    ),
    "all tools broken": ([{**row, "tools": "[]"} for row in GOOD], [{**row, "tools": "no"} for row in GOOD], {}),
    "undesired": (
        [{**row, "label": True} for row in GOOD], [{"messages": talk("a", "b"), "label": False}] * 2, {},
    ),
    "undesired pairs": (
        [{**row, "desirable": 1} for row in PAIRS], [{"prompt": "a", "completion": "b", "desirable": 0}], {},
    ),
    "undesired under a template": (
        [{**row, "label": "true"} for row in PAIRS], [{"prompt": "a", "completion": "b", "label": "false"}],
        {"template": "{prompt}\n{completion}"},
    ),
    "empty pairs": (PAIRS, [{"prompt": "a", "completion": ""}, {"prompt": "a", "completion": None}], {}),
    "empty under a template with words in the answer": (
        PAIRS, [{"prompt": "a", "completion": " "}], {"template": "{prompt}\n[[Answer: {completion}]]"},
    ),
    "two answers": (PAIRS, [{"prompt": "", "completion": ""}], {"template": "[[{prompt}]]\n[[{completion}]]"}),
    "tags": (TAGGED, [{"tokens": ["a", "b"], "ner_tags": ["O"]}, {"tokens": "a b", "ner_tags": ["O"]}], {}),
    "tags under a template": (
        TAGGED, [{"tokens": ["a", "b"], "ner_tags": ["O"]}], {"template": "{text}\n{entities}"},
    ),
    "answers": (
        [{"question": f"q {i}", "answers": {"text": [f"a {i}"], "answer_start": [0]}} for i in range(6)],
        [{"question": "q", "answers": {"text": [], "answer_start": []}}, {"question": "q", "answers": None}], {},
    ),
    "choices": (
        [{"question": f"q {i}", "choices": ["x", "y"], "answer": i % 2} for i in range(6)],
        [{"question": "q", "choices": ["x", "y"], "answer": -1}, {"question": "q", "choices": [], "answer": 0}], {},
    ),
    "two columns of turns": (
        [{"prompt": talk(f"q {i}"), "completion": [{"role": "assistant", "content": f"a {i}"}]} for i in range(6)],
        [{"prompt": talk("q"), "completion": []}, {"prompt": talk("q"), "completion": None}], {},
    ),
    "ranking": (
        [{"conversations": talk(f"q {i}"), "chosen": talk("", f"a {i}")[1], "rejected": talk("", "b")[1]}
         for i in range(6)],
        [{"conversations": talk("q"), "chosen": {"role": "assistant", "content": ""}, "rejected": None}], {},
    ),
    "history": (
        [{"instruction": f"q {i}", "output": f"a {i}", "history": [["x", "y"]]} for i in range(6)],
        [{"instruction": "q", "output": "a", "history": "nothing of the kind"}], {},
    ),
    "nothing fits": (PAIRS, [{"prompt": "a", "completion": "b " * 400}], {"max_tokens": 64, "fixes": ["drop_long"]}),
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["bad rows first", "bad rows last"])
@pytest.mark.parametrize("name", CASES)
def test_the_same_rows_are_named_and_left_out(tmp_path, tokenizer, name, first):
    good, bad, data = CASES[name]
    strict = copy.copy(tokenizer)
    strict.chat_template = STRICT
    rows = [*bad, *good] if first else [*good, *bad]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    config = build({"data": {"path": str(path), "validation": 0, **data}})
    source = open_examples(config)
    assert len(source.rows) == len(rows)
    parts = split_source(source, config)
    named = {row for f in findings(source, config, strict, parts) if f.kind in LEFT_OUT for row in f.rows}
    _, report = encode_rows(source.rows, source.layout, config, strict)
    left_out = {row for reason, found in report.left_out.items() if "longer" not in reason for row in found}
    assert named == left_out
    places = range(len(bad)) if first else range(len(good), len(rows))
    assert {row for found in report.left_out.values() for row in found} == set(places)
    assert set(parts.train) >= set(report.kept)


def test_the_command_reports_a_file_whose_rows_are_all_bad(tmp_path, tokenizer_dir, capsys):
    from core.__main__ import main

    path = write_jsonl(tmp_path / "rows.jsonl", [{**row, "tools": "no json"} for row in GOOD])
    assert main(["check", str(path), "--model", str(tokenizer_dir), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    [finding] = [f for f in result["findings"] if f["kind"] == "unreadable"]
    assert (finding["rows"], finding["severity"], result["first"]) == ([0, 1, 2, 3, 4, 5], "error", None)

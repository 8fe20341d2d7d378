"""Real files of other people, where they are at hand: opened, checked, previewed, and trained on for a few steps."""

from pathlib import Path

import pytest

from core.config import build, dumps
from core.data.dataset import open_examples, sample
from core.data.encode import preview
from core.data.report import findings
from core.data.split import split_source
from core.data.suggest import suggest_task, suggest_template
from core.data.template import Wording, render
from core.models.tokenizer import load_tokenizer

SHARED = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/data are not here")

# file -> rows, layout, task
FILES = {
    "banking77_train.csv": (10003, "text_label", "classification"),
    "banking77_test.csv": (3080, "text_label", "classification"),
    "e2e_devset.csv": (4672, "prompt_completion", "generation"),
    "alpaca_en_demo.json": (999, "alpaca", "generation"),
    "alpaca_seed_tasks.jsonl": (175, "alpaca", "generation"),
}


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("assets/demo-model")


def opened(name, **data):
    config = build({"data": {"path": str(SHARED / name), **data}})
    return config, open_examples(config)


@pytest.mark.parametrize("name", FILES)
def test_it_is_read_as_what_it_is(name):
    rows, layout, task = FILES[name]
    _, source = opened(name)
    assert len(source.rows) == rows
    assert source.layout.name == layout
    assert suggest_task(source.layout, sample(source.rows)) == task


@pytest.mark.parametrize("name", FILES)
def test_every_row_looked_at_is_its_text_again(name, tokenizer):
    """Tokens decode to the text, and the mask begins where the answer begins."""
    _, source = opened(name)
    template = suggest_template(source.layout)
    for row in sample(source.rows, 100):
        segments = render(row, source.layout, template, tokenizer)
        seen = preview(row, source.layout, template, tokenizer, 10**6)
        assert tokenizer.decode([t["id"] for s in seen.segments for t in s["tokens"]]) == seen.text
        trained = "".join(t["text"] for s in seen.segments if s["trained"] for t in s["tokens"])
        assert trained == "".join(s.text for s in segments if s.trained)


def test_the_doctor_tells_a_good_file_from_one_with_repeats(tokenizer):
    config, source = opened("banking77_train.csv", template="{text}\n{category}")
    kinds = {f.kind: f for f in findings(source, config, tokenizer)}
    assert not [f for f in kinds.values() if f.severity == "error"]
    assert "secret" not in kinds
    config, source = opened("e2e_devset.csv", template="{mr}\n{ref}")
    kinds = {f.kind: f for f in findings(source, config, tokenizer)}
    assert kinds["leakage"].count == len(split_source(source, config).validation)  # each request has several answers


def test_one_request_of_e2e_stays_on_one_side(tokenizer):
    """E2E has several answers to each request: grouped by it, validation asks nothing that training asked."""
    config, source = opened("e2e_devset.csv", template="{mr}\n{ref}", group_by="mr")
    parts = split_source(source, config)
    asked = {source.rows[i]["mr"] for i in parts.train}
    assert parts.validation
    assert not asked & {source.rows[i]["mr"] for i in parts.validation}
    assert "leakage" not in {f.kind for f in findings(source, config, tokenizer, parts)}


def test_each_class_of_banking77_is_kept_back_in_its_share():
    config, source = opened("banking77_train.csv", template="{text}\n{category}")
    parts = split_source(source, config)
    counts = {}
    for side, places in (("train", parts.train), ("kept", parts.validation)):
        for row in source.rows.take(places):
            counts.setdefault(row["category"], {"train": 0, "kept": 0})[side] += 1
    assert len(counts) == 77
    assert all(abs(c["kept"] - 0.1 * sum(c.values())) <= 1 for c in counts.values())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "task", "system"),
    [
        ("banking77_train.csv", "classification", None),
        ("e2e_devset.csv", "generation", None),
        ("alpaca_en_demo.json", "generation", "Answer at length."),
    ],
)
def test_it_is_trained_on_for_a_few_steps(name, task, system, command, runs_dir, tmp_path):
    _, source = opened(name)
    template = None if system else suggest_template(source.layout)
    config = build(
        {
            "task": task,
            "data": {"path": f"{SHARED / name}[:200]", "template": template, "system": system, "max_tokens": 128},
            "training": {"max_steps": 3, "per_device_train_batch_size": 4, "logging_steps": 1},
            "evaluation": {"max_new_tokens": 4, "max_rows": 4},
        }
    )
    file = tmp_path / "config.yaml"
    file.write_text(dumps(config), encoding="utf-8")
    answer = command("train", file, "--json")
    assert answer.status == 0, answer.err
    assert answer.json["steps"] == 3
    assert 0 < answer.json["train_loss"] < 12


def test_a_template_as_the_source_document_writes_it_is_read(tokenizer):
    """Its first example: text with the marks of a family in it, and \\n for a line break in the shell."""
    _, source = opened("banking77_test.csv")
    template = (
        "<|start_header_id|>user<|end_header_id|>\n{text}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n{category}"
    )
    segments = render(source.rows[0], source.layout, Wording(template), tokenizer)
    assert [s.text.strip() for s in segments if s.trained][0].startswith("card_arrival")

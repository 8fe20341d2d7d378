"""The metrics against sacrebleu, rouge_score and scikit-learn, and by hand at the edges."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from core.errors import InputError
from core.evaluation import metrics
from core.evaluation.metrics import fields, match, rouge
from core.evaluation.metrics.base import normal
from core.tasks import TASKS, get

WORDS = "the a cat dog sat on mat, and then it ran. 12 café Ωmega 3.5 don't end-to-end 東京".split()


def pairs(seed: int, rows: int = 30, words: list[str] = WORDS) -> tuple[list[str], list[str]]:
    chance = random.Random(seed)
    references, predictions = [], []
    for _ in range(rows):
        want = [chance.choice(words) for _ in range(chance.randint(1, 14))]
        got = [w if chance.random() < 0.7 else chance.choice(words) for w in want][: chance.randint(0, 14)]
        references.append(" ".join(want))
        predictions.append(" ".join(got))
    return references, predictions


def one(name: str, references: list[str], predictions: list[str]) -> float:
    return metrics.METRICS[name].compute(references=references, predictions=predictions)


@pytest.mark.parametrize("seed", range(6))
def test_bleu_and_chrf_are_those_of_sacrebleu(seed: int) -> None:
    references, predictions = pairs(seed, words=WORDS[:-1])  # the last is Chinese: see test_bleu_takes_the_tokenizer...
    assert one("bleu", references, predictions) == pytest.approx(BLEU().corpus_score(predictions, [references]).score)
    references, predictions = pairs(seed)
    assert one("chrf", references, predictions) == pytest.approx(CHRF().corpus_score(predictions, [references]).score)


@given(st.lists(st.tuples(st.text("ab c.", max_size=12), st.text("ab c.", max_size=12)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_bleu_and_chrf_hold_on_the_shortest_texts(rows: list[tuple[str, str]]) -> None:
    references, predictions = [r for r, _ in rows], [p for _, p in rows]
    bleu = BLEU(effective_order=True).corpus_score(predictions, [references]).score
    assert one("bleu", references, predictions) == pytest.approx(bleu, abs=1e-9)
    chrf = CHRF().corpus_score(predictions, [references]).score
    assert one("chrf", references, predictions) == pytest.approx(chrf, abs=1e-9)


def test_a_perfect_short_answer_gets_all_points() -> None:
    for name in ("bleu", "chrf"):
        assert one(name, ["yes", "no"], ["yes", "no"]) == pytest.approx(100)


@pytest.mark.parametrize("seed", range(4))
def test_rouge_is_that_of_rouge_score_on_plain_english(seed: int) -> None:
    references, predictions = pairs(seed, words=[w for w in WORDS if w.isascii()] + ["snake_case"])
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    scored = [scorer.score(want, got) for want, got in zip(references, predictions, strict=True)]
    for name in ("rouge1", "rouge2", "rougeL"):
        assert one(name, references, predictions) == pytest.approx(float(np.mean([s[name].fmeasure for s in scored])))


def test_rouge_reads_every_script() -> None:
    assert one("rouge1", ["Η γάτα κοιμάται"], ["η γάτα τρέχει"]) == pytest.approx(2 / 3)
    assert one("rougeL", ["東京は晴れ"], ["東京は雨"]) == pytest.approx(2 * 3 / 9)


NEAR = {  # language: a reference and an answer that is near to it, and sacrebleu's tokenizer for it
    "Chinese": ("今天天气很好，我们去公园散步吧。", "今天天气很好，我们去公园走走吧。", "zh"),
    "Chinese with Latin": ("请打开 GPU 的电源开关", "请关闭 GPU 的电源开关", "zh"),
    "English with Chinese": ("the word 你好 means hello in Chinese", "the word 您好 means hello in Chinese", "zh"),
    "Japanese": ("今日は天気がいいので公園へ行きましょう。", "今日は天気がいいので公園に行きましょう。", "char"),
    "Thai": ("วันนี้อากาศดีเราไปเดินเล่นกันเถอะ", "วันนี้อากาศดีเราไปวิ่งเล่นกันเถอะ", "char"),
    "Khmer": ("ថ្ងៃនេះអាកាសធាតុល្អ", "ថ្ងៃនេះអាកាសធាតុអាក្រក់", "char"),
    "Korean": ("오늘은 날씨가 아주 좋아서 공원에 갑시다", "오늘은 날씨가 아주 좋아서 공원에 가요", "13a"),
    "English with kana": (
        "the word すし is a dish of rice and fish",
        "the word すし is a dish of fish and rice",
        "13a",
    ),
}


@pytest.mark.parametrize("language", NEAR)
def test_bleu_takes_the_tokenizer_of_the_script(language: str) -> None:
    want, got, tokenizer = NEAR[language]
    there = BLEU(effective_order=True, tokenize=tokenizer).corpus_score([got], [[want]]).score
    assert one("bleu", [want], [got]) == pytest.approx(there)
    assert there > 10
    notes = metrics.METRICS["bleu"].notes([want, want, "plain English"])
    assert notes == [] if tokenizer == "13a" else f"{tokenizer!r} for 2 rows, '13a' for 1 row" in notes[0]


def test_rouge_keeps_the_marks_on_letters() -> None:
    for one_word, other in (("लड़का", "लड़की"), ("কলা", "কলি"), ("มา", "เมา")):
        assert one("rouge1", [one_word], [other]) < 1
    assert rouge.words("लड़का और लड़की") == ["लड़का", "और", "लड़की"]
    assert rouge.words("مَدْرَسَة می\u200cخواهم") == ["مَدْرَسَة", "می\u200cخواهم"]
    assert rouge.words("שָׁלוֹם עולם") == ["שָׁלוֹם", "עולם"]
    assert rouge.words("cafe\u0301") == rouge.words("café")  # decomposed and composed
    assert rouge.words("ง่ายมาก") == ["ง่", "า", "ย", "ม", "า", "ก"]  # Thai writes no spaces: letters with their marks


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_longest_common_subsequence(one_way: list[str], other: list[str]) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one_way) + 1)]
    for i, a in enumerate(one_way):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert rouge.common(one_way, other) == table[-1][-1]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=40))
@settings(deadline=None)
def test_labels_are_scored_as_by_scikit_learn(rows: list[tuple[str, str]]) -> None:
    references, predictions = [r for r, _ in rows], [p for _, p in rows]
    assert one("accuracy", references, predictions) == pytest.approx(accuracy_score(references, predictions))
    for name in ("macro", "micro"):
        want = f1_score(references, predictions, average=name, zero_division=0)
        assert one(f"{name}_f1", references, predictions) == pytest.approx(want)
    labels = sorted({*references, *predictions})
    assert (
        match.confusion(references, predictions, labels)
        == confusion_matrix(references, predictions, labels=labels).tolist()
    )
    want = precision_recall_fscore_support(references, predictions, labels=labels, zero_division=0)
    for row, label, *figures in zip(
        match.per_label(references, predictions, labels), labels, *map(list, want), strict=True
    ):
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(figures)
        assert row["label"] == label


@pytest.mark.parametrize(
    ("want", "got", "right", "valid"),
    [
        ('{"a": 1, "b": "x y"}', '{"b": "x  y", "a": 1.0}', 1.0, 1),
        ('{"a": 9, "b": "x"}', '{"a": "9", "b": "X"}', 0.5, 1),
        ('{"a": 9, "b": "x"}', '{"a": 9, "b": "x"', 0.0, 0),
        ('{"a": 9, "b": "x"}', "a = 9; b = x", 0.0, 0),
        ('{"a": {"b": [1, 2]}, "c": true}', '{"a": {"b": [1, 3]}, "c": true, "d": 0}', 2 / 3, 1),
        ('{"a": null}', "{}", 0.0, 1),
        ("{}", "{}", 1.0, 1),
        ("{}", '{"a": 1}', 0.0, 1),
        ("name = Zoë\nage = 30", "age: 30\nname: Zoë", 1.0, 1),
        ("name = Zoë; time = 12:30", "name = Zoe\u0308; time = 12:45", 0.5, 1),
        ("name = Zoë; city = Ghent", '{"name": "Zoë"}', 0.0, 0),
        ("name = Zoë", "it was Zoë", 0.0, 0),
        ("k: v", "", 0.0, 0),
        ("free text", "free  text", 1.0, 0),
        ('{"zip": "007"}', '{"zip": 7}', 0.0, 1),
        ('{"a": 1e400}', '{"a": 1e400}', 1.0, 1),
    ],
)
def test_fields(want: str, got: str, right: float, valid: int) -> None:
    assert one("field_accuracy", [want], [got]) == pytest.approx(right)
    assert one("valid", [want], [got]) == valid


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.integers(), st.booleans(), st.none()), min_size=1))
def test_any_json_object_is_right_when_it_is_repeated(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert one("field_accuracy", [text], [json.dumps(value, indent=2, ensure_ascii=False)]) == 1.0
    assert fields.parse(text) is not None


@given(st.text())
def test_no_text_breaks_the_reading_of_fields(text: str) -> None:
    fields.parse(text)
    assert fields.parse("{" + text) is None or json.loads("{" + text) is not None


def test_deeply_nested_answers_are_not_readable_rather_than_fatal() -> None:
    assert fields.parse('{"a":' * 100_000 + "1" + "}" * 100_000) is None


def test_exact_match_forgives_white_space_alone() -> None:
    assert normal("  Zoe\u0308 \n is\there ") == "Zoë is here"
    assert one("exact_match", ["a b", "a b", "a b"], [" a\n b ", "A b", "a b."]) == pytest.approx(1 / 3)


def test_perplexity_weighs_tokens_not_rows() -> None:
    found = metrics.compute(["perplexity"], {"nll": [10.0, 2.0], "tokens": [4, 1]})
    assert found["perplexity"] == pytest.approx(math.exp(12 / 5))
    assert metrics.METRICS["bits_per_byte"].compute(nll=[math.log(2) * 8], bytes=[4]) == pytest.approx(2)
    assert metrics.METRICS["perplexity"].compute(nll=[1e9], tokens=[1]) == pytest.approx(math.exp(700))


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_every_metric_bears_no_rows_and_gives_plain_floats(name: str) -> None:
    metric = metrics.METRICS[name]
    assert metric.compute(**{c: [] for c in metric.inputs}) == 0.0
    row = {"references": ["a"], "predictions": [""], "nll": [0.0], "tokens": [0], "bytes": [0], "stopped": [True]}
    value = metric.compute(**{c: row[c] for c in metric.inputs})
    assert type(value) is float and math.isfinite(value)
    assert metric.meaning.endswith(".") and metric.label and metric.unit
    assert metric.leads in ("", *TASKS)


def test_the_table_names_what_each_task_leads_with() -> None:
    for name in TASKS:
        assert metrics.METRICS[get(name).METRICS[0]].leads == name


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        one("accuracy", ["a", "b"], ["a"])


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'rougeL'"):
        metrics.load("rouge_l")


def test_load_gives_metrics_of_the_evaluate_library() -> None:
    import evaluate

    references, predictions = pairs(3, rows=5)
    loaded = {name: metrics.load(name) for name in ("bleu", "rougeL", "exact_match")}
    for name, metric in loaded.items():
        assert isinstance(metric, evaluate.Metric) and metric.name
        found = metric.compute(references=references, predictions=predictions)
        assert found == {name: pytest.approx(one(name, references, predictions))}
    metric = metrics.load("chrf")
    for want, got in zip(references, predictions, strict=True):
        metric.add_batch(references=[want], predictions=[got])
    assert metric.compute() == {"chrf": pytest.approx(one("chrf", references, predictions))}
    both = evaluate.combine([metrics.load("bleu"), metrics.load("rouge1")])
    assert set(both.compute(references=references, predictions=predictions)) == {"bleu", "rouge1"}
    assert metrics.load("perplexity").compute(nll=[2.0, 4.0], tokens=[1, 2]) == {"perplexity": pytest.approx(math.e**2)}
    assert metrics.load("stopped_by_itself").compute(stopped=[True, False]) == {"stopped_by_itself": 0.5}


def test_the_table_needs_neither_evaluate_nor_torch(tmp_path: Any) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from core.evaluation import metrics; from core import tasks\n"
        "for t in tasks.TASKS: tasks.get(t).score(['a'], ['a'])\n"
        "heavy = {'torch', 'evaluate', 'datasets', 'transformers', 'nltk', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=metrics.__file__.split("/core/")[0])

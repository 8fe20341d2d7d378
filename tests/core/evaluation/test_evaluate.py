"""A run measured beside its base, against transformers' own loss and by hand; rows, groups, errors, stopping."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from core import config as configs
from core.data.sources import open_data
from core.data.split import split_source
from core.errors import InputError
from core.evaluation.evaluate import evaluate
from core.runs.state import Stopped
from core.runs.store import Run
from core.training.examples import prepare
from tests import factory
from tests.core.evaluation.conftest import TEMPLATE

PINNED = {"rows", "metrics", "baseline", "difference"}


@pytest.fixture(scope="module")
def measured(tone_run: Run) -> Any:
    told: list[tuple[float, float, str]] = []
    made = evaluate(tone_run, split="train", on_progress=lambda *say: told.append(say))
    return made, told


def test_a_tuned_model_is_better_than_its_base_and_surely_so(measured: Any, tone_run: Run) -> None:
    result = measured[0].result
    assert result.keys() >= PINNED and json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["rows"], result["task"], result["main_metric"]) == (18, "classification", "accuracy")
    assert result["metrics"]["accuracy"] == result["metrics"]["macro_f1"] == 1.0
    assert result["baseline"]["accuracy"] < 0.6
    assert result["metrics"]["exact_match"] == 1.0  # it says so freely, too
    assert result["stopped_by_itself"] == 1.0
    assert result["metrics"]["perplexity"] < 1.2 < 50 < result["baseline"]["perplexity"]
    gain = result["difference"]["accuracy"]
    assert gain["mean"] == pytest.approx(1 - result["baseline"]["accuracy"])
    assert 0 < gain["low"] <= gain["mean"] <= gain["high"] <= 1 and gain["p"] < 0.01
    assert result["difference"]["perplexity"]["high"] < 0
    assert set(result["about"]) == set(result["metrics"]) == set(result["baseline"]) == set(result["difference"])
    assert result["labels"] == ["angry", "calm", "joyful", "sad"]
    counts = result["confusion"]["counts"]
    assert sum(map(sum, counts)) == sum(row[i] for i, row in enumerate(counts)) == 18
    assert [row["recall"] for row in result["per_label"]] == [1.0] * 4
    assert any("trained on" in note for note in result["notes"])


def test_perplexity_is_that_of_transformers_row_by_row(measured: Any, tone_run: Run) -> None:
    config = tone_run.config()
    rows = prepare(config, lambda done, total: None).train
    for folder, found in ((config.model.path, "baseline"), (str(tone_run.dir / "model"), "metrics")):
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        total, count = 0.0, 0
        for row in rows:
            ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
            asked = int((labels[:, 1:] != -100).sum())
            with torch.no_grad():
                total += model(ids, labels=labels).loss.item() * asked
            count += asked
        assert measured[0].result[found]["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-4)


def test_every_answer_is_told(measured: Any, tone_run: Run) -> None:
    made, told = measured
    source = open_data(tone_run.config().data.path)
    for row in made.predictions:
        given = source.rows[row["row"]]
        assert row["prompt"] == TEMPLATE.replace("{phrase}", given["phrase"]).replace(" {tone}", "")
        assert row["want"] == given["tone"] == row["tuned"] == row["tuned_written"]
        assert row["tuned_ok"] is True and row["tuned_stopped"] is True
        assert row["base_ok"] == (row["base"] == row["want"])
        assert 0.5 < row["tuned_score"] <= 1
    dones = [done for done, _, _ in told]
    assert dones == sorted(dones) and told[-1][0] == told[-1][1]
    words = [what for _, _, what in told]
    assert "loading the base model" in words and "answering with the tuned model, row 18 of 18" in words


def test_what_is_measured_by_itself_are_the_rows_kept_back(own_run: Run) -> None:
    made = evaluate(str(own_run.dir), metrics=["perplexity"])
    config = own_run.config()
    kept = split_source(open_data(config.data.path), config).validation
    assert [row["row"] for row in made.predictions] == kept
    assert made.result["data"]["which"] == "validation"
    assert json.loads((own_run.dir / "evaluation" / "result.json").read_text("utf-8")) == made.result
    lines = (own_run.dir / "predictions" / "heldout.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == made.predictions
    assert set(made.result["metrics"]) == {"perplexity"} and made.predictions[0]["tuned"] is None


def test_held_out_rows_of_the_config_and_a_slice_of_them(own_run: Run, tmp_path: Path) -> None:
    rows = factory.tone_rows(30)[20:]
    held = factory.write_jsonl(tmp_path / "held out.jsonl", rows)
    config = own_run.config()
    changed = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"data": str(held)})})
    (own_run.dir / "config.yaml").write_text(configs.dumps(changed), encoding="utf-8")
    made = evaluate(own_run, metrics=["accuracy"], max_rows=5)
    assert made.result["rows"] == 5 and made.result["data"]["which"] == "held-out"
    assert [row["row"] for row in made.predictions] == [0, 2, 4, 6, 8]
    assert any("5 of 10 rows" in note for note in made.result["notes"])
    again = evaluate(own_run, metrics=["accuracy"], split="[1:4]", baseline=None)
    assert [row["want"] for row in again.predictions] == [row["tone"] for row in rows[1:4]]
    assert again.result["baseline"] is None and again.result["difference"] == {}


def test_rows_that_were_trained_on_are_owned_up_to(own_run: Run, tmp_path: Path) -> None:
    trained = split_source(open_data(own_run.config().data.path), own_run.config()).train
    rows = [factory.tone_rows()[i] for i in trained[:3]] + [{"phrase": "never seen", "tone": "sad"}]
    data = factory.write_jsonl(tmp_path / "leaky.jsonl", rows)
    made = evaluate(own_run, str(data), metrics=["accuracy"], baseline=None)
    assert any(note.startswith("3 of the 4 rows were trained on") for note in made.result["notes"])


def test_groups_are_measured_on_their_own(tiny_llama: Path, tmp_path: Path) -> None:
    rows = [row | {"names": "new" if i % 3 else "known", "id": i} for i, row in enumerate(factory.tone_rows(12))]
    data = factory.write_jsonl(tmp_path / "rows.jsonl", rows)
    alone = {
        name: factory.write_jsonl(tmp_path / f"{name}.jsonl", [r for r in rows if r["names"] == name])
        for name in ("known", "new")
    }
    options: dict[str, Any] = {"template": TEMPLATE, "metrics": ["chrf", "perplexity"], "max_new_tokens": 4}
    made = evaluate(str(tiny_llama), str(data), **options)
    assert set(made.result["groups"]) == {"names"}
    for name, path in alone.items():
        own = evaluate(str(tiny_llama), str(path), **options).result
        found = made.result["groups"]["names"][name]
        assert found["rows"] == own["rows"]
        assert {k: found[k] for k in own["metrics"]} == pytest.approx(own["metrics"], rel=1e-4)
    assert [row["group"] for row in made.predictions[:3]] == ["known", "new", "new"]


def test_a_model_alone_answers_by_its_chat_template(tiny_llama: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {i}?", "completion": f"It is {i}."} for i in range(3)]
    data = factory.write_jsonl(tmp_path / "qa.jsonl", rows)
    made = evaluate(str(tiny_llama), str(data), max_new_tokens=5)
    assert made.result["task"] == "generation" and made.result["main_metric"] == "bleu"
    assert made.predictions[1]["prompt"].endswith("<|im_start|>assistant\n")
    assert made.predictions[1]["want"] == "It is 1."


def test_another_model_as_the_baseline(own_run: Run, tiny_models: Any) -> None:
    made = evaluate(own_run, baseline=str(tiny_models("gpt2")), metrics=["bits_per_byte"])
    assert made.result["baseline_name"] == str(tiny_models("gpt2"))
    assert made.result["baseline"]["bits_per_byte"] > made.result["metrics"]["bits_per_byte"]


def test_rows_without_a_prompt_are_read_not_asked(tiny_llama: Path, tmp_path: Path) -> None:
    data = factory.write_jsonl(tmp_path / "t.jsonl", [{"text": "The lake lies still."}, {"text": "Tea first."}])
    made = evaluate(str(tiny_llama), str(data), template="{text}")
    assert (
        list(made.result["metrics"]) == ["perplexity", "bits_per_byte"] == [made.result["main_metric"], "bits_per_byte"]
    )
    with pytest.raises(InputError, match="nothing to ask"):
        evaluate(str(tiny_llama), str(data), template="{text}", metrics=["bleu"])


def test_empty_answers_are_left_out_and_said(tiny_llama: Path, tmp_path: Path) -> None:
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": ""}, {"q": "three", "a": "3"}]
    data = factory.write_jsonl(tmp_path / "gaps.jsonl", rows)
    made = evaluate(str(tiny_llama), str(data), template="{q}: {a}", metrics=["perplexity"])
    assert [row["row"] for row in made.predictions] == [0, 2]
    assert "1 row was left out: it has no answer." in made.result["notes"]


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"data": None}, "evaluation.data", "--data"),
        ({"data": "no/such.jsonl"}, "evaluation.data", "no/such.jsonl"),
        ({"split": "validation"}, "evaluation.data", "rows of a run's own data"),
        ({"split": "test"}, "evaluation.data", "'test' is not known"),
        ({"split": "[:0]"}, "evaluation.data", "holds no rows"),
        ({"split": "[a:b]"}, "evaluation.data", "no slice"),
        ({"template": "{phrases} {tone}"}, "data.template", "Did you mean {phrase}?"),
        ({"template": " "}, "data.template", "empty"),
        ({"task": "clasification"}, "task", "Did you mean 'classification'?"),
        ({"metrics": ["rougel"]}, "metrics", "Did you mean 'rougeL'?"),
        ({"baseline": "no/such/model"}, "model.path", "no/such/model"),
        ({"target": "no such model"}, "model.path", "no such model"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    tiny_llama: Path, rows_file: Path, options: dict[str, Any], field: str, words: str
) -> None:
    given = {"target": str(tiny_llama), "data": str(rows_file), "template": TEMPLATE} | options
    with pytest.raises(InputError) as caught:
        evaluate(given.pop("target"), given.pop("data"), **given)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.field == field


def test_a_run_brings_its_own_template_and_may_have_kept_nothing_back(own_run: Run) -> None:
    with pytest.raises(InputError, match="brings its task and template"):
        evaluate(own_run, template="{tone}")
    config = own_run.config()
    bare = config.model_copy(update={"data": config.data.model_copy(update={"validation": 0.0})})
    (own_run.dir / "config.yaml").write_text(configs.dumps(bare), encoding="utf-8")
    with pytest.raises(InputError, match="kept no rows back"):
        evaluate(own_run)


def test_stopping_leaves_the_last_result_as_it_was(own_run: Run) -> None:
    evaluate(own_run, metrics=["accuracy"], baseline=None)
    before = (own_run.dir / "evaluation" / "result.json").read_bytes()
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 5

    with pytest.raises(Stopped):
        evaluate(own_run, should_stop=stop)
    assert (own_run.dir / "evaluation" / "result.json").read_bytes() == before


def test_rows_that_one_model_cannot_take_count_for_neither(measured: Any) -> None:
    from core.evaluation.measure import Measured
    from core.evaluation.rows import Prepared

    rows = Prepared([3, 5, 8], [[1], [2], [3]], ["a", "b", "c"], ["x", "y", "z"], [([1], [1])] * 3, [1, 2, 3], {})
    whole = Measured(rows, [], [(1.0, 1), (2.0, 2), (3.0, 3)], None)
    part = whole.only([3, 8])
    assert (part.rows.wants, part.rows.sizes, part.surprises) == (["x", "z"], [1, 3], [(1.0, 1), (3.0, 3)])
    assert whole.only([3, 5, 8]) is whole and part.answers == []
    assert replace(whole, labels=["q"]).only([5]).labels == ["q"]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_model_whose_weights_are_ruined_still_gets_a_result(own_run: Run) -> None:
    model = AutoModelForCausalLM.from_pretrained(own_run.dir / "model")
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    model.save_pretrained(own_run.dir / "model")
    result = evaluate(own_run).result
    assert result["metrics"]["perplexity"] is None and "perplexity" not in result["difference"]
    assert result["metrics"]["accuracy"] is not None
    assert (own_run.dir / "evaluation" / "result.json").is_file()

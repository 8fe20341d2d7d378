"""Labels by a head: rows, batches equal to one by one, figures, and a run from config to evaluation."""

import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from core.cli.train import train
from core.config import build
from core.data.dataset import open_examples
from core.data.encoded import EncodedTexts, lengths_of
from core.errors import InputError
from core.evaluation import rows as measured
from core.evaluation.evaluate import evaluate
from core.methods import method
from core.models.heads import LABEL
from core.models.load import labels_of, load_base, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs import store
from core.tasks.headed import ordered
from core.tasks.labels import Work
from core.tasks.objective import objective_of
from core.training.examples import prepare
from tests import factory


def config(model, tmp_path, rows, method="full", **more):
    path = factory.write_jsonl(tmp_path / "rows.jsonl", rows)
    values = {
        "task": "classification",
        "model": {"path": str(model), "head": "task"},
        "data": {"path": str(path), "max_tokens": 64, **more.pop("data", {})},
        "method": {"name": method},
        "evaluation": {"max_new_tokens": 4},
    }
    return build(values | more)


def rows_of(count=24):
    return [{"text": row["phrase"], "label": row["tone"]} for row in factory.tone_rows(count)]


def examples(made):
    return prepare(made, lambda done, total: None)


@pytest.mark.parametrize(
    ("labels", "want"),
    [({"b", "a", "C"}, ["C", "a", "b"]), ({"10", "9", "-1"}, ["-1", "9", "10"]), ({"1", "x"}, ["1", "x"])],
)
def test_labels_have_an_order_of_their_own(labels, want):
    assert ordered(labels) == want


def test_an_encoder_reads_a_text_between_its_own_marks_and_keeps_both_ends(tiny_models, tmp_path):
    rows = [*rows_of(8), {"text": "first " + "word " * 200 + "last", "label": "sad"}, {"text": "mute", "label": ""}]
    rows += [{"text": "", "label": "sad"}, {"text": "say [SEP] and [CLS]", "label": "calm"}]
    made = config(tiny_models("bert"), tmp_path, rows, data={"validation": 0})
    found = examples(made)
    assert found.objective.labels == ["angry", "calm", "joyful", "sad"]
    assert isinstance(found.train, EncodedTexts) and lengths_of(found.train) == [
        len(r["input_ids"]) for r in found.train
    ]
    tokenizer = load_tokenizer(made.model.path)
    want = tokenizer.backend_tokenizer.encode(rows[0]["text"]).ids
    assert found.train[0] == {"input_ids": want, "labels": found.objective.number[rows[0]["label"]]}
    cut = tokenizer.decode(found.train[8]["input_ids"])
    assert len(found.train[8]["input_ids"]) == 64
    assert cut.startswith("[CLS] first") and cut.endswith("last [SEP]")
    marks = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    assert sum(i in marks for i in found.train[9]["input_ids"]) == 2  # what the row writes stays text
    assert len(found.train) == 10
    assert found.notes == [
        "1 row is left out: the answer is empty.",
        "1 row is left out: the text is empty.",
        "1 row is longer than the limit: the middle of the prompt was dropped.",
    ]


def test_a_decoder_reads_the_prompt_that_a_template_makes(tiny_llama, tmp_path):
    made = config(tiny_llama, tmp_path, rows_of(), data={"template": "### {text}\n### {label}"})
    found = examples(made)
    text = load_tokenizer(made.model.path).decode(found.train[0]["input_ids"])
    assert text.startswith("### ") and text.endswith("\n###")


def test_labels_that_training_never_saw_are_said_and_left_out(tiny_models, tmp_path):
    kept = factory.write_jsonl(tmp_path / "kept.jsonl", [*rows_of(4), {"text": "odd", "label": "new"}])
    found = examples(config(tiny_models("bert"), tmp_path, rows_of(12), data={"validation": str(kept)}))
    assert len(found.validation) == 4
    assert any("1 row is left out: the label is in none of the rows that are trained on." in n for n in found.notes)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"text": t["phrase"], "label": "same"} for t in factory.tone_rows(8)], "all have the label 'same'"),
        ([{"question": f"q {i}", "answer": f"a long answer of number {i} in words"} for i in range(12)], "free text"),
    ],
)
def test_rows_that_have_no_labels_are_refused(tiny_models, tmp_path, rows, says):
    with pytest.raises(InputError, match=says) as error:
        examples(config(tiny_models("bert"), tmp_path, rows))
    assert error.value.field == "task"


def test_an_encoder_decoder_has_no_head_here(tiny_models, tmp_path):
    with pytest.raises(InputError, match="writes its answers") as error:
        examples(config(tiny_models("t5"), tmp_path, rows_of()))
    assert error.value.field == "model.head"


@pytest.mark.parametrize("family", ["bert", "distilbert", *factory.DECODERS])
def test_a_row_says_the_same_alone_and_in_a_batch(tiny_models, tmp_path, family):
    found = examples(config(tiny_models(family), tmp_path, rows_of(12), data={"template": "{text}\n{label}"}))
    torch.manual_seed(0)
    model = load_base(str(tiny_models(family)), head=LABEL, labels=found.objective.labels)
    objective = found.objective
    with torch.no_grad():
        together = objective.say(model, objective.collate(found.train))
        alone = torch.cat([objective.say(model, objective.collate([row])) for row in found.train])
    assert len(set(lengths_of(found.train))) > 1
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_row_says_the_same_behind_vectors_in_front(tiny_models, tmp_path, family):
    made = config(tiny_models(family), tmp_path, rows_of(12), "prompt", data={"template": "{text}\n{label}"})
    found = examples(made)
    torch.manual_seed(0)
    base = load_base(str(tiny_models(family)), head=LABEL, labels=found.objective.labels)
    model = method("prompt").prepare(base, made.method, made.model.path, None, LABEL).eval()
    objective = found.objective
    with torch.no_grad():
        together = objective.say(model, objective.collate(found.train))
        alone = torch.cat([objective.say(model, objective.collate([row])) for row in found.train])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["auto", "class_weighted", "focal"])
def test_accumulated_batches_have_the_gradients_of_one(tiny_models, tmp_path, loss):
    rows = rows_of(12) + [r for r in rows_of(24)[12:] if r["label"] == "sad"]
    made = config(tiny_models("bert"), tmp_path, rows, data={"validation": 0}, training={"loss": loss})
    found = examples(made)
    torch.manual_seed(0)
    model = load_base(made.model.path, head=LABEL, labels=found.objective.labels)
    objective, parts = found.objective, [slice(0, 1), slice(1, 6), slice(6, len(found.train))]
    batches = [objective.collate(found.train[part]) for part in parts]

    def gradient(losses):
        model.zero_grad()
        for loss in losses:
            loss.backward()
        return model.classifier.weight.grad.clone()

    whole = objective.collate(found.train[:])
    items = torch.stack([objective.items(batch) for batch in batches]).sum()
    want = gradient([objective.loss(model, whole, objective.items(whole))])
    got = gradient([objective.loss(model, batch, items) for batch in batches])
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


def test_figures_of_a_validation_are_exact(tiny_models, tmp_path):
    found = examples(config(tiny_models("distilbert"), tmp_path, rows_of(40), data={"validation": 0.5}))
    objective, names = found.objective, found.objective.labels
    torch.manual_seed(0)
    model = load_base(str(tiny_models("distilbert")), head=LABEL, labels=names).train()
    figures = objective.validation(found.validation, 4, precision())(model)
    assert model.training
    model.eval()
    with torch.no_grad():
        logits = torch.cat([objective.say(model, objective.collate([row])) for row in found.validation])
    wants = np.array([row["labels"] for row in found.validation])
    gives = logits.argmax(-1).numpy()
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(wants)).item()
    assert figures["loss"] == pytest.approx(loss, rel=1e-5)
    assert figures["accuracy"] == pytest.approx(accuracy_score(wants, gives))
    assert figures["macro_f1"] == pytest.approx(f1_score(wants, gives, average="macro"))


def test_prepared_rows_are_those_of_training(tiny_models, tmp_path):
    made = config(tiny_models("bert"), tmp_path, rows_of(12), data={"validation": 0})
    source, tokenizer = open_examples(made), load_tokenizer(made.model.path)
    objective = objective_of(made, tokenizer, source, range(12))
    assert isinstance(objective, Work)
    rows = objective.prepare(measured.choose(made, made.data.path, None, 50), 512)
    train, _ = objective.encode(source.rows, source.layout)
    assert rows.prompts == [row["input_ids"] for row in train]
    assert rows.wants == [row["label"] for row in source.rows] and rows.shown == [row["text"] for row in source.rows]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "way"), [("bert", "full"), ("llama", "lora")])
def test_a_run_from_config_to_evaluation(tiny_models, tmp_path, runs_dir, family, way):
    few = {"max_steps": 30, "eval_steps": 15, "save_steps": 15, "learning_rate": 5e-3, "loss": "class_weighted"}
    more = {"template": "{text}\n{label}", "validation": 0.2}
    run = store.create(config(tiny_models(family), tmp_path, rows_of(60), way, data=more, training=few))
    result = train(run)
    assert result["state"] == "done" and result["validation_loss"] < result["base_validation_loss"]
    events = [event for event in run.events()[0] if event["kind"] == "eval"]
    assert all({"accuracy", "macro_f1"} <= event.keys() for event in events)
    sample = next(event for event in run.events()[0] if event["kind"] == "sample")
    assert sample["want"] in ("angry", "calm", "joyful", "sad") and sample["answer"].endswith("%)")
    model, _ = load_run(run)
    assert labels_of(model, LABEL) == ["angry", "calm", "joyful", "sad"]
    made = evaluate(run)
    assert set(made.result["metrics"]) == {"accuracy", "macro_f1", "micro_f1"}
    assert made.result["baseline_name"] == "most frequent label" and made.result["baseline"]["accuracy"] <= 0.5
    assert made.result["labels"] == ["angry", "calm", "joyful", "sad"] and made.result["confusion"]
    assert made.result["metrics"]["accuracy"] == pytest.approx(
        max(events, key=lambda e: -e["validation_loss"])["accuracy"]
    )
    for row in made.predictions:
        assert row["tuned"] == row["tuned_written"] and 0.25 <= row["tuned_score"] <= 1
        assert row["tuned_ok"] == (row["tuned"] == row["want"])
    with pytest.raises(InputError, match="perplexity is of texts that a model writes"):
        evaluate(run, metrics=["perplexity"])


@pytest.mark.slow
def test_a_run_that_was_killed_ends_in_the_same_weights(tiny_models, tmp_path, runs_dir):
    few = {"max_steps": 4, "eval_steps": 2, "save_steps": 2, "loss": "class_weighted", "label_smoothing_factor": 0.1}
    made = config(tiny_models("distilbert"), tmp_path, rows_of(40), "lora", training=few)
    whole = store.create(made)
    train(whole)
    killed = store.create(made)
    shutil.copytree(whole.dir, killed.dir, dirs_exist_ok=True)
    for gone in ("checkpoints/step-4", "checkpoints/best-4", "model"):
        shutil.rmtree(killed.dir / gone, ignore_errors=True)
    train(killed, resume=True)
    ours, theirs = ((run.dir / "model" / "adapter_model.safetensors").read_bytes() for run in (whole, killed))
    assert ours == theirs

"""Tags by a head: alignment of words and tokens, what is left out, figures, and a run from config to evaluation."""

import pytest
import torch

from core.cli.train import train
from core.config import PromptMethod, build
from core.data.encoded import EncodedTexts, lengths_of
from core.errors import InputError
from core.evaluation import metrics
from core.evaluation.evaluate import evaluate
from core.evaluation.metrics.entities import read, write
from core.methods import method
from core.models.heads import TAGS
from core.models.load import labels_of, load_base, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs import store
from core.training.examples import prepare
from tests import factory

PEOPLE = ["Ada Lovelace", "Mara Lindqvist", "Zoë", "Ben Okri", "Ines"]
PLACES = ["Ghent", "New York", "Lund", "Porto"]


def rows_of(count=24):
    made = []
    for i in range(count):
        person, place = PEOPLE[i % 5].split(), PLACES[i % 4].split()
        words = [*person, "lives", "in", *place, "." if i % 2 else "again"]
        tags = ["B-PER", *["I-PER"] * (len(person) - 1), "O", "O", "B-LOC", *["I-LOC"] * (len(place) - 1), "O"]
        made.append({"tokens": words, "ner_tags": tags, "id": str(i)})
    return made


def config(model, tmp_path, rows, method="full", **more):
    path = factory.write_jsonl(tmp_path / "rows.jsonl", rows)
    values = {
        "task": "extraction",
        "model": {"path": str(model), "head": "task"},
        "data": {"path": str(path), "max_tokens": 64, **more.pop("data", {})},
        "method": {"name": method},
    }
    return build(values | more)


def examples(made):
    return prepare(made, lambda done, total: None)


@pytest.mark.parametrize("family", ["bert", "llama", "gpt2"])
def test_the_first_token_of_a_word_carries_its_tag(tiny_models, tmp_path, family):
    found = examples(config(tiny_models(family), tmp_path, rows_of(), data={"validation": 0}))
    names, tokenizer = found.objective.labels, load_tokenizer(str(tiny_models(family)))
    assert names == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"] and isinstance(found.train, EncodedTexts)
    for row, given in zip(found.train, rows_of(), strict=True):
        starts = [i for i, label in enumerate(row["labels"]) if label != -100]
        assert [names[row["labels"][i]] for i in starts] == given["ner_tags"]
        marks = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        assert all(row["labels"][i] == -100 for i, token in enumerate(row["input_ids"]) if token in marks)
    assert len(starts) < len(row["input_ids"])


def test_what_is_left_out_is_said(tiny_models, tmp_path):
    rows = [*rows_of(12), {"tokens": ["far"] * 90, "ner_tags": ["O"] * 90, "id": ""}]
    rows += [
        {"tokens": [], "ner_tags": [], "id": ""},
        {"tokens": ["a", "", "b"], "ner_tags": ["O", "O", "O"], "id": ""},
    ]
    kept = factory.write_jsonl(
        tmp_path / "kept.jsonl", [*rows_of(3), {"tokens": ["x"], "ner_tags": ["B-ORG"], "id": ""}]
    )
    found = examples(config(tiny_models("bert"), tmp_path, rows, data={"validation": str(kept)}))
    said = "\n".join(found.notes)
    assert "1 row is longer than the limit: the end of the text was cut off." in said
    assert "1 row is left out: they are no words with a tag for each." in said
    assert "1 word becomes no token of their own" in said
    assert "Of the rows kept back: 1 row is left out: a tag of theirs is in none of the rows" in said
    assert len(found.train) == 14 and len(found.validation) == 3


def test_tags_that_do_not_count_are_not_learned(tiny_models, tmp_path):
    rows = [row | {"ner_tags": [-100, *range(1, len(row["tokens"]))]} for row in rows_of(8)]
    found = examples(config(tiny_models("bert"), tmp_path, rows, data={"validation": 0}))
    assert "-100" not in found.objective.labels and found.objective.labels[0] == "1"
    assert found.train[0]["labels"].count(-100) == len(found.train[0]["labels"]) - len(rows[0]["tokens"]) + 1


def test_other_rows_are_refused_in_one_sentence(tiny_models, tmp_path):
    with pytest.raises(InputError, match="Tags need rows with a list of words .* these rows have phrase and tone") as e:
        examples(config(tiny_models("bert"), tmp_path, factory.tone_rows()))
    assert e.value.field == "task"
    with pytest.raises(InputError, match="each word has its tag") as e:
        examples(config(tiny_models("bert"), tmp_path, rows_of(), augmentation={"copies": 1, "swap": 0.2}))
    assert e.value.field == "augmentation.copies"


def test_a_family_that_transformers_has_no_tags_for_says_so(tiny_models):
    with pytest.raises(InputError, match="of the kind 'gemma3_text': transformers has none of these that tags"):
        load_base(str(tiny_models("gemma3_text")), head=TAGS, labels=["O", "B-X"])


@pytest.mark.parametrize("family", ["bert", "distilbert", *(d for d in factory.DECODERS if d != "gemma3_text")])
def test_a_row_says_the_same_alone_and_in_a_batch(tiny_models, tmp_path, family):
    found = examples(config(tiny_models(family), tmp_path, rows_of(8)))
    torch.manual_seed(0)
    model = load_base(str(tiny_models(family)), head=TAGS, labels=found.objective.labels)
    objective, lengths = found.objective, lengths_of(found.train)
    with torch.no_grad():
        together = objective.say(model, objective.collate(found.train))
        for n, row in enumerate(found.train):
            alone = objective.say(model, objective.collate([row]))[0]
            torch.testing.assert_close(together[n, : lengths[n]], alone, rtol=1e-5, atol=1e-6)
    assert len(set(lengths)) > 1


def test_vectors_in_front_are_not_tagged(tiny_llama, tmp_path):
    found = examples(config(tiny_llama, tmp_path, rows_of(8), "prompt"))
    base = load_base(str(tiny_llama), head=TAGS, labels=found.objective.labels)
    settings = PromptMethod(num_virtual_tokens=4)
    model = method("prompt").prepare(base, settings, str(tiny_llama), None, TAGS).eval()
    batch = found.objective.collate(found.train)
    assert found.objective.say(model, batch).shape[:2] == batch["labels"].shape
    assert torch.isfinite(found.objective.loss(model, batch))


@pytest.mark.parametrize("loss", ["auto", "class_weighted", "focal"])
def test_accumulated_batches_have_the_gradients_of_one(tiny_models, tmp_path, loss):
    found = examples(config(tiny_models("bert"), tmp_path, rows_of(9), data={"validation": 0}, training={"loss": loss}))
    torch.manual_seed(0)
    objective = found.objective
    model = load_base(str(tiny_models("bert")), head=TAGS, labels=objective.labels)
    batches = [objective.collate(found.train[part]) for part in (slice(0, 1), slice(1, 5), slice(5, 9))]

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
    found = examples(config(tiny_models("bert"), tmp_path, rows_of(40), data={"validation": 0.5}))
    objective, names = found.objective, found.objective.labels
    torch.manual_seed(3)
    model = load_base(str(tiny_models("bert")), head=TAGS, labels=names)
    figures = objective.validation(found.validation, 4, precision())(model)
    total, wants, gives = [], [], []
    with torch.no_grad():
        for row in found.validation:
            logits, labels = objective.say(model, objective.collate([row]))[0], torch.tensor(row["labels"])
            total.append(torch.nn.functional.cross_entropy(logits[labels >= 0], labels[labels >= 0], reduction="none"))
            wants.append(" ".join(names[i] for i in labels[labels >= 0].tolist()))
            gives.append(" ".join(names[i] for i in logits[labels >= 0].argmax(-1).tolist()))
    columns = {"references": wants, "predictions": gives}
    assert figures["loss"] == pytest.approx(torch.cat(total).mean().item(), rel=1e-5)
    assert figures["tag_accuracy"] == pytest.approx(metrics.METRICS["tag_accuracy"].compute(**columns))
    assert figures["entity_f1"] == pytest.approx(metrics.METRICS["entity_f1"].compute(**columns))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "way"), [("bert", "lora"), ("qwen2", "lora")])
def test_a_run_from_config_to_evaluation(tiny_models, tmp_path, runs_dir, family, way):
    few = {"max_steps": 40, "eval_steps": 20, "save_steps": 20, "learning_rate": 5e-3}
    run = store.create(config(tiny_models(family), tmp_path, rows_of(60), way, training=few))
    result = train(run)
    assert result["state"] == "done" and result["validation_loss"] < 0.5 * result["base_validation_loss"]
    sample = next(event for event in run.events()[0] if event["kind"] == "sample")
    assert sample["want"].startswith("PER: ") and "; LOC: " in sample["want"]
    model, _ = load_run(run)
    assert labels_of(model, TAGS) == ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    made = evaluate(run)
    assert list(made.result["metrics"]) == ["entity_f1", "entity_precision", "entity_recall", "tag_accuracy"]
    assert made.result["metrics"]["entity_f1"] > 0.6 > made.result["baseline"]["entity_f1"] == 0
    assert made.result["baseline_name"] == "most frequent label"
    row = made.predictions[0]
    words = row["prompt"].split()
    assert row["want"] == write(words, read(row["want"])) and len(read(row["tuned"])) == len(words)

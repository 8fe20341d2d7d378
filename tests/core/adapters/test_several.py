"""Several adapters on one base: each answers as it does alone, and only those come together that belong together."""

import shutil

import pytest
import torch

from core.adapters.prompts import fields, prompt_ids, question
from core.adapters.several import Adapters
from core.errors import InputError
from core.models.heads import HEADS
from core.models.load import load_base, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs.adapters import Base
from core.tasks.objective import objective_for
from core.tasks.predict import write
from tests import factory

IDS = torch.arange(5, 21).unsqueeze(0)
TEXTS = ["so glad that you came", "go away", "what is the time now, please", "so glad that you came"]


def said(model, ids=IDS):
    with torch.no_grad():
        return model(input_ids=ids).logits


def alone(run, prompt, most=8):
    model, tokenizer = load_run(run)
    ids = prompt_ids(prompt, run.config(), tokenizer)
    return write(model, tokenizer, [ids], max_new_tokens=most)[0].ids


def test_switched_without_loading_again(made, tiny_llama):
    runs = [made("lora", 1), made("lora", 2, r=4), made("adapter", 3), made("adapter", 4, placement="houlsby")]
    together = Adapters.of(runs)
    assert together.names == [run.id for run in runs]
    base = said(load_base(str(tiny_llama)))
    for run in [*runs, *reversed(runs)]:
        assert torch.equal(said(together.switch(run.id)), said(load_run(run)[0]))
        assert torch.equal(said(together.switch("base")), base)
    weights = {p.data_ptr() for whole in together._wholes.values() for p in whole.parameters() if p.shape == (400, 64)}
    assert len(weights) == 2, "the embeddings are in memory once, and so is the head"


@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_a_mixed_batch_is_equal_to_separate_passes(made, tiny_llama, method):
    a, b = made(method, 1), made(method, 2)
    together = Adapters.of([a, b])
    names = [a.id, "base", b.id, a.id]
    assert together.batches(names) == [names]
    answers = together.answer(TEXTS, names, max_new_tokens=8)
    for text, name, answer in zip(TEXTS, names, answers, strict=True):
        want = alone(a if name == a.id else b, text) if name != "base" else None
        if want is None:
            tokenizer = load_tokenizer(tiny_llama)
            ids = prompt_ids(text, a.config(), tokenizer)
            want = write(load_base(str(tiny_llama)), tokenizer, [ids], max_new_tokens=8)[0].ids
        assert answer.ids == want
    assert len({tuple(answer.ids) for answer in answers}) >= 3, "these adapters say different things"


def test_logits_of_a_mixed_batch(made):
    a, b = made("lora", 1), made("lora", 2)
    together = Adapters.of([a, b])
    model, names = together._for([a.id, "base", b.id])
    with torch.no_grad():
        mixed = model(input_ids=IDS.repeat(3, 1), adapter_names=names).logits
    for row, name in enumerate([a.id, "base", b.id]):
        torch.testing.assert_close(mixed[row : row + 1], said(together.switch(name)), atol=1e-5, rtol=1e-5)


def test_what_cannot_be_mixed_goes_by_itself(made):
    """Kinds are apart, and DoRA, of which PEFT takes no mixed batch, is alone; all answer as they do alone."""
    a, b, other, dora = made("lora", 1), made("lora", 2), made("adapter", 3), made("lora", 4, use_dora=True)
    together = Adapters.of([a, b, other, dora])
    names = [a.id, other.id, "base", dora.id, b.id]
    assert together.batches(names) == [[a.id, "base", b.id], [other.id], [dora.id]]
    answers = together.answer(["go away"] * 5, names, 6)
    for run, answer in zip((a, other, None, dora, b), answers, strict=True):
        assert run is None or answer.ids == alone(run, "go away", 6)


def test_ia3_goes_by_itself(made, tiny_llama):
    a, b = made("ia3", 1), made("ia3", 2)
    together = Adapters.of([a, b])
    assert together.batches([a.id, "base", b.id, a.id]) == [[a.id, a.id], ["base"], [b.id]]
    answers = together.answer(["go away"] * 2, [a.id, b.id], 6)
    assert [answer.ids for answer in answers] == [alone(a, "go away", 6), alone(b, "go away", 6)]


def test_prompt_tuning_goes_by_itself(made):
    a, b, lora = made("prompt", 1), made("prompt", 2), made("lora", 3)
    together = Adapters.of([a, b, lora])
    names = [a.id, lora.id, b.id, "base"]
    assert together.batches(names) == [[a.id], [lora.id, "base"], [b.id]]
    answers = together.answer(["go away"] * 4, names, 6)
    assert [answer.ids for answer in answers[:3]] == [alone(run, "go away", 6) for run in (a, lora, b)]


def test_only_those_that_share_a_base(made, tiny_models, tmp_path):
    first = made("lora", 1)
    together = Adapters.of([first])
    with pytest.raises(InputError, match="its base is .*qwen3, not"):
        together.add(made("lora", 2, base=tiny_models("qwen3")))
    with pytest.raises(InputError, match="tuned whole|no adapter"):
        whole = made("lora", 3)
        (whole.dir / "model" / "adapter_config.json").rename(whole.dir / "model" / "config.json")
        together.add(whole)
    with pytest.raises(InputError, match="no run"):
        together.add("nothing-of-the-kind")
    with pytest.raises(InputError, match="not here"):
        together.switch("somebody")
    with pytest.raises(InputError, match="No run is named"):
        Adapters.of([])


def test_a_base_that_is_another_now(made, tmp_path):
    folder = factory.tiny_model("llama", tmp_path / "m")
    run = made("lora", 1, base=folder)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match="not those that its adapters were trained on"):
        Adapters.of([run])


@pytest.mark.parametrize(
    ("family", "head", "task", "labels"),
    [
        ("bert", "sequence_classification", "classification", ("kind", "rude", "calm")),
        ("bert", "token_classification", "extraction", ("O", "B-PER", "I-PER")),
        ("t5", "seq2seq_lm", "summarization", ()),
    ],
)
def test_other_heads_answer_one_after_another(made, tiny_models, family, head, task, labels):
    more = {"base": tiny_models(family), "head": head, "task": task, "labels": labels}
    torch.manual_seed(2)  # new heads are drawn from torch's own state, and two may say the same by chance
    a, b = made("lora", 1, **more), made("adapter", 2, **more)
    together = Adapters.of([a, b])
    names, text = [a.id, b.id, a.id], "so glad that you came"
    assert together.batches(names) == [[a.id], [b.id], [a.id]]
    answers = together.answer([text] * 3, names, 6)
    for run, answer in zip((a, b, a), answers, strict=True):
        model, tokenizer = load_run(run)
        objective = objective_for(run.config(), tokenizer, HEADS[head], list(labels))
        row, layout = question(text, run.config(), HEADS[head])
        said, ended = objective.answer(model, objective.probe(row, 0, layout), 6, precision())
        assert (answer.text, answer.stopped) == (said, ended)
    if head != "seq2seq_lm":
        with pytest.raises(InputError, match="base by itself has no head"):
            together.answer([text], ["base"])
        assert answers[0].text and answers[0].text != answers[1].text
    else:
        assert len(together.answer([text] * 2, ["base", b.id], 6)) == 2


def test_vectors_are_asked_elsewhere(tiny_llama):
    with pytest.raises(InputError, match="vectors.*Evaluate"):
        Adapters(Base(str(tiny_llama), head="feature_extraction"))


def test_a_run_that_went_on_is_read_again(made):
    run, other = made("lora", 1), made("lora", 2)
    together = Adapters.of([run])
    before = said(together.switch(run.id))
    shutil.copy(other.dir / "model" / "adapter_model.safetensors", run.dir / "model" / "adapter_model.safetensors")
    together.add(run)
    after = said(together.switch(run.id))
    assert not torch.equal(before, after) and torch.equal(after, said(load_run(other)[0]))
    together.add(run)
    assert together._loaded == 2


def test_on_a_base_in_four_bits(made):
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "float32"}
    a, b, plain = made("lora", 1, quantization=four), made("adapter", 2, quantization=four), made("lora", 3)
    together = Adapters.of([a, b])
    for run in (a, b):
        assert torch.equal(said(together.switch(run.id)), said(load_run(run)[0]))
    with pytest.raises(InputError, match="4 bits"):
        together.add(plain)


# Prompts


def test_a_text_is_worded_as_the_run_was(made, tiny_llama):
    tokenizer = load_tokenizer(tiny_llama)

    def text(prompt, run):
        return tokenizer.decode(prompt_ids(prompt, run.config() if run else None, tokenizer))

    one = made("lora", template="Say: {phrase}\nTone: {tone}")
    assert text("go away", one) == text({"phrase": "go away"}, one)
    assert "Say: go away\nTone:" in text("go away", one)
    two = made("lora", 2, template="{phrase} in {lang}:[[{tone}]]")
    assert text("as it stands", two) == "as it stands"
    assert "go in French:" in text({"phrase": "go", "lang": "French"}, two)
    with pytest.raises(InputError, match="lacks lang.*phrase, lang"):
        text({"phrase": "go"}, two)
    chat = made("lora", 3, template=None)
    assert "go away" in text("go away", chat) and text("go away", chat) == text("go away", None)
    talk = {"messages": [{"role": "user", "content": "go away"}]}
    assert text(talk, chat) == text("go away", chat)
    with pytest.raises(InputError, match="conversations"):
        text({"phrase": "go"}, chat)


def test_fields_of_a_template():
    assert fields("{a} and {b}\n{c}") == ["a", "b"]
    assert fields("{{x}} {a}: [[{b}]]") == ["a"]
    assert fields('{"key": {a}} -> {b}') == ["a"]

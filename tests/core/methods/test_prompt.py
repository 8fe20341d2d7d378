"""Prompt tuning: where the vectors begin, and that every way of asking the model sees the same ones."""

import pytest
import torch

from core.config import PromptMethod
from core.errors import InputError
from core.methods import prompt
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, TAGS, VECTOR
from core.models.load import load_base, load_run, parameters
from core.models.tokenizer import load_tokenizer
from core.tasks.predict import likelihoods, surprise
from core.tasks.predict import write as write_many
from core.training.losses import token_loss
from core.training.validation import write

IDS = torch.arange(5, 21).unsqueeze(0)
COUNT = 6


def made(folder, head=CAUSAL, **settings):
    torch.manual_seed(0)
    base = load_base(str(folder), head=head, labels=("a", "b"))
    given = PromptMethod(num_virtual_tokens=COUNT, **settings)
    return prompt.prepare(base, given, str(folder), None, head).eval()


def vectors(model):
    return model.prompt_encoder["default"].embedding.weight.detach()


def whole(model, ids):
    """The logits of token ids, by the base itself: vectors and tokens in one row, no mask, no filling."""
    base = model.get_base_model()
    embedded = torch.cat([vectors(model), base.get_input_embeddings()(torch.tensor(ids))])
    with torch.no_grad():
        return base(inputs_embeds=embedded.unsqueeze(0)).logits[0, COUNT:]


# Where they begin


def test_they_begin_at_words_of_the_vocabulary_or_at_random_numbers_or_at_a_text(tiny_llama):
    tokenizer = load_tokenizer(str(tiny_llama))
    table = load_base(str(tiny_llama)).get_input_embeddings().weight.detach()
    sampled = vectors(made(tiny_llama))
    assert all((row == table).all(-1).any() for row in sampled)
    drawn = vectors(made(tiny_llama, prompt_tuning_init="random"))
    assert drawn.abs().max() <= 0.5 and drawn.std() == pytest.approx(1 / 12**0.5, abs=0.02)
    for text in ("joyful", "the tone of this text is joyful, angry, sad or calm"):
        begun = vectors(made(tiny_llama, prompt_tuning_init="text", prompt_tuning_init_text=text))
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert torch.equal(begun, table[[ids[i % len(ids)] for i in range(COUNT)]])


def test_a_text_without_tokens(tiny_llama):
    with pytest.raises(InputError, match="no tokens") as error:
        made(tiny_llama, prompt_tuning_init="text", prompt_tuning_init_text="")
    assert error.value.field == "method.prompt_tuning_init_text"


def test_only_the_vectors_are_trained_and_they_are_saved(tiny_llama, tmp_path):
    model = made(tiny_llama)
    assert parameters(model)["trained"] == COUNT * 64
    prompt.save(model, tmp_path / "a")
    again, _ = load_run(tmp_path / "a")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, again(IDS).logits)
        with again.disable_adapter():
            assert torch.equal(again(IDS).logits, load_base(str(tiny_llama))(IDS).logits)


# One model, however it is asked


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3_text"])
def test_filling_on_either_side_changes_nothing(tiny_models, family):
    model = made(tiny_models(family))
    rows = [list(range(5, 12)), list(range(30, 33))]
    for right in (True, False):
        gap = [0] * 4
        ids = torch.tensor([rows[0], rows[1] + gap if right else gap + rows[1]])
        mask = torch.tensor([[1] * 7, [1] * 3 + gap if right else gap + [1] * 3])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask).logits
        assert logits.shape[:2] == ids.shape
        for got, real, row in zip(logits, mask, rows, strict=True):
            torch.testing.assert_close(got[real == 1], whole(model, row), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "qwen3"])
def test_answers_and_likelihoods_are_those_of_the_whole_pass(tiny_models, family):
    model, tokenizer = made(tiny_models(family)), load_tokenizer(str(tiny_models(family)))
    prompts = [[9, 10, 11, 12], [40, 41]]
    wanted = []
    for asked in prompts:
        ids = list(asked)
        for _ in range(5):
            ids.append(int(whole(model, ids)[-1].argmax()))
        wanted.append(ids[len(asked) :])
    assert [a.ids for a in write_many(model, tokenizer, prompts, max_new_tokens=5, ends=set())] == wanted
    assert [write(model, asked, set(), 0, 5)[0] for asked in prompts] == wanted
    completions = [[20, 21, 22], [23]]

    def nll(asked, completion):
        rows = whole(model, [*asked, *completion])[len(asked) - 1 : -1].log_softmax(-1)
        return -rows[range(len(completion)), completion].sum().item()

    table = likelihoods(model, tokenizer, prompts, completions)
    for asked, row in zip(prompts, table, strict=True):
        assert row == pytest.approx([-nll(asked, completion) for completion in completions], abs=1e-3)
    examples = [([*asked, *completions[0]], [-100] * len(asked) + completions[0]) for asked in prompts]
    assert [total for total, _ in surprise(model, tokenizer, examples)] == pytest.approx(
        [nll(asked, completions[0]) for asked in prompts], abs=1e-3
    )
    ids, labels = (torch.tensor([part]) for part in examples[0])
    with torch.no_grad():
        loss = token_loss(model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False), labels)
    assert loss.item() == pytest.approx(nll(prompts[0], completions[0]) / 3, abs=1e-4)


@pytest.mark.parametrize(
    ("family", "head"),
    [("llama", LABEL), ("gpt2", LABEL), ("bert", LABEL), ("distilbert", TAGS), ("qwen2", TAGS), ("bert", VECTOR)],
)
def test_heads_answer_a_batch_as_they_answer_each_row(tiny_models, family, head):
    model = made(tiny_models(family), head)
    rows = [list(range(5, 12)), list(range(30, 33))]
    ids, mask = torch.tensor([rows[0], rows[1] + [0] * 4]), torch.tensor([[1] * 7, [1] * 3 + [0] * 4])

    def said(**inputs):
        with torch.no_grad():
            out = model(**inputs)
        return out.last_hidden_state if head is VECTOR else out.logits

    together = said(input_ids=ids, attention_mask=mask)
    for row, got in zip(rows, together, strict=True):
        alone = said(input_ids=torch.tensor([row]))[0]
        torch.testing.assert_close(got if head is LABEL else got[: len(row)], alone, atol=1e-5, rtol=1e-4)


def test_an_encoder_decoder_writes_as_it_was_trained(tiny_models):
    model = made(tiny_models("t5"), SEQ2SEQ)
    base, asked = model.get_base_model(), torch.tensor([[9, 10, 11, 12]])
    embedded = torch.cat([vectors(model), base.get_input_embeddings()(asked[0])]).unsqueeze(0)
    begun = torch.zeros(1, 1, dtype=torch.long)
    with torch.no_grad():
        for _ in range(4):
            by_base = base(inputs_embeds=embedded, decoder_input_ids=begun).logits
            got = model(input_ids=asked, attention_mask=torch.ones_like(asked), decoder_input_ids=begun).logits
            torch.testing.assert_close(got, by_base, atol=1e-5, rtol=1e-4)
            begun = torch.cat([begun, by_base[:, -1:].argmax(-1)], dim=1)
        out = model.generate(
            input_ids=asked, attention_mask=torch.ones_like(asked), max_new_tokens=4, do_sample=False, eos_token_id=None
        )
    assert torch.equal(out, begun)


def test_they_take_places_of_the_models_window(tiny_models):
    assert prompt.in_front(made(tiny_models("gpt2"))) == COUNT
    assert prompt.in_front(load_base(str(tiny_models("gpt2")))) == 0

"""How rows become tensors; and that a row learns the same in whatever batch it is."""

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from core.training.batches import COLLATORS, Collator, JoinedCollator, OneSequence, by_length
from core.training.losses import token_items, token_loss
from core.training.order import ORDERS
from tests import factory

ROWS = [{"input_ids": [5, 6], "labels": [-100, 6]}, {"input_ids": [7, 8, 9], "labels": [7, 8, 9]}]


def test_padding_to_the_longest():
    batch = Collator(pad=3)(ROWS)
    assert batch["input_ids"].tolist() == [[5, 6, 3], [7, 8, 9]]
    assert batch["labels"].tolist() == [[-100, 6, -100], [7, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_rows_end_to_end():
    batch = JoinedCollator(pad=3)([ROWS, ROWS[1:]])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [7, 8, 9, 3, 3]]
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2], [0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[-100, 6, -100, 8, 9], [-100, 8, 9, -100, -100]]
    assert batch["lengths"].tolist() == [2, 3, 3] and "attention_mask" not in batch
    one = OneSequence(pad=3)(ROWS)
    assert one["input_ids"].tolist() == [[5, 6, 7, 8, 9]] and one["lengths"].tolist() == [2, 3]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.sampled_from(sorted(COLLATORS)))
def test_as_many_tokens_are_trained_in_every_kind_of_batch(lengths, way):
    """All but the first of each row, which no token before it predicts."""
    rows = [{"input_ids": [9] * n, "labels": [9] * n} for n in lengths]
    order = ORDERS[way](lengths, 4, 0)
    batch = COLLATORS[way](0)([order.over(rows)[place] for place in order])
    assert int((batch["labels"][:, 1:] != -100).sum()) == sum(lengths) - len(lengths)


NARROW = {"sliding_window": 8}
FAMILIES = {name: {} for name in factory.DECODERS} | {
    "mistral": NARROW,
    "qwen2": NARROW | {"use_sliding_window": True, "max_window_layers": 1},
    "phi3": NARROW,
    "gemma2": NARROW,
    "gemma3_text": NARROW | {"layer_types": ["sliding_attention", "full_attention"]},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_one_row_after_the_other(family):
    """With windows narrower than the rows where the family has them. In float64; but Gemma 2 takes its softmax in
    float32, where the lowest float64, which masks a whole row of padding, is no number."""
    kind, settings = factory.FAMILIES[family]
    numbers = {"vocab_size": 90, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.AutoConfig.for_model(kind, **(settings | numbers | FAMILIES[family]))
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model = model if family == "gemma2" else model.double()
    ids = [torch.randint(3, 90, (n,)).tolist() for n in (20, 13, 1, 7, 11, 2)]
    rows = [{"input_ids": row, "labels": [-100] * (len(row) // 3) + row[len(row) // 3 :]} for row in ids]
    items = torch.tensor(sum(label != -100 for row in rows for label in row["labels"][1:]))

    def learned(batches):
        model.zero_grad()
        total = 0.0
        for batch in batches:
            inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids") if key in batch}
            loss = token_loss(model(**inputs, use_cache=False), batch["labels"], items)
            loss.backward()
            total += loss.item()
        return total, {name: p.grad.clone() for name, p in model.named_parameters()}

    wanted, gradients = learned([Collator(0)([row]) for row in rows])
    for way in COLLATORS:
        order = ORDERS[way]([len(row) for row in ids], 2, 0)
        drawn = [order.over(rows)[place] for place in order]
        loss, found = learned([COLLATORS[way](0)(drawn[n : n + 2]) for n in range(0, len(drawn), 2)])
        assert loss == pytest.approx(wanted, rel=1e-6), way
        for name, gradient in gradients.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6, msg=f"{way}: {name}")


def test_measuring_batches_respect_the_budget():
    rows = [{"input_ids": [0] * n} for n in (10, 1, 10, 100, 5)]
    groups = by_length(rows, most_rows=2, most_numbers=1999, width=10)
    assert sorted(i for g in groups for i in g) == [0, 1, 2, 3, 4]
    assert groups == [[3], [0, 2], [4, 1]]


@pytest.mark.parametrize("way", COLLATORS)
def test_rows_weigh_the_same_in_every_kind_of_batch(way):
    rows = [{"input_ids": [1] * n, "labels": [1] * n} for n in (3, 5, 2, 4)]
    order, collate = ORDERS[way]([3, 5, 2, 4], 4, 0), COLLATORS[way](0)
    drawn = [order.over(rows)[place] for place in order]
    weights = collate.weigh(drawn, lambda row: float(len(row["labels"])))
    assert token_items(collate(drawn)["labels"], weights=weights) == 2 * 3 + 4 * 5 + 1 * 2 + 3 * 4

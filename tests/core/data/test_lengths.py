"""What a limit makes of rows: the padding of the very batches, rows cut or left out, samples that stand for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import build
from core.data.encode import encode
from core.data.lengths import Lengths, count_updates, measure_lengths, total_steps
from core.data.recognise import recognise
from core.data.template import render
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from core.training.order import ORDERS, GroupedOrder
from tests import factory

LAYOUT = recognise(["phrase", "tone"], [{"phrase": "a", "tone": "b"}])


def as_trained(tokens, limit, size, epoch=0):
    """(tokens, with padding, squares of widths) of an epoch, batch by batch as the loader makes them."""
    cut = [min(n, limit) for n in tokens]
    order = GroupedOrder(cut, size, 7)
    order.set_epoch(epoch)
    places = list(order)
    batches = [[cut[i] for i in places[n : n + size]] for n in range(0, len(places), size)]
    return sum(cut), sum(max(b) * len(b) for b in batches), sum(max(b) ** 2 * len(b) for b in batches), len(batches)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=60), st.integers(4, 9), st.integers(8, 120))
def test_the_padding_of_one_stretch_is_exact(tokens, size, limit):
    """Up to sixteen batches the order of the draw does not matter."""
    load = Lengths(tuple(tokens), len(tokens)).under(limit, size)
    plain, padded, squares, batches = as_trained(tokens, limit, size)
    assert (load.tokens, load.padded, load.batches, load.rows) == (plain, padded, batches, len(tokens))
    assert load.width == pytest.approx(squares / padded)
    assert load.longest == min(max(tokens), limit)
    assert load.truncated == sum(n > limit for n in tokens) / len(tokens)


@given(
    st.sampled_from(sorted(ORDERS)),
    st.lists(st.integers(1, 99), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(8, 120),
)
def test_sequences_and_batches_are_those_of_the_training(way, tokens, size, limit):
    """So the plan, the estimate and the training count the same updates."""
    load = Lengths(tuple(tokens), len(tokens)).under(limit, size, batching=way)
    cut = [min(n, limit) for n in tokens]
    places = list(ORDERS[way](cut, size, 7))
    assert load.sequences == len(places) and load.batches == -(-len(places) // size)
    sums = [sum(cut[i] for i in place) if isinstance(place, tuple) else cut[place] for place in places]
    most, widest = load.fullest
    if way == "padding_free":
        assert load.padded == load.tokens and most == 1 and max(cut) <= widest <= sum(sorted(cut)[-size:])
    else:
        assert load.tokens <= load.padded <= len(places) * max(cut)
        assert most == min(size, len(places)) and widest == max(cut) >= max(sums)


def test_random_and_packed_batches_are_padded_as_in_any_epoch():
    tokens = spread(5000)
    for way in ("shuffled", "packed"):
        load, order = (
            Lengths(tokens, 5000).under(200, 8, batching=way),
            ORDERS[way]([min(n, 200) for n in tokens], 8, 7),
        )
        sums = [sum(order.lengths[i] for i in (place if isinstance(place, tuple) else (place,))) for place in order]
        batches = [sums[n : n + 8] for n in range(0, len(sums), 8)]
        assert load.padded == pytest.approx(sum(max(b) * len(b) for b in batches), rel=0.02)
        part = Lengths(tokens[:800], 5000).under(200, 8, batching=way)
        assert part.padded == pytest.approx(load.padded, rel=0.05)
        assert part.sequences == pytest.approx(load.sequences, rel=0.05)


def spread(count):
    return tuple(5 + (i * 7919) % 23 * (i % 7) ** 2 // 3 for i in range(count))


def test_many_stretches_are_padded_as_in_any_epoch():
    tokens = spread(5000)
    load = Lengths(tokens, 5000).under(200, 8)
    padded = [as_trained(tokens, 200, 8, epoch)[1] for epoch in range(3)]
    assert min(padded) * 0.99 < load.padded < max(padded) * 1.01
    assert 0 < load.padding < 0.2


@pytest.mark.parametrize("size", [4, 64])  # 64: a stretch is larger than the sample
def test_a_sample_stands_for_all(size):
    tokens = spread(20_000)
    whole, part = Lengths(tokens, 20_000).under(150, size), Lengths(tokens[:800], 20_000).under(150, size)
    assert part.rows == whole.rows == 20_000 and part.batches == whole.batches
    assert part.tokens == pytest.approx(whole.tokens, rel=0.05)
    assert part.padded == pytest.approx(whole.padded, rel=0.05)
    assert part.truncated == pytest.approx(whole.truncated, abs=0.03)


def test_long_rows_are_left_out_where_the_fix_says_so():
    lengths = Lengths((10, 20, 30, 40), 400)
    load = lengths.under(25, 2, drop_long=True)
    assert (load.rows, load.truncated, load.longest, load.tokens) == (200, 0.5, 20, 3000)
    assert lengths.under(8, 2, drop_long=True).rows == 0


def test_lengths_are_measured_before_anything_is_cut(tmp_path):
    tok, rows = load_tokenizer(factory.write_tokenizer(tmp_path)), factory.tone_rows(24)
    config = build({"data": {"template": "{phrase}\n{tone}", "max_tokens": 8}})
    whole = [encode(render(r, LAYOUT, "{phrase}\n{tone}", tok), tok, 10**6) for r in rows]
    found = measure_lengths(rows, LAYOUT, config, tok)
    assert found.tokens == tuple(len(e.input_ids) for e in whole) and found.rows == 24
    assert found.trained == sum(e.trained for e in whole) / sum(found.tokens)
    sample = measure_lengths(rows, LAYOUT, config, tok, sample=6)
    assert sample.tokens == found.tokens[::4] and sample.rows == 24
    half = [row | {"tone": row["tone"] * (i % 2)} for i, row in enumerate(rows)]
    assert measure_lengths(half, LAYOUT, config, tok).rows == 12  # rows without an answer are not trained on
    with pytest.raises(InputError, match="Did you mean"):
        measure_lengths(rows, LAYOUT, build({"data": {"template": "{phrase}\n{tome}"}}), tok)


def test_updates_as_transformers_counts_them():
    assert total_steps(100, 8, 1, 3, None) == 39
    assert total_steps(100, 8, 4, 3, None) == 12
    assert total_steps(3, 8, 4, 0.5, None) == 1
    assert total_steps(100, 8, 1, 3, 5) == 5
    assert count_updates(100, build({"training": {"gradient_accumulation_steps": 4}})) == 12


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("classification", {"text": "What a wonderful morning", "label": "joyful"}),
        ("extraction", {"tokens": ["Ada", "sings", "in", "Ghent"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]}),
    ],
)
def test_a_head_reads_the_text_alone_between_its_marks(tiny_models, task, row):
    config = build({"task": task, "model": {"path": str(tiny_models("bert"))}})
    tokenizer = load_tokenizer(config.model.path)
    found = measure_lengths([row] * 3, recognise(list(row), [row]), config, tokenizer)
    text = row.get("text") or " ".join(row["tokens"])
    assert found.tokens == (len(tokenizer.backend_tokenizer.encode(text).ids),) * 3


@pytest.mark.parametrize("names", [("sentence1", "sentence2", "score"), ("question", "answer", "note")])
def test_of_two_texts_that_are_compared_both_count(tiny_models, names):
    row = dict(zip(names, ("What a wonderful morning", "Tea first", 0.5), strict=True))
    config = build({"task": "similarity", "model": {"path": str(tiny_models("bert"))}})
    tokenizer = load_tokenizer(config.model.path)
    found = measure_lengths([row] * 3, recognise(list(row), [row]), config, tokenizer)
    texts = [row[name] for name in names[:2]]
    assert found.tokens == (sum(len(tokenizer.backend_tokenizer.encode(text).ids) for text in texts),) * 3

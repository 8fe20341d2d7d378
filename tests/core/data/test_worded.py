"""Words to tokens: which token begins which word, with every kind of tokenizer; limits; words that are no token."""

import pytest
from transformers import PreTrainedTokenizerFast

from core.data.worded import encode_words
from tests import factory

WORDS = ["Ada", "Lovelace", "lives", "in", "Ghent", ",", "12345", "naïve", "don't", "."]


@pytest.fixture(scope="module", params=["bpe", "unigram", "unigram_no_prefix", "wordpiece"])
def tokenizer(request, tmp_path_factory):
    folder = factory.write_tokenizer(tmp_path_factory.mktemp(request.param), request.param, bos=request.param == "bpe")
    return PreTrainedTokenizerFast.from_pretrained(folder)


def begun(made):
    return [at for at in made.words if at is not None]


def test_each_word_begins_at_its_first_token(tokenizer):
    made = encode_words([WORDS], tokenizer, 200)[0]
    assert begun(made) == list(range(len(WORDS))) and made.kept == len(WORDS) and made.unread == 0
    assert len(made.ids) == len(made.words)
    starts = [i for i, at in enumerate(made.words) if at is not None]
    for word, start, stop in zip(WORDS, starts, [*starts[1:], len(made.ids)], strict=True):
        alone = tokenizer.backend_tokenizer.encode(word, add_special_tokens=False).ids
        got, want = (tokenizer.decode(ids, skip_special_tokens=True) for ids in (made.ids[start:stop], alone))
        assert got.replace(" ", "") == want.replace(" ", "")


def test_the_ids_are_those_of_the_text(tokenizer):
    made = encode_words([WORDS], tokenizer, 200)[0]
    assert made.ids == tokenizer.backend_tokenizer.encode(" ".join(WORDS), add_special_tokens=True).ids


@pytest.mark.parametrize("limit", range(3, 30, 3))
def test_a_limit_cuts_behind_a_whole_word(tokenizer, limit):
    whole, made = (encode_words([WORDS], tokenizer, most)[0] for most in (200, limit))
    assert len(made.ids) <= limit
    assert begun(made) == list(range(made.kept))
    if made.kept:
        behind = len(whole.words) - 1 - whole.words[::-1].index(len(WORDS) - 1)
        tail = whole.ids[len(whole.ids) - 1 :] if whole.words[-1] is None and behind < len(whole.ids) - 1 else []
        body = made.ids[: len(made.ids) - len(tail)] if tail and made.ids[-1:] == tail else made.ids
        assert body == whole.ids[: len(body)]


def test_words_that_are_no_token_are_counted(tokenizer):
    made = encode_words([["Ada", "", "sings", "  "]], tokenizer, 200)[0]
    assert {0, 2} <= set(begun(made)) and 1 not in begun(made)
    assert made.kept == 4 and made.unread == 4 - len(begun(made)) >= 1


def test_nothing_to_read_has_no_ids(tokenizer):
    assert encode_words([[], [""], WORDS], tokenizer, 200)[0].ids == []
    assert encode_words([[""]], tokenizer, 200)[0].kept == 0


def test_what_looks_like_a_mark_stays_text(tokenizer):
    mark = tokenizer.all_special_tokens[0]
    made = encode_words([["a", mark, "b"]], tokenizer, 200)[0]
    plain = encode_words([["a", "b"]], tokenizer, 200)[0]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert sum(i in special for i in made.ids) == sum(i in special for i in plain.ids)
    assert begun(made) == [0, 1, 2]

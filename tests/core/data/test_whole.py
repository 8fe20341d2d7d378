"""Texts as a whole: the ids of transformers' own call, but for what would forge a special token."""

import pytest
from transformers import PreTrainedTokenizerFast

from core.data.questions import frame
from core.data.whole import encode_texts
from tests import factory

TEXTS = ["What a wonderful morning this is", "Zoë naïve café 東京", "a", ""]


@pytest.mark.parametrize(("kind", "bos"), [("wordpiece", False), ("bpe", False), ("bpe", True), ("unigram", True)])
def test_the_ids_of_transformers(tmp_path, kind, bos):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(factory.write_tokenizer(tmp_path, kind, bos=bos))
    found, cut = encode_texts(TEXTS, tokenizer, 64)
    assert found == tokenizer(TEXTS).input_ids and cut == []


def test_a_text_over_the_limit_loses_its_end_and_keeps_its_frame(tmp_path):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(factory.write_tokenizer(tmp_path, "wordpiece"))
    before, after = frame(tokenizer)
    assert tokenizer.convert_ids_to_tokens(before + after) == ["[CLS]", "[SEP]"]
    long = " ".join(TEXTS[:1] * 9)
    (short, whole), cut = encode_texts([long, "I miss the dog"], tokenizer, 8)
    assert cut == [0] and short == tokenizer(long, truncation=True, max_length=8).input_ids
    assert whole == tokenizer("I miss the dog").input_ids


def test_the_text_of_a_special_token_stays_text(tmp_path):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(factory.write_tokenizer(tmp_path, "wordpiece"))
    ((*inner, last),), _ = encode_texts(["one [SEP] two"], tokenizer, 64)
    assert last == tokenizer.sep_token_id and tokenizer.sep_token_id not in inner

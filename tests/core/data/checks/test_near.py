"""Near duplicates: what the pairs are is compared with scikit-learn's shingles and every pair looked at."""

import itertools
import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from core.data.checks import near
from core.data.checks.reading import Reading, Said
from core.data.checks.shingles import shingles
from core.data.formats import Layout
from core.data.rows import Rows
from core.data.tables import collect
from tests.core.data.test_report import WORDS

PAIRS = Layout("prompt_completion", {"prompt": "q", "completion": "a"}, "")
LABELS = Layout("text_label", {"text": "q", "label": "a"}, "")


def noisy_rows(count, seed=0):
    """Questions of which many are others with a few words exchanged, moved or left out."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        if made and rng.random() < 0.6:
            words = rng.choice(made)[0].split()
            for _ in range(rng.choice([1, 1, 2, 4])):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
            made.append((" ".join(words), rng.choice(["yes it is", "yes it is!", "no it is not"])))
        else:
            made.append((" ".join(rng.choices(WORDS, k=rng.randint(8, 20))), "yes it is"))
    return made


def table(pairs):
    made = collect({"q": q, "a": a} for q, a in pairs)
    return Rows(made.data, made.json)


def jaccard(texts):
    """Of every pair of texts, by scikit-learn: 1 where both have nothing."""
    counts = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True).fit_transform(texts).astype(int)
    both = (counts @ counts.T).toarray()
    sizes = both.diagonal()
    return both / (sizes[:, None] + sizes[None, :] - both)


def brute(pairs):
    """The pairs that are alike, every pair looked at."""
    questions = jaccard([q for q, _ in pairs])
    same = [[("no" in x.split()) == ("no" in y.split()) for _, y in pairs] for _, x in pairs]
    return {
        (i, j) for i, j in itertools.combinations(range(len(pairs)), 2) if questions[i, j] >= near.ALIKE and same[i][j]
    }


def search(pairs, reading=None, order=None):
    reading, rows = reading or Reading.of(PAIRS, ["q", "a"], None), table(pairs)
    signatures = near.Signatures(len(pairs))
    said = [reading.said(row) for row in rows]
    for start in range(0, len(said), 150):
        signatures.add(said[start : start + 150])
    order = np.arange(len(said)) if order is None else order
    return near.settle(signatures.pairs(order), order, lambda pairs: near.alike(pairs, rows, reading))


def test_every_reported_pair_is_one_and_hardly_any_is_missed():
    pairs = noisy_rows(500)
    twins, edges = search(pairs)
    true, found = brute(pairs), set(map(tuple, edges.tolist()))
    assert len(true) > 60
    assert found <= true, "no false pair"
    gone = set(np.flatnonzero(twins >= 0).tolist())
    left = [pair for pair in true if not gone & set(pair)]
    assert len(left) <= 0.02 * len(true), "pairs of which both would stay"


def test_a_row_that_goes_is_alike_to_one_that_stays():
    pairs = noisy_rows(500, seed=1)
    twins, _ = search(pairs)
    true, gone = brute(pairs), np.flatnonzero(twins >= 0)
    assert len(gone) > 30
    assert all(twins[twins[row]] == -1 and tuple(sorted((row, twins[row]))) in true for row in gone.tolist())


def test_what_comes_first_in_the_order_stays():
    pairs = noisy_rows(120, seed=2)
    order = np.arange(120)[::-1].copy()
    twins, edges = search(pairs, order=order)
    assert (twins[twins >= 0] > np.flatnonzero(twins >= 0)).all() and (edges[:, 0] > edges[:, 1]).all()


def test_the_same_rows_give_the_same_twins():
    pairs = noisy_rows(300, seed=3)
    assert (search(pairs)[0] == search(pairs)[0]).all()


TOKYO = "東京は日本の首都であり世界で最も人口の多い都市の一つ"
SENTENCE = "the harbour closes when the wind is high and the ferry stays at the quay"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((SENTENCE, "fine"), (SENTENCE.upper() + "!!", "Fine."), True),
        ((SENTENCE, "fine"), ("now " + SENTENCE, "fine"), True),
        ((SENTENCE, "fine"), (SENTENCE, "bad"), False),
        ((SENTENCE + " 3 and 4", "fine"), (SENTENCE + " 3 and 5", "fine"), False),
        ((SENTENCE + " 3 and 4", "fine"), (SENTENCE + " 4 and 3", "fine"), False),
        ((SENTENCE + " 12 3", "fine"), (SENTENCE + " 1 23", "fine"), False),
        ((SENTENCE, "fine"), (SENTENCE.replace("is high", "is not high"), "fine"), False),
        ((SENTENCE, "yes"), (SENTENCE + " today", "no"), False),
        (("", SENTENCE), ("", "well " + SENTENCE), True),
        (("yes", "yes"), ("yes!", "yes"), True),
        (("yes", "yes"), ("yet", "yes"), False),
        (("", ""), ("", ""), False),
        (("!?", "..."), ("--", "?"), False),
        ((TOKYO + "です", "はい"), (TOKYO + "だ", "はい"), True),
    ],
)  # fmt: skip
def test_what_is_alike(one, other, same):
    assert (search([one, other])[0].tolist() == [-1, 0]) is same


def test_a_label_must_be_the_same():
    rows = [
        (SENTENCE, "transfer_not_received_by_recipient"),
        (SENTENCE + " now", "transfer_not_received_by_recipients"),
    ]
    assert len(search(rows)[1]) == 1
    assert len(search(rows, Reading.of(LABELS, ["q", "a"], None))[1]) == 0


def test_rows_that_differ_in_a_number_are_no_candidates_at_all():
    """A set made from few sentences and many numbers would otherwise be compared row by row."""
    signatures = near.Signatures(500)
    signatures.add([Said(f"{SENTENCE} {i}", "fine") for i in range(500)])
    assert len(signatures.pairs(np.arange(500))) == 0


def test_many_rows_in_one_bucket_are_not_all_compared():
    signatures = near.Signatures(400)
    signatures.add([Said(f"{SENTENCE} {WORDS[i % 40]}", "fine") for i in range(400)])
    assert len(signatures.pairs(np.arange(400))) <= 400 * near.TRIED


def test_rows_after_the_most_are_passed_over(monkeypatch):
    monkeypatch.setattr(near, "MOST", 3)
    signatures = near.Signatures(6)
    for _ in range(3):
        signatures.add([Said(SENTENCE, "fine")] * 2)
    assert signatures.count == 3
    assert set(signatures.pairs(np.arange(6)).ravel().tolist()) == {0, 1, 2}


def test_shingles_are_those_of_scikit_learn():
    texts = ["the  Harbour, closes!", "at six", "abc", "ÄÖÜ und ß", "नमस्ते दुनिया", "a-b_c.d", "x" * 30]
    plain = ["the harbour closes", "at six", "abc", "äöü und ss", "नमस्ते दुनिया", "a b c d", "x" * 30]
    made = shingles(texts).sets()
    ngrams = CountVectorizer(analyzer="char", ngram_range=(5, 5)).build_analyzer()
    assert [len(s) for s in made] == [len(set(ngrams(t))) or 1 for t in plain]
    assert made == shingles(plain).sets()


def test_texts_do_not_touch_each_other():
    texts = ["", "abcdefgh", "", "!!", "ijk", "a\0b", ""]
    together = shingles(texts)
    assert together.sets() == [shingles([text]).sets()[0] for text in texts]
    assert together.numbers.tolist() == [0] * 7
    assert [len(s) for s in together.sets()] == [0, 4, 0, 0, 1, 1, 0]
    assert len(shingles([]).hashes) == 0 and shingles([]).bounds.tolist() == [0]


def test_numbers_are_told_apart_by_digits_order_and_where_they_begin():
    texts = ["1 and 23", "12 and 3", "23 and 1", "1 or 23", "1,23", "123", "none"]
    numbers = shingles(texts).numbers.tolist()
    assert numbers[0] == numbers[3] == numbers[4] and len(set(numbers)) == 5 and numbers[-1] == 0

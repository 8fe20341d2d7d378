"""The real files that lie beside the repository: findings, with their counts verified by pandas and scikit-learn."""

import functools
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from core.config import build
from core.data.checks import near
from core.data.dataset import open_examples
from core.data.fixes import apply
from core.data.report import findings
from core.data.split import split_source
from tests.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"


def looked_at(name, task, **data):
    if not (DATA / name).is_file():
        pytest.skip(f"{name} lies beside the repository, in a folder that is not there")
    return _looked_at(name, task, json.dumps(data))


@functools.cache
def _looked_at(name, task, data):
    config = build({"data": {"path": str(DATA / name), **json.loads(data)}, "task": task})
    source = open_examples(config)
    split = split_source(source, config)
    return source, split, {f.kind: f for f in findings(source, config, None, split)}


def leaks(frame, column, split):
    """Rows kept back whose question is asked in the training rows, by pandas."""
    asked = frame[column].str.casefold().str.split().str.join(" ")
    return int(asked.iloc[split.validation].isin(asked.iloc[split.train]).sum())


def test_banking77():
    source, split, got = looked_at("banking77_train.csv", "classification")
    frame = pd.read_csv(source.path)
    assert set(got) == {"near_duplicate", "leakage", "near_leakage"}, "and no false alarm in 10,003 rows"
    assert frame.duplicated().sum() == 0
    asked = frame.text.str.casefold().str.split().str.join(" ")
    assert (frame.groupby(asked).category.nunique() > 1).sum() == 0, "no contradictions"
    assert got["leakage"].count == leaks(frame, "text", split)
    mended = apply(source, ["drop_near_duplicates"])
    assert len(source.rows) - len(mended.rows) == got["near_duplicate"].count > 100


def test_near_duplicates_of_banking77_are_all_that_scikit_learn_finds():
    source, _, got = looked_at("banking77_train.csv", "classification")
    frame = pd.read_csv(source.path)
    plain = frame.text.str.casefold().str.replace(r"[\W_]+", " ", regex=True).str.strip()
    telling = [tuple(near._TELLING.findall(text.casefold())) for text in frame.text]
    true = set()
    for rows in frame.groupby("category").groups.values():  # a label must be the same
        rows = rows.tolist()
        counts = (
            CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True).fit_transform(plain[rows]).astype(int)
        )
        both = (counts @ counts.T).toarray()
        sizes = both.diagonal()
        alike = both / (sizes[:, None] + sizes[None, :] - both) >= near.ALIKE
        true |= {
            (rows[i], rows[j])
            for i, j in itertools.combinations(range(len(rows)), 2)
            if alike[i, j] and telling[rows[i]] == telling[rows[j]]
        }
    gone = set()
    for one, other in sorted(true, key=lambda pair: (pair[1], pair[0])):  # what goes is alike to a row that stays
        if one not in gone:
            gone.add(other)
    assert got["near_duplicate"].count == len(gone) and got["near_duplicate"].rows == sorted(gone)[:20]


def test_e2e():
    source, split, got = looked_at("e2e_devset.csv", "generation")
    frame = pd.read_csv(source.path)
    assert set(got) == {"duplicate", "near_duplicate", "leakage", "conflict"}
    twice = np.flatnonzero(frame.duplicated())
    assert (got["duplicate"].count, got["duplicate"].rows) == (len(twice), twice[:20].tolist())
    assert got["leakage"].count == leaks(frame, "mr", split) > 400
    several = frame.groupby(frame.mr.str.casefold()).ref.transform(lambda refs: refs.str.casefold().nunique()) > 1
    assert got["conflict"].count == several.sum() and got["conflict"].severity == "note"
    assert (got["leakage"].remedy.field, got["leakage"].remedy.value) == ("data.group_by", "mr")
    _, _, apart = looked_at("e2e_devset.csv", "generation", group_by="mr", fixes=["drop_duplicates"])
    assert set(apart) <= {"near_duplicate", "near_leakage", "conflict"}, "both remedies hold"


def test_alpaca():
    source, _, got = looked_at("alpaca_en_demo.json", "generation")
    frame = pd.read_json(source.path)
    assert set(got) == {"duplicate", "personal"}
    assert got["duplicate"].count == frame.duplicated().sum() == 14
    assert got["personal"].rows == [91, 357, 434], "and no other number, date or formula of all rows"
    assert "5 e-mail addresses and 1 phone number." in got["personal"].message
    assert got["personal"].examples == ["…67", "al…@email.com", "jo…@email.com"]


def test_seed_tasks():
    _, _, got = looked_at("alpaca_seed_tasks.jsonl", "generation")
    assert got["personal"].rows == [74, 166]
    assert "3 e-mail addresses and 2 phone numbers" in got["personal"].message

"""The catalogue is a table that holds: its sizes give its weights, its templates and tasks are known ones."""

import pytest

from core.config import TASKS
from core.data.named import NAMED
from core.models.catalog_table import BY_ID, CATALOGUE
from core.models.heads import kind_of
from core.models.shapes import shape_of
from core.models.tokenizer import looks_like_id

CLASSES = {"decoder": "AutoModelForCausalLM", "encoder": "AutoModelForMaskedLM"}


def test_every_entry_is_sound():
    assert len(BY_ID) == len(CATALOGUE) >= 25
    for entry in CATALOGUE:
        assert looks_like_id(entry.id) and entry.terms and entry.context >= 512
        assert set(entry.tasks) <= set(TASKS) and entry.tasks
        assert entry.template is None or entry.template in NAMED
        assert (entry.template is None) == (entry.chat_template or kind_of(entry.config) == "encoder"), entry.id
        assert ("similarity" in entry.tasks) == (kind_of(entry.config) != "decoder"), entry.id


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda e: e.name)
def test_its_family_is_known_and_gives_its_weights(entry):
    shape = shape_of(entry.config)
    assert shape.known and shape.parameters == entry.parameters


@pytest.mark.slow
@pytest.mark.parametrize("entry", [e for e in CATALOGUE if e.family != "t5"], ids=lambda e: e.name)
def test_transformers_counts_the_same_weights(entry):
    """T5 is left out: transformers 5.23 ties the output layer of any T5 that is built from its config alone."""
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(entry.family, **entry.sizes | {"pad_token_id": 0})
    with torch.device("meta"):
        model = getattr(transformers, CLASSES[kind_of(entry.config)]).from_config(config)
    assert sum(p.numel() for p in model.parameters()) == entry.parameters

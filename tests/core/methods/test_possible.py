"""What makes no sense is said before anything is loaded."""

import pytest

from core.config import METHODS, build
from core.errors import InputError
from core.methods import METHODS as MODULES
from core.methods.possible import remarks, require, why_not
from core.models.heads import CAUSAL, HEADS, LABEL, TAGS
from tests import factory


def test_every_method_has_a_module():
    assert list(MODULES) == list(METHODS)


def test_one_sentence_for_what_cannot_be():
    for name in METHODS:
        for head in HEADS.values():
            for family in factory.FAMILIES:
                reason = why_not(name, head, family)
                assert "\n" not in reason and (not reason or reason.endswith("."))
    assert "no head that tags" in why_not("lora", TAGS, "gemma3_text")
    assert "T5" in why_not("prompt", LABEL, "t5") and not why_not("prompt", CAUSAL, "llama")


def test_a_config_that_cannot_be_is_refused_at_its_head(tiny_models):
    config = build({"task": "classification", "model": {"path": str(tiny_models("t5"))}, "method": {"name": "prompt"}})
    require(config, CAUSAL)
    with pytest.raises(InputError, match="Prompt tuning cannot train T5") as error:
        require(config, LABEL)
    assert error.value.field == "model.head"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_remarked_on_where_it_does_less_than_one_thinks(name):
    assert bool(remarks(name, "cpu")) == (name == "qlora") and not remarks(name, "cuda")

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


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_remarked_on_where_it_does_less_than_one_thinks(name):
    assert bool(remarks(name, "cpu")) == (name == "qlora") and not remarks(name, "cuda")


@pytest.mark.parametrize(
    ("family", "head", "method", "field"),
    [
        ("t5", LABEL, {"name": "prompt"}, "method.name"),
        ("gemma3_text", TAGS, {"name": "lora"}, "model.head"),
        ("llama", CAUSAL, {"name": "ia3", "target_modules": ["v_porj"]}, "method.target_modules"),
        ("llama", CAUSAL, {"name": "qlora", "modules_to_save": ["x"]}, "method.modules_to_save"),
        ("t5", CAUSAL, {"name": "prompt"}, ""),
    ],
)
def test_a_run_is_refused_at_the_field(tiny_models, family, head, method, field):
    config = build({"model": {"path": str(tiny_models(family))}, "method": method})
    if not field:
        require(config, head)
        return
    with pytest.raises(InputError) as error:
        require(config, head)
    assert error.value.field == field

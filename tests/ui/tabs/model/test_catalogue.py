"""The cards of the catalogue."""

from core.models.catalog import DEMO, SUGGESTIONS
from core.models.catalog_table import BY_ID, CATALOGUE
from ui import form
from ui.shared import first_draft
from ui.tabs.model import catalogue


def paths(*args: object) -> list[str]:
    return [path for _, path in catalogue.cards(*args)]  # type: ignore[arg-type]


def test_the_demo_comes_first_and_words_look_through_all() -> None:
    assert paths() == [DEMO, *(s.id for s in SUGGESTIONS)]
    assert paths("", "all") == [DEMO, *BY_ID]
    assert paths("qwen2.5 3b") == ["Qwen/Qwen2.5-3B-Instruct"] and paths("demo") == [DEMO]
    assert paths("no such model") == []
    similar = paths("", "task", False, "similarity")
    assert similar[0] == DEMO and all("similarity" in BY_ID[p].tasks for p in similar[1:]) and len(similar) > 3


def test_a_card_says_what_it_takes_and_a_chosen_one_stays() -> None:
    label = next(label for label, path in catalogue.cards() if path == "Qwen/Qwen3-0.6B")
    assert label.splitlines()[0] == "Qwen3 0.6B" and "1.2 GB" in label and "Apache" in label
    draft = form.with_value(first_draft(), "model.path", "Qwen/Qwen3-0.6B")
    assert catalogue.listed("qwen", "all", False, draft)["value"] == "Qwen/Qwen3-0.6B"
    assert catalogue.listed("bert", "all", False, draft)["value"] is None


def test_every_model_can_be_told_about() -> None:
    for entry in CATALOGUE:
        words = catalogue.about(entry)
        assert entry.licence in words and ("not confirmed" in words) != entry.confirmed

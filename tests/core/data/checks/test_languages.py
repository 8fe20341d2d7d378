"""Languages: those of sentences long enough are told, and only what is certain counts."""

import pytest

from core.config import build
from core.data.checks.languages import NAMES, language
from core.data.dataset import open_examples
from core.data.report import findings
from tests.core.data.test_report import plain_rows
from tests.factory import write_jsonl

SENTENCES = {
    "en": "The train to the coast leaves at nine, and we would like to reserve two seats by the window.",
    "de": "Der Zug an die Küste fährt um neun Uhr ab, und wir möchten zwei Plätze am Fenster reservieren.",
    "fr": "Le train pour la côte part à neuf heures, et nous aimerions réserver deux places à la fenêtre.",
    "es": "El tren a la costa sale a las nueve y queremos reservar dos asientos junto a la ventana, por favor.",
    "it": "Il treno per la costa parte alle nove e vorremmo prenotare due posti vicino al finestrino, grazie.",
    "pt": "O comboio para a costa parte às nove horas e gostaríamos de reservar dois lugares junto à janela.",
    "nl": "De trein naar de kust vertrekt om negen uur en we willen graag twee plaatsen bij het raam reserveren.",
    "pl": "Pociąg nad morze odjeżdża o dziewiątej i chcielibyśmy zarezerwować dwa miejsca przy oknie.",
    "ru": "Поезд на побережье отправляется в девять часов, и мы хотели бы забронировать два места у окна.",
    "zh": "去海边的火车九点出发，我们想预订两个靠窗的座位，请问还有票吗？谢谢您的帮助。",
    "ja": "海岸行きの電車は九時に出発します。窓側の席を二つ予約したいのですが、空いていますか。",
    "ar": "يغادر القطار إلى الساحل في الساعة التاسعة ونود أن نحجز مقعدين بجانب النافذة من فضلكم.",
    "tr": "Sahile giden tren saat dokuzda kalkıyor ve pencere kenarında iki koltuk ayırtmak istiyoruz.",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_of_its_language(code):
    assert language(SENTENCES[code]) == code in NAMES


@pytest.mark.parametrize(
    "text",
    ["", "short", "Danke schön", "12345 67890 " * 10, "name[Alimentum], area[riverside], near[Burger King]" * 2,
     "{'a': 1, 'b': [2, 3], 'c': {'d': 4}} " * 4],
)  # fmt: skip
def test_what_is_too_short_or_no_language_is_not_judged(text):
    assert language(text) == ""


def found(tmp_path, rows):
    config = build({"data": {"path": str(write_jsonl(tmp_path / "a.jsonl", rows)), "validation": 0}})
    return {f.kind: f for f in findings(open_examples(config), config, None)}


def test_several_languages_are_a_note_with_their_shares(tmp_path):
    rows = [{"phrase": f"{row['phrase']}. {SENTENCES['en']}", "tone": row["tone"]} for row in plain_rows(90)]
    assert "language" not in found(tmp_path, [*rows, {"phrase": SENTENCES["fr"], "tone": "sad"}]), "one row is no share"
    german = [{"phrase": f"{SENTENCES['de']} {word}", "tone": "calm"} for word in ("Eins.", "Zwei.", "Drei.")]
    got = found(tmp_path, [*rows, *german, *german, *german, {"phrase": SENTENCES["fr"], "tone": "sad"}])["language"]
    assert (got.severity, got.count, got.rows, got.remedy) == ("note", 9, list(range(90, 99)), None)
    assert got.message == "The rows are in several languages: 90 % English, 9 % German."

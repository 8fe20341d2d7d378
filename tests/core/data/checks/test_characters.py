"""Letters in a wrong encoding and characters that nobody sees: what is mended, and what must stay."""

import ftfy
import pytest
from ftfy.badness import MOJIBAKE_CATEGORIES
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.checks.characters import change, fix_encoding, strip_control, unseen, visibly

MEANT = ["café", "Größe", "naïve – “quoted”", "€ 20", "Привет", "日本語です", "señor año", "l’été"]


@pytest.mark.parametrize("text", MEANT)
def test_utf8_read_as_something_else_is_mended(text):
    garbled = text.encode().decode("latin-1")
    assert garbled != text and fix_encoding(garbled) == text


@pytest.mark.parametrize(
    "text",
    [
        *MEANT, "plain", "ÇA VA À L'ÉCOLE", "a letter of Portuguese: MAÇÃ, MÃE", "“Curly” quotes…", "naïve café",
        "Ελληνικά", "עברית", "العربية", "ไทย", "हिन्दी", "x² ± 3 µm", "¿Qué? ¡Sí!", "A\u0301 combining", "🎉 party 🇩🇪",
    ],
)  # fmt: skip
def test_good_text_is_left_alone(text):
    assert fix_encoding(text) == text
    assert strip_control(text) == text and not unseen(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\x00b\x07c", "abc"), ("zero\u200bwidth", "zerowidth"), ("\ufeffbegin", "begin"), ("del\x7fete", "delete"),
        ("page\x0cbreak\x0bhere\x85there", "page\nbreak\nhere\nthere"), ("over\u202eride\u202c", "override"),
        ("isolated \u2066text\u2069", "isolated text"), ("word\u2060joiner", "wordjoiner"), ("c\x921", "c1"),
        ("joiner\u200dinside", "joinerinside"), ("non\u200cjoiner", "nonjoiner"), ("soft\xadhyphen", "softhyphen"),
        ("mark\u200eof direction", "markof direction"), ("hidden\U000e0041\U000e0042 tags", "hidden tags"),
    ],
)  # fmt: skip
def test_what_nobody_sees_is_taken_out(text, clean):
    assert unseen(text) and strip_control(text) == clean and not unseen(clean)


@pytest.mark.parametrize(
    "text",
    [
        "tabs\tand\nlines\r\nstay", "👩\u200d👩\u200d👧 family", "🏳️\u200d🌈", "می\u200cخواهم", "क्\u200dष and क्\u200cष",
        "שלום \u200eabc\u200f", "العربية \u2067abc\u2069", "ภาษา\u200bไทย",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "❤️ stays", "line\u2028separator", "no\u00a0break space",
    ],
)  # fmt: skip
def test_what_writing_needs_stays(text):
    assert strip_control(text) == text and not unseen(text)


def test_an_override_in_right_to_left_text_goes_all_the_same():
    assert strip_control("שלום \u202etxt.exe") == "שלום txt.exe"


@given(st.text())
def test_mended_text_has_nothing_left_to_mend(text):
    once = strip_control(text)
    assert strip_control(once) == once and unseen(once) is False
    assert unseen(text) is (once != text)


@settings(max_examples=1000)
@given(st.text(alphabet=sorted(set("".join(MOJIBAKE_CATEGORIES.values()))) + list("aZ .,°Œœ×ÃÂà√≈β€āвЂ"), max_size=8))
def test_no_text_that_ftfy_takes_for_garbled_is_passed_over(text):
    assert fix_encoding(text) == ftfy.fix_encoding(text)


def test_the_place_is_shown():
    assert visibly("a pass\u200bword here") == "a pass[U+200B]word here"
    assert change("le cafÃ© du coin", "le café du coin") == "cafÃ© → café"
    assert change("GrÃ¶ÃŸe", "Größe") == "GrÃ¶ÃŸe → Größe"

"""Changed words: each operation at its edges, what is never touched, and texts of any kind."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.words import NEIGHBOURS, Chance, Changes, as_cased, change, plain, read_synonyms
from core.errors import InputError

ALL = Changes(swap=0.5, delete=0.5, synonym=1, case=0.5, typo=0.5, synonyms={"big": ("large",), "red": ("scarlet",)})
TEXTS = (
    "The big red dog ran.",
    "one",
    "7",
    "a\n\n  b c\t d",
    " lead and trail \n",
    "Write to a.b@c.de about https://x.y/z?q=1, {name} and <b>bold words</b> by 12:30, please.",
    "今天天气很好。 我们去公园",
    "สวัสดีชาวโลก ยินดี",
    "Привет, как дела сегодня?",
    "हिन्दी में लिखा हुआ वाक्य",
    "`let x` be code and ```more code\nhere``` not",
    "",
    "   ",
    "don't e-mail O'Brien",
)


def made(text, seed=0, kept=frozenset(), **shares):
    return change(text, Changes(**shares), Chance(b"%d" % seed), kept)


def several(text, count=40, **shares):
    return {made(text, seed, **shares) for seed in range(count)}


def test_chance_is_the_same_on_every_machine():
    chance = Chance(b"seed")
    assert [chance.number() for _ in range(2)] == [11042340404369268508, 3865322476464540517]
    chance._state = 0
    assert chance.number() == 0xE220A8397B1DCDAF  # the first number of the authors' own program from 0
    assert sorted(Chance(b"y").drawn(range(9))) == list(range(9))
    assert Chance(b"y").times(0, 10) == 0 and Chance(b"y").times(0.5, 10) == 5
    rounded = [Chance(b"%d" % i).times(0.25, 2) for i in range(2000)]
    assert set(rounded) == {0, 1} and 900 < sum(rounded) < 1100


@pytest.mark.parametrize(
    ("piece", "core"),
    [
        ("word", "word"), ("(word),", "word"), ("“Word”", "Word"), ("don't", "don't"), ("e-mail", "e-mail"),
        ("naïve", "naïve"), ("हिन्दी", "हिन्दी"), ("Zoë!", "Zoë"), ("한국어", "한국어"), ("I", "I"),
        ("3rd", ""), ("1,024.50", ""), ("a.b@c.de", ""), ("https://x.y", ""), ("www.x.y", ""), ("{name}", ""),
        ("<b>", ""), ("snake_case", ""), ("getName", ""), ("f(x)", ""), ("foo()", ""), ("--flag", ""), ("#tag", ""),
        ("@you", ""), ("e.g.", ""), ("…", ""), ("-", ""), ("天气", ""), ("สวัสดี", ""), ("😀", ""), ("$x", ""),
        ("a=b", ""), ("", ""), ("sixty-four-" * 5 + "word", "sixty-four-" * 5 + "word"),
    ],
)  # fmt: skip
def test_what_is_a_plain_word(piece, core):
    assert plain(piece)[1] == core and "".join(plain(piece)) == piece


def test_swap_moves_neighbours_and_leaves_punctuation_and_lines():
    assert several("one two", swap=0.1) == {"two one"}
    assert several("Hello, you", swap=0.1) == {"Hello, you"} and several("one\ntwo", swap=0.1) == {"one\ntwo"}
    assert several("one  two three", swap=0.1) == {"two  one three", "one  three two"}
    assert several("one 2 three", swap=0.5) == {"one 2 three"} and several("so So", swap=0.5) == {"so So"}
    assert made("a b c d e f", swap=0.5).split() != list("abcdef")


def test_deletion_takes_one_space_along_and_never_all():
    assert several("one two", delete=0.1) == {"one", "two"}
    assert several("one", delete=0.5) == {"one"} and several("7 dogs", delete=0.5) == {"7"}
    assert several("one\ntwo", delete=0.5) == {"one\ntwo"}
    assert several("a b\nc", delete=0.1) == {"a\nc", "b\nc"}
    assert several(" one  two three\n", delete=0.1) == {" two three\n", " one three\n", " one  two\n"}
    assert several("Yes, (no).", delete=0.5) == {"Yes, (no)."}
    many = made(" ".join(["word"] * 20_000), delete=0.5)
    assert many == " ".join(["word"] * 10_000)
    assert made("a b c\n\nd e f", delete=0.5).count("\n\n") == 1


def test_synonyms_keep_capitals_and_touch_only_listed_words():
    listed = {"synonyms": read_synonyms("big = large, very large\nStraße = gasse")}
    assert several("Big BIG big, bigger", synonym=1, **listed) >= {"Large LARGE large, bigger"}
    assert several("Die Straße.", synonym=0.01, **listed) == {"Die Gasse."}
    assert several("nothing here", synonym=1, **listed) == {"nothing here"}
    assert as_cased("iPhone", "big") == "iPhone" and as_cased("large", "B") == "Large"


def test_capitals():
    assert several("word", case=0.1) == {"WORD", "Word"} and several("I", case=0.1) == {"i"}
    assert several("Σας", case=0.5) == {"ΣΑΣ", "σας"} and several("שלום", case=0.5) == {"שלום"}


def test_typing_errors():
    assert {len(text) for text in several("keyboard", typo=0.1)} == {7, 8, 9}
    swapped = {t for t in several("keyboard", 200, typo=0.1) if len(t) == 8}
    assert all(
        sorted(t) == sorted("keyboard") or [b in NEIGHBOURS[a] for a, b in zip("keyboard", t, strict=True) if a != b]
        for t in swapped
    )
    assert several("aaa", 60, typo=0.1) <= {"aa", "aaaa"} | {
        "aaa"[:i] + k + "aaa"[i + 1 :] for i in range(3) for k in "qwsz"
    }
    assert several("to be", typo=0.5) == {"to be"} and several("don't", typo=0.5) == {"don't"}
    assert NEIGHBOURS["g"] and set(NEIGHBOURS["g"]) == set("tyfhvb") and set(NEIGHBOURS["p"]) == set("ol")
    capital = {t for t in several("ABCDEF", 200, typo=0.1)}
    assert all(t.isupper() for t in capital)


def test_shares_are_met_on_the_average():
    text = " ".join(f"{'abcdefghij'[i % 10]}word{'xyz'[i % 3]}" for i in range(100))
    kept = [len(made(text, seed, delete=0.2).split()) for seed in range(50)]
    assert all(k == 80 for k in kept)
    cased = [
        sum(a != b for a, b in zip(text.split(), made(text, s, case=0.125).split(), strict=True)) for s in range(80)
    ]
    assert set(cased) == {12, 13}
    moved = made(text, 3, swap=0.1).split()
    assert sum(a != b for a, b in zip(text.split(), moved, strict=True)) == 10


def test_long_pieces_are_no_words():
    assert made("a" * 65, typo=0.5, case=0.5) == "a" * 65 and made("a" * 64, typo=0.5) != "a" * 64


def test_words_of_the_answer_can_be_kept():
    for seed in range(30):
        new = change("Mara lives in Ghent", ALL, Chance(b"%d" % seed), frozenset({"mara", "ghent"}))
        assert "Mara" in new.split() and "Ghent" in new.split()


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_word_stays(text):
    fixed = re.findall(r"a\.b@c\.de|https\S+|\{name\}|<b>bold words</b>|12:30,|`let x`|```[^`]*```|[7天ส]\S*", text)
    for seed in range(30):
        new = change(text, ALL, Chance(b"%d" % seed))
        assert all(piece in new for piece in fixed) and bool(new.strip()) == bool(text.strip())
    if text in ("7", "", "   ") or text[:1] in "今ส":
        assert new == text
    else:
        assert len({change(text, ALL, Chance(b"%d" % seed)) for seed in range(30)} - {text}) > 0


@given(st.text(max_size=80), st.integers(0, 99), st.sampled_from(["swap", "delete", "case", "typo", "synonym", "all"]))
def test_any_text(text, seed, name):
    changes = ALL if name == "all" else Changes(**{name: 0.5}, synonyms=ALL.synonyms)
    new = change(text, changes, Chance(b"%d" % seed))
    assert new == change(text, changes, Chance(b"%d" % seed))
    assert bool(new.strip()) == bool(text.strip())
    digits = re.compile(r"\d")
    assert digits.findall(new) == digits.findall(text)
    breaks, gaps = re.compile(r"[\r\n]"), re.compile(r"\s+")
    assert breaks.findall(new) == breaks.findall(text)
    if name in ("swap", "case", "typo"):
        assert gaps.findall(new) == gaps.findall(text)
    if name == "swap":
        assert sorted(new) == sorted(text)


# The list


def test_a_list_of_synonyms():
    text = "big = large, huge\n\n Red=scarlet ,\nbig = giant\n"
    assert read_synonyms(text) == {"big": ("large", "huge", "giant"), "red": ("scarlet",)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("big = large\nred scarlet", "Line 2 of the list of synonyms has no equals sign"),
        ("= large", "Line 1 of the list of synonyms has no word before"),
        ("big = , ,", "has nothing to put in place of 'big'"),
        ("New York = NYC", "begins with 'New York', which is not one plain word"),
        ("4k = sharp", "not one plain word"),
        ("\n\nbig = BIG", "Line 3 of the list of synonyms puts 'big' in its own place"),
    ],
)
def test_a_list_that_is_wrong_names_the_line(text, words):
    with pytest.raises(InputError, match=words) as error:
        read_synonyms(text)
    assert error.value.field == "augmentation.synonyms" and str(error.value).endswith("such as big = large, huge.")

"""Where words end, by script: Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan put no spaces between them.

Uses the `regex` package: Python's own `\\w` lacks the combining marks, so the vowel signs of Hindi, Bengali or Tamil,
the vowel points of Arabic and Hebrew, and decomposed accents would be gaps between words instead of a part of them.
"""

from __future__ import annotations

import unicodedata

import regex

_HAN = r"\p{Han}"
# Ranges, since Unicode counts the length mark of kana, which is a letter, as of no script.
_KANA_AND_OTHERS = (
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # kana
    "\u0e00-\u0fff\u1000-\u109f\uaa60-\uaa7f\u1780-\u17ff\u19e0-\u19ff"  # Thai, Lao, Tibetan, Burmese, Khmer
)
_INSIDE = r"\p{M}\u200c\u200d"  # marks, and the joiners inside words of Persian and of Indic scripts
_WORD = regex.compile(
    rf"[[\p{{L}}\p{{N}}]&&[{_HAN}{_KANA_AND_OTHERS}]][{_INSIDE}]*"
    rf"|[[\p{{L}}\p{{N}}]--[{_HAN}{_KANA_AND_OTHERS}]][[\p{{L}}\p{{N}}{_INSIDE}]--[{_HAN}{_KANA_AND_OTHERS}]]*",
    regex.VERSION1,
)
_LETTER, _CHARS = regex.compile(r"\p{L}"), regex.compile(rf"[\p{{L}}&&[{_KANA_AND_OTHERS}]]", regex.VERSION1)
_IDEOGRAPH = regex.compile(_HAN)


def words(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters, digits and the marks on them, of any script.

    In a script without spaces between words, each letter with its marks counts as a word.
    """
    return list(_WORD.findall(unicodedata.normalize("NFC", text).lower()))


def bleu_tokenizer(reference: str) -> str:
    """The tokenizer of sacrebleu that suits a reference: "13a", "zh" or "char".

    "zh" takes each ideograph as a token and all else as "13a" does. "char" takes each character as one: for Japanese,
    Thai and the other scripts without spaces, whose own tokenizers (MeCab, flores200) need files that are not here.
    """
    chars = len(_CHARS.findall(reference))
    if 2 * (chars + len(_IDEOGRAPH.findall(reference))) > len(_LETTER.findall(reference)) and chars:
        return "char"
    return "zh" if _IDEOGRAPH.search(reference) else "13a"

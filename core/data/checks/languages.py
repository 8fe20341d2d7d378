"""Which languages the rows are in: an even sample, only texts that are long enough, only what is certain."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any

from core.data.checks.batch import Batch, strings
from core.data.checks.case import Case
from core.data.checks.finding import EXAMPLES, SHOWN, Finding, shorten

SAMPLE = 1000  # rows
LEAST = 60  # bytes of a text in UTF-8; 20 characters of Chinese
CERTAIN = 0.9  # the least probability
SHARE = 0.01  # of the rows that are judged; less is not worth a word

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "km": "Khmer", "kn": "Kannada",
    "ko": "Korean", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovene",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(NAMES))
    return identifier


def language(text: str) -> str:
    """The language of a text, as a code of NAMES; "" where it is too short, or not certain."""
    text = text[:1000]
    words = sum(map(str.isalpha, text))
    if len(text.encode("utf-8", "replace")) < LEAST or words < 0.6 * len(text):
        return ""
    code, probability = _identifier().classify(text)
    return str(code) if probability >= CERTAIN else ""


class Languages:
    """Judges the longest text of each row of a sample."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def look(self, batch: Batch) -> None:
        """All is done on the sample, at the end."""

    def found(self) -> list[Finding]:
        """What was found."""
        rows = self.case.source.rows
        step = max(1.0, len(rows) / SAMPLE)
        places = [int(i * step) for i in range(min(len(rows), SAMPLE))]
        spoken: dict[int, str] = {}
        texts: dict[int, str] = {}
        for place, row in zip(places, rows.take(places), strict=True):
            text = max(strings(row), key=len, default="")
            if code := language(text):
                spoken[place], texts[place] = code, text
        counts = Counter(spoken.values())
        listed = [(code, n) for code, n in counts.most_common() if n >= max(2, SHARE * len(spoken))]
        if len(listed) < 2:
            return []
        shares = ", ".join(f"{n / len(spoken):.0%} {NAMES[code]}".replace("%", " %") for code, n in listed[:4])
        others = [place for place, code in spoken.items() if code in dict(listed[1:])]
        sampled = f" of {len(places):,} rows looked at" if step > 1 else ""
        message = f"The rows are in several languages: {shares}{sampled}."
        why = "A model learns the language in which it is to answer from the rows; few rows in one are seldom meant."
        shown = [shorten(texts[place]) for place in others[:EXAMPLES]]
        return [Finding("language", len(others), others[:SHOWN], message, "note", why, shown)]

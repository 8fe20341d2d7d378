"""Personal data in a text: e-mail addresses, phone numbers, card numbers and bank accounts, each proven by its form."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int, str]  # start, end, kind

MASKS = {"email": "[EMAIL]", "phone": "[PHONE]", "card": "[CARD]", "iban": "[IBAN]"}
NAMES = {
    "email": ("e-mail address", "e-mail addresses"), "phone": ("phone number", "phone numbers"),
    "card": ("card number", "card numbers"), "iban": ("bank account", "bank accounts"),
}  # fmt: skip

# Whether a text is worth a closer look: an @, or seven digits in a row but for what stands between them in a number.
HINT = re.compile(r"[@0-9](?:(?<=@)|(?:[ ()./-]{0,2}[0-9A-Z]){6})")

NEAR = 200  # characters around a number that tell what it is

_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,24})(?![\w-]|@)"
)
_IN_URL = re.compile(r"://[^\s/]*$")
# Endings of file names, which stand behind an @ in icon@2x.png; and the user of every git server.
_NO_MAIL = {
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "pdf",
    "js",
    "ts",
    "py",
    "css",
    "html",
    "json",
    "txt",
    "xml",
    "md",
}

# ISO 13616: length of the account number by country.
_IBAN_LENGTHS = {
    c: int(n)
    for n, countries in {
        "15": "NO", "16": "BE", "18": "DK FO FI GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ DZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR",
        "27": "DJ FR GR IT MC MR SM BI", "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA",
        "30": "JO KW MU", "31": "MT SC", "32": "LC", "33": "RU",
    }.items()
    for c in countries.split()
}  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})\d{2}(?=[ ]?[A-Z0-9]{4})")

_CARD = re.compile(
    r"(?<![\w.,/+-])[2-6]\d{3}"
    r"(?:(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|(?P<four>[ -])\d{6}(?P=four)\d{5}|\d{9,15})(?![\w-]|[.,]\d)"
)
_CARD_LIKE = re.compile(
    r"card|visa|master|amex|credit|debit|pay|\bcc\b|cvv|cvc|expir|karte|carte|tarjeta", re.IGNORECASE
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)

_NUMBER = r"\d(?:[ .()/-]{0,2}\d){6,14}"
_INTERNATIONAL = re.compile(rf"(?<![\w+.,])(?:\+|00(?=[1-9])){_NUMBER}(?!\w)")
_BRACKETED = re.compile(r"(?<![\w+/-])(?:\+?1[ .-]?)?\([1-9]\d\d\) ?\d{3}[ .-]\d{4}(?![\w-]|\.\d)")
_AMERICAN = re.compile(r"(?<![\w.+/-])(?<!\d )(?:\+?1[ .-])?\d{3}[.-]\d{3}[.-]\d{4}(?![\w-]|\.\d| \d)")
_FRENCH = re.compile(r"(?<![\w.+/-])(?<!\d )0[1-9](?:([ .-])\d{2})(?:\1\d{2}){3}(?![\w-]|[. ]\d)")
_CALLED = re.compile(
    r"\b(?:tel|telephone|telefon|tél|téléphone|teléfono|telefono|phone|mobile|cell|call|fax|whatsapp|sms|dial|ring|handy|"
    r"mobil|numéro|rufnummer|contact)\b[ .:#]{0,3}"
    r"(?:(?:number|no|nr|us|me|is|at|on|him|her|them|under)\b[ .:#]{0,3}){0,3}"
    rf"(?P<number>\(?{_NUMBER})(?!\w)",
    re.IGNORECASE,
)
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "CH", "AT", "PL", "BR")


def find(text: str) -> list[Span]:
    """What a text holds of personal data, in order, without overlaps."""
    return apart([*_ibans(text), *_cards(text), *_emails(text), *_phones(text)])


def apart(spans: list[Span]) -> list[Span]:
    """Spans in order; of those that overlap the one that begins first, or that was found first."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: s[0]):
        if not found or found[-1][1] <= span[0]:
            found.append(span)
    return found


def mask_personal(text: str) -> str:
    """The text with [EMAIL], [PHONE], [CARD] and [IBAN] in place of personal data."""
    if not HINT.search(text):
        return text
    return masked(text, [(start, stop, MASKS[kind]) for start, stop, kind in find(text)])


def masked(text: str, spans: list[Span]) -> str:
    """The text with something else in place of each span: (start, end, what)."""
    pieces, at = [], 0
    for start, stop, mask in spans:
        pieces += [text[at:start], mask]
        at = stop
    return "".join([*pieces, text[at:]])


def partly(value: str, kind: str) -> str:
    """Personal data as it may be shown: "ad…@example.org", "…58"."""
    if kind == "email":
        name, _, host = value.partition("@")
        return f"{name[:2] if len(name) > 3 else name[:1]}…@{host}"
    return f"{value[:4]}…{value[-2:]}" if kind == "iban" else f"…{value[-2:]}"


def _emails(text: str) -> Iterator[Span]:
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        if (
            match[1].lower() in _NO_MAIL
            or match[0].startswith("git@")
            or _IN_URL.search(text, max(0, match.start() - NEAR), match.start())
        ):
            continue
        yield match.start(), match.end(), "email"


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length, at, digits = _IBAN_LENGTHS.get(match[1], 0), match.start(), ""
        while len(digits) < length and at < len(text):
            char = text[at]
            if char == " " and digits and len(digits) % 4 == 0:
                at += 1
                continue
            if not ("0" <= char <= "9" or "A" <= char <= "Z"):
                break
            digits, at = digits + char, at + 1
        whole = length and len(digits) == length and not text[at : at + 1].isalnum()
        if whole and int("".join(str(int(c, 36)) for c in digits[4:] + digits[:4])) % 97 == 1:
            yield match.start(), at, "iban"


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _ISSUERS.fullmatch(digits) and _luhn(digits) and len(set(digits)) > 1:
            around = text[max(0, match.start() - NEAR) : match.end() + NEAR]
            if len(digits) < len(match[0]) or _CARD_LIKE.search(around):  # a bare number may be an order's
                yield match.start(), match.end(), "card"


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812: every second digit from the right counts double, and the sum of all digits ends in 0."""
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _phones(text: str) -> Iterator[Span]:
    for match in _INTERNATIONAL.finditer(text):
        if _valid("+" + match[0].removeprefix("00").removeprefix("+"), None):
            yield match.start(), match.end(), "phone"
    for match in _BRACKETED.finditer(text):  # (123) 456-7891 is a phone number, if an invented one
        yield match.start(), match.end(), "phone"
    for pattern, region in ((_AMERICAN, "US"), (_FRENCH, "FR")):
        for match in pattern.finditer(text):
            if _valid(match[0], region):
                yield match.start(), match.end(), "phone"
    for match in _CALLED.finditer(text):
        number = match["number"]
        written = number[0] in "(0" or not number.isdigit()  # 1234567 may be any number
        if written and any(_valid(number, region) for region in _REGIONS):
            yield match.start("number"), match.end("number"), "phone"


def _valid(number: str, region: str | None) -> bool:
    """Whether a number has the length and the beginning that its country's plan gives out."""
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, region)))
    except phonenumbers.NumberParseException:
        return False

"""Secrets in a text: keys of services, private keys, tokens, passwords in settings and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.data.checks.personal import Span, apart, masked

MASK = "[SECRET]"

# kind -> (words in small letters of which a text must hold one, the pattern). The group "value" is the secret; without
# it all of the match is.
_WRITTEN: dict[str, tuple[str, str]] = {
    "private key": (
        "-----begin",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.-]{40,}?"
        r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    "AWS key": ("akia asia", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "GitHub token": (
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"\b(?:gh[opsur]_[A-Za-z0-9]{36,255}|github_pat_\w{50,255})\b",
    ),
    "GitLab token": ("glpat-", r"\bglpat-[\w-]{20,}"),
    "API key": (  # of OpenAI, Anthropic and others
        "sk-",
        r"\bsk-(?=[\w-]{0,199}\d)(?=[\w-]{0,199}[A-Za-z])(?:[a-z0-9]+-){0,3}[A-Za-z0-9_-]{20,200}",
    ),
    "Hugging Face token": ("hf_", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    "Slack token": (
        "xox hooks.slack.com",
        r"\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w{20,}",
    ),
    "Google key": ("aiza", r"\bAIza[\w-]{35}(?![\w-])"),
    "Stripe key": ("k_live_ k_test_", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}\b"),
    "SendGrid key": ("sg.", r"\bSG\.[\w-]{22}\.[\w-]{43}(?![\w-])"),
    "npm token": ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    "web token": ("eyj", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "bearer token": ("bearer", r"(?i)\bbearer +(?P<value>(?=[\w.~+/-]{0,199}\d)[\w.~+/-]{20,}=*)"),
    "password in an address": (
        "://",
        r"(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|s?ftp|ssh|https?|smtps?|"
        r"ldaps?)(?:\+\w+)?://[^\s:/@\"'<>]{0,64}:(?P<value>[^\s/@\"'<>{}$\[\]]{3,100})@[\w.-]+",
    ),
    "password": (
        "passw passphrase pwd secret key token",
        r"(?i)(?:passw(?:or)?d|passphrase|pwd|secret|(?:api|access|account|private|auth)[_ -]?key|"
        r"(?:api|access|auth|refresh|session)[_ -]?token)[\"']?\s{0,2}(?::=|=>|[=:])\s{0,2}(?P<quote>[\"']?)"
        r"(?P<value>[^\s\"'`,;<>(){}\[\]$]{6,200})(?P<next>.?)",
    ),
}
_PATTERNS = {kind: (tuple(needles.split()), re.compile(pattern)) for kind, (needles, pattern) in _WRITTEN.items()}
NEEDLES = tuple(dict.fromkeys(needle for needles, _ in _PATTERNS.values() for needle in needles))
_PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3}|…|your|example|changeme|placeholder|dummy|redacted|^pass(?:word|wd)?\d{0,3}$|^(.)\1+$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


def find(text: str) -> list[Span]:
    """The secrets of a text, in order, without overlaps."""
    lower, found = text.lower(), list[Span]()
    for kind, (needles, pattern) in _PATTERNS.items():
        if any(needle in lower for needle in needles):
            found += [(start, stop, kind) for start, stop in _values(kind, pattern, text)]
    return apart(found)


def mask_secrets(text: str) -> str:
    """The text with [SECRET] in place of its secrets."""
    return masked(text, [(start, stop, MASK) for start, stop, _ in find(text)])


def partly(value: str, kind: str) -> str:
    """A secret as it may be shown: "sk-…f3a1"; of a password nothing."""
    if kind == "private key":
        return value.partition("\n")[0][:40] + "…"
    return f"{kind} …" if kind.startswith("password") or len(value) < 16 else f"{value[:3]}…{value[-4:]}"


def _values(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text):
        group = "value" if "value" in pattern.groupindex else 0
        value = match[group]
        if kind.startswith("password") and (_PLACEHOLDER.search(value) or not _like_a_password(kind, match)):
            continue
        yield match.span(group)


def _like_a_password(kind: str, match: re.Match[str]) -> bool:
    """Whether a setting's value is one that somebody thought up, not a word, a variable or a call."""
    value = match["value"]
    if kind != "password":
        return True
    if not match["quote"] and (match["next"] in ("(", "[") or _CODE.fullmatch(value)):
        return False
    letters = any(c.isalpha() for c in value)
    return letters and (any(c.isdigit() for c in value) or any(c in "!@#%^&*?+~" for c in value))

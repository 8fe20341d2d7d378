"""Whose token and whose cache of the Hub a process of ours has: on a public page the owner's serve the owner alone.

The page's own process answers everybody: on a public page it asks the Hub with the token that a visitor typed, or with
none (core.models.hub). A job that an owner started, and a command line, have this machine's token and its cache. A job
of anybody else has the visitor's token or none, no other secret of this machine, and a home of the Hub of its own:
transformers takes what is in the cache even where the Hub refuses it, so what was fetched with one token lies where no
other token looks.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from core.paths import cache_dir, is_public
from core.visitors import LOCAL, NOBODY, Visitor

FOR = "TUNESMITH_FOR"  # in the environment of a process that works for one person: OWNER or VISITOR
OWNER, VISITOR = "owner", "visitor"
# Names of secrets: HF_TOKEN, HF_TOKEN_PATH, HUGGING_FACE_HUB_TOKEN, WANDB_API_KEY, OAUTH_CLIENT_SECRET, AWS_..._KEY_ID
SECRET = re.compile(r"(^|_)(TOKENS?|SECRETS?|(API)?KEYS?|PASSWORD|PASSWD|CREDENTIALS?)(_|$)", re.IGNORECASE)
# What would lead to the owner's token, cache or account by another way.
WAYS = (
    "HF_OIDC_RESOURCE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_XET_CACHE", "HF_ASSETS_CACHE", "HF_DATASETS_CACHE",
    "HF_MODULES_CACHE", "TRANSFORMERS_CACHE", "WANDB_MODE", "TRACKIO_SPACE_ID",
)  # fmt: skip
FIXED = (
    "HF_HOME",
    "HF_TOKEN_PATH",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    *WAYS[:3],
)  # read once, when the Hub's is imported


def asker(visitor: Visitor | None) -> Visitor:
    """Who asks, where nobody was named: on one's own machine its owner, on a public page nobody."""
    return visitor or (NOBODY if is_public() else LOCAL)


def of_one_person() -> bool:
    """Whether this process works for one person, whose token its environment holds: a job, or a command line."""
    return not is_public() or os.environ.get(FOR) in (OWNER, VISITOR)


def of_visitor() -> bool:
    """Whether this process is a job of somebody who is not the owner of this page."""
    return is_public() and os.environ.get(FOR) == VISITOR


def environment_for(visitor: Visitor | None, token: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that works for a visitor; nobody named: see `asker`.

    Args:
        token: that the visitor typed, or "". env: that of this process.
    """
    if asker(visitor).owner:
        return {**env, FOR: OWNER} | ({"HF_TOKEN": token} if token else {})
    clean = {name: value for name, value in env.items() if not SECRET.search(name) and name not in WAYS}
    clean |= {FOR: VISITOR, "HF_HOME": str(home(token)), "NETRC": os.devnull}
    clean.pop("HF_HUB_DISABLE_IMPLICIT_TOKEN", None)
    return clean | ({"HF_TOKEN": token} if token else {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})


def home(token: str) -> Path:
    """The home of the Hub (HF_HOME) of those who have this token; that of "" is for open repositories alone."""
    return cache_dir() / "hub" / (hashlib.sha256(token.encode()).hexdigest()[:32] if token else "open")

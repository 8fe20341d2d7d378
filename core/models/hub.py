"""Files from the Hugging Face Hub, with a quick and plain answer where it cannot be reached.

Written against huggingface_hub's documentation. Tried against a small server that answers as the Hub is said to; not
verified against the real one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import InputError
from core.models.hub_access import home, of_one_person

TIMEOUT_S = 6.0
WORDS = {"model": ("model folder", "model"), "dataset": ("file", "data set")}
Kind = Literal["model", "dataset"]
_TOKEN: ContextVar[str | None] = ContextVar("hub_token", default=None)
_OWNER: ContextVar[bool] = ContextVar("hub_owner", default=False)


class Unreachable(InputError):
    """The Hub cannot be asked: no network, or none is allowed."""


def checked_token(value: str | None, field: str = "data.path") -> str:
    """A token without the blanks around it, "" for none. InputError (which does not show it): no token looks so."""
    value = (value or "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", value):
        raise InputError("The token for the Hub holds a character that no token has.", field)
    return value


@contextlib.contextmanager
def session_token(value: str | None, owner: bool = False) -> Iterator[None]:
    """Within it, the Hub is asked with this token, in this thread; it is written nowhere. Nothing: as without it.

    Args:
        owner: the owner of a public page asks, to whom this machine's own token and cache belong.

    Raises:
        InputError: it holds what no token does.
    """
    mark, owned = _TOKEN.set(checked_token(value) or None), _OWNER.set(owner)
    try:
        yield
    finally:
        _TOKEN.reset(mark)
        _OWNER.reset(owned)


def _machines() -> bool:
    """Whether this machine's token and cache may be used; on a public page they serve its owner alone."""
    return of_one_person() or _OWNER.get()


def _token() -> str | bool | None:
    """The session's token, else this machine's (HF_TOKEN, or of `hf auth login`) where it may be used, else none."""
    return _TOKEN.get() or (None if _machines() else False)


def _cache() -> Path | None:
    """Where files are kept: None for this machine's own cache; those that strangers fetched lie apart, by token."""
    return None if _machines() else home(_TOKEN.get() or "") / "hub"


def token_mark() -> str:
    """What tells one token from another and tells nothing of it: what was fetched with one is not shown to another."""
    from huggingface_hub import get_token

    token = _token()
    token = (get_token() or "") if token is None else token or ""
    return hashlib.sha256(str(token).encode()).hexdigest() if token else ""


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one commit: `sha`, and its files with their sizes in bytes (0 where not told)."""

    sha: str
    files: dict[str, int]


def look_up(kind: Kind, name: str, field: str, revision: str | None = None, sizes: bool = False) -> Listing:
    """The files of a repository.

    Raises:
        InputError: see `fetch`; a revision that is not there has the field "model.revision".
    """
    from huggingface_hub import HfApi

    with _plain(kind, name, field, revision):
        api = HfApi(endpoint=_endpoint(), token=_token())
        ask = api.model_info if kind == "model" else api.dataset_info
        info = ask(name, revision=revision, timeout=TIMEOUT_S, files_metadata=sizes)
        return Listing(info.sha or "", {s.rfilename: s.size or 0 for s in info.siblings or []})


def download(kind: Kind, name: str, files: list[str], field: str, sha: str) -> list[Path]:
    """Fetch files of a repository at a commit; they are kept in huggingface_hub's cache.

    Raises:
        InputError: see `fetch`.
    """
    from huggingface_hub import hf_hub_download

    with _plain(kind, name, field, sha):
        return [
            Path(
                hf_hub_download(
                    name, file, repo_type=kind, revision=sha, endpoint=_endpoint(), token=_token(),
                    cache_dir=_cache(), etag_timeout=TIMEOUT_S,
                )
            )
            for file in files
        ]  # fmt: skip


def fetch(
    kind: Kind, name: str, choose: Callable[[list[str]], list[str]], field: str, revision: str | None = None
) -> list[Path]:
    """Fetch some files of a repository; they are kept in huggingface_hub's cache.

    Args:
        kind: of the repository.
        name: its id, owner/name.
        choose: from all file names to those wanted; it raises an InputError where none will do.
        field: the config field that an error belongs to.
        revision: branch, tag or commit.

    Raises:
        InputError: no such repository or revision, a gated one, or the Hub cannot be reached.
    """
    try:
        found = look_up(kind, name, field, revision)
    except Unreachable:
        folder = _kept(kind, name, revision)
        if folder is None:
            raise
        return [folder / file for file in choose([p.name for p in folder.iterdir()])]
    return download(kind, name, choose(list(found.files)), field, found.sha)


def commit_of(kind: Kind, name: str, field: str, revision: str | None = None) -> str:
    """The commit that a branch or a tag means now; where the Hub cannot be reached, that of the files kept here.

    Raises:
        InputError: see `fetch`.
    """
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    try:
        return look_up(kind, name, field, revision).sha
    except Unreachable:
        folder = _kept(kind, name, revision)
        if folder is None:
            raise
        return folder.name


def _kept(kind: Kind, name: str, revision: str | None) -> Path | None:
    """The folder of the files of a commit that were fetched before; without a revision the one fetched last.

    Strangers get none: a token may have been needed for them.
    """
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=kind) / "snapshots"
    if not _machines() or not folder.is_dir():
        return None
    kept = [p for p in folder.iterdir() if p.is_dir() and revision in (None, p.name)]
    return max(kept, key=lambda p: p.stat().st_mtime, default=None)


@contextlib.contextmanager
def _plain(kind: Kind, name: str, field: str, revision: str | None) -> Iterator[None]:
    """Whatever goes wrong with the Hub, in one sentence."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    here, there = WORDS[kind]
    try:
        yield
    except InputError:
        raise
    except GatedRepoError:
        raise InputError(
            f"The {there} {name!r} is gated: accept its terms on its page on the Hub, then give a token of that "
            "account (HF_TOKEN, or typed in).",
            field,
        ) from None
    except RevisionNotFoundError:
        raise InputError(f"The {there} {name!r} has no revision {revision!r}.", "model.revision") from None
    except RepositoryNotFoundError:
        raise InputError(
            f"There is no {there} {name!r}: neither a {here} here nor an open repository on the Hub. One that is "
            "private needs a token (HF_TOKEN, or typed in) of somebody who may read it.",
            field,
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        if status in (401, 403):
            raise InputError(
                f"The Hugging Face Hub refuses the {there} {name!r} ({status}): the token (HF_TOKEN, or the one "
                "typed in) is not accepted, or gives no right to read it.",
                field,
            ) from None
        raise InputError(
            f"The Hugging Face Hub answered {status} for the {there} {name!r}: try again later.", field
        ) from None
    except Exception:  # the HTTP library's own errors, OfflineModeIsEnabled, a proxy's: all mean the same here
        raise Unreachable(
            f"There is no {here} {name!r} here, and the Hugging Face Hub cannot be reached to look for a {there} of "
            "that name.",
            field,
        ) from None

"""An export of a run to the Hugging Face Hub: what would be sent, and sending it; private by default.

Written against huggingface_hub's documentation. Tried against a small server that answers as the Hub is said to; not
verified against the real one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export import bundle, formats
from core.models.hub import checked_token
from core.models.tokenizer import looks_like_id
from core.runs import records
from core.runs.files import read_json
from core.runs.masking import SHAPE
from core.runs.store import Run

FIELD = "export.repo"
PACKAGE = "package"  # an ONNX package, whatever its device
WHATS = (PACKAGE, *formats.FORMATS)
HUB = "https://huggingface.co"
LONGEST = 96  # characters of a name: https://huggingface.co/docs/huggingface_hub/package_reference/utilities
TEXT_LIMIT = 2**20  # bytes of a text file that is looked through for tokens


@dataclass(frozen=True)
class Plan:
    """What is to be sent, and where.

    Attributes:
        run: its id. name: of the export, such as "gguf-q8_0". folder: of the export. repo: owner/name on the Hub.
        private: whether others may not see it. files: name -> bytes, in order. card: README.md, as the Hub shows it.
        message: of the commit. notes: what a person should know before, one sentence each.
    """

    run: str
    name: str
    folder: Path
    repo: str
    private: bool
    files: dict[str, int]
    card: str
    message: str
    notes: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(self.files.values())


def endpoint() -> str:
    """The Hub's address: HF_ENDPOINT, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def plan(run: Run, what: str, repo: str, public: bool = False) -> Plan:
    """What a push would send; nothing is asked of the Hub.

    Args:
        what: one of WHATS (then the newest export of that kind), or an export's own name such as "cpu-int8".

    Raises:
        InputError: (field export.repo) the name is none. No such export, one whose files were changed since it was
            compared, or one that holds what looks like a token.
    """
    repo = checked_name(repo)
    folder, report = _chosen(run, what)
    _unchanged(folder)
    files = {name: (folder / name).stat().st_size for name in bundle.made_files(folder)}
    for name in files:
        if files[name] <= TEXT_LIMIT and SHAPE.search((folder / name).read_bytes().decode("utf-8", "ignore")):
            raise InputError(f"{name} of the export holds what looks like a token of the Hub, so nothing is sent.")
    status = str(report.get("status"))
    notes = [f"It is {'public: everybody can read it' if public else 'private: only you and whom you let see it'}."]
    if status != "verified":
        notes.append(f"The export is called {status!r}: {report.get('message')}")
    notes.append("Its base model's licence holds for it too: see the card.")
    message = f"{run.title}: {folder.name} ({status}), made with Tunesmith"
    card = (folder / "README.md").read_text(encoding="utf-8")
    return Plan(run.id, folder.name, folder, repo, not public, files, card, message, tuple(notes))


def checked_name(repo: str) -> str:
    """The name of a repository without blanks around it. InputError (field export.repo) where the Hub has none such."""
    repo = repo.strip()
    owner, _, name = repo.partition("/")
    if not owner or not name:
        raise InputError(f"{repo!r} does not say whose it is: write owner/name, such as yourname/tone.", FIELD)
    bad = not looks_like_id(repo) or re.search(r"--|\.\.|^[-.]|[-.]$|\.git$", name) or len(repo) > LONGEST
    if bad:
        raise InputError(
            f"{repo!r} is no name on the Hub: owner/name in at most {LONGEST} letters, digits, -, _ and ., without "
            "-- or .. in it, and not - or . at either end.",
            FIELD,
        )
    return repo


def exported(run: Run) -> dict[str, dict[str, Any]]:
    """The complete exports of a run that can be sent: name -> report, the newest first."""
    found = {}
    for file in (run.dir / "export").glob("*/report.json"):
        report = records.STATED.find(file)
        if report is not None and (file.parent / "tunesmith.json").is_file():
            found[file.parent.name] = report
    return dict(sorted(found.items(), key=lambda item: -float(item[1].get("made") or 0)))


def _chosen(run: Run, what: str) -> tuple[Path, dict[str, Any]]:
    there = exported(run)
    kinds = {name: name.rpartition("-")[0] for name in there}
    of_kind = [n for n, kind in kinds.items() if kind == what or (what == PACKAGE and kind not in formats.FORMATS)]
    if what in there:
        of_kind = [what]
    if of_kind:
        return run.dir / "export" / of_kind[0], there[of_kind[0]]
    known = f" It has: {', '.join(there)}." if there else " It has none at all yet."
    if what not in WHATS:
        raise InputError(f"The run {run.id} has no export {what!r}.{known} Or name a kind: {', '.join(WHATS)}.")
    how = "--device cpu" if what == PACKAGE else f"--format {what}"
    raise InputError(
        f"The run {run.id} has no export of the kind {what!r}.{known} Make one: python -m core export {run.id} {how}"
    )


def _unchanged(folder: Path) -> None:
    """InputError where a file is not what it was when the export was compared, or is gone."""
    hashes = (read_json(folder / "tunesmith.json") or {}).get("files")
    if not isinstance(hashes, dict):
        raise InputError(f"tunesmith.json of the export {folder.name} is damaged: export it again, then push.")
    for name in (*hashes, "README.md"):
        path = folder / name
        if not path.is_file() or (name in hashes and _sha256(path) != hashes[name]):
            raise InputError(
                f"{name} of the export {folder.name} is not what was compared any more: export it again, then push."
            )


def push(
    made: Plan,
    token: str | None = None,
    *,
    say: Callable[[str], None] = lambda what: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Send it: make the repository where there is none, all files in one commit, and look whether they arrived.

    Args:
        token: with the right to write; None: that of this machine (HF_TOKEN, or of `hf auth login`). It goes into the
            requests and nowhere else.
        say, progress (bytes done, of all), check (raises where somebody asked to stop): for whoever watches. What was
            sent before a stop is no commit yet: the repository stays as it was.

    Returns:
        url, commit, repo, private, files (how many), bytes, created (whether the repository is new).

    Raises:
        InputError: (field export.repo) refused, out of reach, or there already with another visibility; in a sentence.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    key = checked_token(token, FIELD) or get_token()
    if not key:
        raise InputError(
            "The Hub takes nothing without a token that may write: make one on its page of access tokens, and give it "
            "as HF_TOKEN or in the field for it.",
            FIELD,
        )
    api = HfApi(endpoint=endpoint(), token=key)
    with _plain(made.repo):
        say("asking the Hub")
        created = _made_room(api, made)
        check()
        say("sending")
        adds = [CommitOperationAdd(name, str(made.folder / name)) for name in made.files]
        done = 0
        for add in adds:  # one by one, so that a stop is heard between two files; a small file goes with the commit
            api.preupload_lfs_files(made.repo, [add], num_threads=1, free_memory=False)
            done += made.files[add.path_in_repo]
            progress(done, made.bytes)
            check()
        commit = api.create_commit(made.repo, adds, commit_message=made.message, num_threads=1)
        say("looking whether it arrived")
        listed = api.model_info(made.repo, revision=commit.oid, files_metadata=True)
    wrong = _missing(made, listed.siblings or [])
    if wrong:
        raise InputError(f"The Hub lists {wrong[0]} of {made.repo!r} otherwise than it was sent: push again.", FIELD)
    return {
        "repo": made.repo,
        "url": f"{endpoint()}/{made.repo}",
        "commit": commit.oid,
        "private": made.private,
        "created": created,
        "files": len(made.files),
        "bytes": made.bytes,
    }


def _made_room(api: Any, made: Plan) -> bool:
    """Make the repository, or find that it is there as is wanted; whether it was made."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        there = api.model_info(made.repo)
    except RepositoryNotFoundError:
        api.create_repo(made.repo, private=made.private, exist_ok=False)
        return True
    if bool(there.private) != made.private:
        is_, wanted = ("private", "public") if there.private else ("public", "private")
        raise InputError(
            f"{made.repo!r} is on the Hub already, and {is_}; this was to be {wanted}. Take another name, or "
            f"{'do without --public' if there.private else 'say --public'}, or change it in its settings there.",
            FIELD,
        )
    return False


def _missing(made: Plan, siblings: list[Any]) -> list[str]:
    """The files that the Hub does not list as they are here, by their hashes where it tells them."""
    there = {one.rfilename: one for one in siblings}
    wrong = []
    for name, size in made.files.items():
        one = there.get(name)
        lfs = (one.lfs or {}).get("sha256") if one is not None else None
        if one is None or (one.size is not None and one.size != size):
            wrong.append(name)
        elif lfs and lfs != _sha256(made.folder / name):
            wrong.append(name)
    return wrong


@contextlib.contextmanager
def _plain(repo: str) -> Iterator[None]:
    """Whatever goes wrong with the Hub, in one sentence that holds no token."""
    from huggingface_hub.errors import HfHubHTTPError

    owner = repo.partition("/")[0]
    try:
        with warnings.catch_warnings():  # huggingface_hub 2.4 hands files to its HTTP library in a way that is going
            warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
            yield
    except InputError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        said = f" It says: {SHAPE.sub('[token]', error.server_message)[:200]}" if error.server_message else ""
        sentence = {
            401: "The Hub does not accept the token: make a new one on its page of access tokens.",
            402: f"The Hub wants a paid account for this.{said}",
            403: f"The token may not write to {owner!r}: it needs that right, or take a name of your own.",
            404: f"The Hub knows no {owner!r}, or the token may not see {repo!r}: look at the name, and at the token.",
            413: "The Hub does not take files of this size.",
        }.get(status, f"The Hub answered {status or 'an error'} for {repo!r}: try again later.{said}")
        raise InputError(sentence, FIELD) from None
    except Exception as error:  # the HTTP library's own errors, a proxy's, OfflineModeIsEnabled, a refused upload
        why = error.__cause__ or error
        if isinstance(why, HfHubHTTPError) and why.response is not None:
            sentence = f"The Hub answered {why.response.status_code} while files were sent: try again later."
        else:
            sentence = f"The Hub at {endpoint()} cannot be reached: look at the network, or try again later."
        raise InputError(sentence, FIELD) from None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def told(made: Plan) -> dict[str, Any]:
    """A plan as plain values, for `--dry-run --json` and for the page."""
    return {
        "run": made.run,
        "export": made.name,
        "repo": made.repo,
        "url": f"{endpoint()}/{made.repo}",
        "private": made.private,
        "files": [{"name": name, "bytes": size} for name, size in made.files.items()],
        "bytes": made.bytes,
        "message": made.message,
        "card": made.card,
        "notes": list(made.notes),
    }

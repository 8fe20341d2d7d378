"""Data sets on the Hugging Face Hub: which of their files a configuration and a split mean, and fetching them.

Tried against a small server that answers as the Hub is said to; not verified against the real one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from core.data.files import canonical, choose, is_pattern, listed, natural, parted, readable, split_of
from core.errors import InputError, unknown
from core.models import hub
from core.paths import is_public

FIELD, NAME = "data.path", "data.name"
CONVERTED = "refs/convert/parquet"  # where the Hub keeps the sets that it has converted itself
REMEMBERED_S = 600.0  # so long the Hub is not asked again
MOST_GB, MOST_GB_PUBLIC = 50.0, 1.0
_FRONT = re.compile(r"\A\ufeff?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_PARTIAL = "partial-"


@dataclass(frozen=True)
class Fetched:
    """Files of a data set, where they lie now, and notes on which they are."""

    files: list[Path]
    notes: list[str]


_recent: dict[tuple[str, str | None, str | None, str], tuple[float, Fetched]] = {}


def fetch_data(repository: str, name: str | None = None, split: str | None = None) -> list[Path]:
    """The files of a data set on the Hub, in the order of their rows; see `fetch_set`."""
    return fetch_set(repository, name, split).files


def fetch_set(repository: str, name: str | None = None, split: str | None = None) -> Fetched:
    """The files of a data set on the Hub; all parts of them. The Hub is asked again after ten minutes.

    Args:
        repository: its id, owner/name.
        name: the configuration; without it the default one.
        split: without it what there is to train on.

    Raises:
        InputError: field "data.path", "data.name" or "data.split": there is no such set, configuration or split, it
            may not be read, it is too large, has no file that can be read, or the Hub cannot be reached.
    """
    key = (repository, name, split, hub.token_mark())
    if key in _recent and time.monotonic() - _recent[key][0] < REMEMBERED_S:
        found = _recent[key][1]
        if all(file.exists() for file in found.files):
            return found
    found = _fetch(repository, name, split)
    while len(_recent) >= 64:
        _recent.pop(next(iter(_recent)), None)
    _recent[key] = (time.monotonic(), found)
    return found


def fetched(texts: str) -> list[tuple[str, str | None, str | None, list[str], list[str]]]:
    """What `fetch_set` has found of the data sets that a text names, for `remember` in another process."""
    mark = hub.token_mark()
    return [
        (repository, name, split, [str(file) for file in found.files], found.notes)
        for (repository, name, split, known), (_, found) in list(_recent.items())
        if known == mark and repository in texts
    ]


def remember(repository: str, name: str | None, split: str | None, files: list[str], notes: list[str]) -> None:
    """Take what another process has found: the Hub is not asked."""
    key = (repository, name, split, hub.token_mark())
    _recent[key] = (time.monotonic(), Fetched([Path(file) for file in files], notes))


def _fetch(repository: str, name: str | None, split: str | None) -> Fetched:
    there = hub.look_up("dataset", repository, FIELD, sizes=True)
    configurations: list[Configuration] = []
    if "README.md" in there.files:
        [readme] = hub.download("dataset", repository, ["README.md"], FIELD, there.sha)
        configurations = configurations_of(readme.read_text(encoding="utf-8", errors="replace"))
    names = [file for file in there.files if readable(file) and not file.lower().endswith(".md")]
    if not any(map(_is_table, names)):
        try:
            made = hub.look_up("dataset", repository, FIELD, CONVERTED, sizes=True)
        except InputError as error:
            if error.field == FIELD:
                raise
        else:
            names, there, configurations = [file for file in made.files if readable(file)], made, []
            splits, notes = _converted(names, name, repository)
            return _download(repository, there, *choose(splits, split, repository), notes)
    if not names:
        raise InputError(
            f"The data set {repository!r} on the Hub has no file that can be read: CSV, JSON, Parquet, a workbook or "
            "text.",
            FIELD,
        )
    splits, notes = parts_of(names, configurations, name, repository)
    return _download(repository, there, *choose(splits, split, repository), notes)


def _download(repository: str, there: hub.Listing, names: list[str], said: list[str], notes: list[str]) -> Fetched:
    size, most = sum(there.files[name] for name in names) / 1e9, MOST_GB_PUBLIC if is_public() else MOST_GB
    if size > most:
        raise InputError(
            f"{repository!r} has {size:,.0f} GB in {len(names):,} files, and at most {most:g} GB are fetched: download "
            "the files that you want, and give their path.",
            FIELD,
        )
    return Fetched(hub.download("dataset", repository, names, FIELD, there.sha), [*notes, *said])


def _is_table(name: str) -> bool:
    return not name.lower().removesuffix(".gz").endswith((".txt", ".text", ".md"))


def _preferred(names: Sequence[str]) -> list[str]:
    """Parquet where there is any, since other files are the same rows; no text files beside tables."""
    parquet = [name for name in names if name.lower().endswith((".parquet", ".pq"))]
    return sorted(parquet or [name for name in names if _is_table(name)] or names, key=natural)


# Configurations


@dataclass(frozen=True)
class Configuration:
    """A configuration that a README declares: patterns of file names by split; without any, the files of a folder."""

    name: str
    default: bool = False
    patterns: dict[str, list[str]] = field(default_factory=dict)
    folder: str = ""


def configurations_of(readme: str) -> list[Configuration]:
    """The `configs` of the YAML in front of a README; [] where there are none that can be read."""
    front = _FRONT.match(readme.replace("\r\n", "\n"))
    try:
        facts = yaml.safe_load(front[1]) if front else None
    except (yaml.YAMLError, RecursionError, ValueError):  # ValueError: a date that is none
        return []
    given = facts.get("configs") if isinstance(facts, dict) else None
    found = []
    for entry in given if isinstance(given, list) else []:
        if isinstance(entry, dict):
            folder = entry["data_dir"].strip("./") if isinstance(entry.get("data_dir"), str) else ""
            patterns = _patterns(entry.get("data_files"), folder)
            if patterns or folder:
                name = entry.get("config_name", "default")
                if isinstance(name, str | int | float):
                    found.append(Configuration(str(name), entry.get("default") is True, patterns, folder))
    return found


def _patterns(given: Any, folder: str) -> dict[str, list[str]]:
    """`data_files` in any of its forms: a pattern, a list, {split: patterns}, or [{"split": ..., "path": ...}]."""
    found: dict[str, list[str]] = {}

    def add(split: Any, paths: Any) -> None:
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str) and isinstance(split, str):  # not what YAML's references may have grown into
                path = path.removeprefix("./").strip("/")
                found.setdefault(canonical(split), []).append(f"{folder}/{path}" if folder else path)

    if isinstance(given, dict):
        for split, paths in given.items():
            add(split, paths)
    elif given:
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, dict):
                add(entry.get("split", "train"), entry.get("path", []))
            else:
                add("train", entry)
    return found


def matches(name: str, pattern: str) -> bool:
    """Whether a file's name is meant by a pattern: * and ? within one folder, ** over several; or lies in a folder."""
    if not is_pattern(pattern):
        return name == pattern or name.startswith(f"{pattern}/")
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])", pattern)
    try:
        return re.fullmatch("".join(meant.get(p) or _set(p) for p in pieces), name) is not None
    except re.error:  # a range from right to left, which means no letter
        return False


def _set(piece: str) -> str:
    """A set of letters, [ab] or [!ab], as a regular expression has it; other text as it is."""
    if not re.fullmatch(r"\[[^\]/]+\]", piece):
        return re.escape(piece)
    letters = re.sub(r"([\\\[&~|^])", r"\\\1", piece[1:-1].removeprefix("!")).replace("--", r"\--")
    return f"[^{letters}]" if piece[1] == "!" and letters else f"[{letters or '!'}]"


def parts_of(
    names: list[str], configurations: Sequence[Configuration], name: str | None, repository: str
) -> tuple[dict[str, list[str]], list[str]]:
    """The files of a configuration by split, and notes.

    Raises:
        InputError: field "data.name": there is no such configuration, or several and none is chosen.
    """
    if not configurations:
        return parted(_preferred(_folder(names, name, repository))), []
    known = {c.name: c for c in configurations}
    default = next((c.name for c in configurations if c.default), "default" if "default" in known else None)
    chosen = known[_one_of(list(known), name, default, repository)]
    notes = [f"The configuration {chosen.name} is read, of {len(known)}."] if len(known) > 1 and not name else []
    if not chosen.patterns:
        inside = [n.removeprefix(f"{chosen.folder}/") for n in names if n.startswith(f"{chosen.folder}/")]
        found = {s: [f"{chosen.folder}/{n}" for n in part] for s, part in parted(_preferred(inside)).items()}
    else:
        found = {
            split: _preferred([n for n in names if any(matches(n, pattern) for pattern in patterns)])
            for split, patterns in chosen.patterns.items()
        }
    found = {split: part for split, part in found.items() if part}
    if not found:
        raise InputError(f"The configuration {chosen.name!r} of {repository!r} has no file that can be read.", NAME)
    return found, notes


def _one_of(known: list[str], name: str | None, default: str | None, repository: str) -> str:
    if name is not None and name not in known:
        raise InputError(f"{repository}: {unknown('configuration', name, known)}", NAME)
    chosen = name or default or (known[0] if len(known) == 1 else None)
    if chosen is None:
        raise InputError(f"{repository!r} has several configurations: choose one of {listed(known)}.", NAME)
    return chosen


def _folder(names: list[str], name: str | None, repository: str) -> list[str]:
    """The files that a configuration means where none is declared: those of a folder, or with its name in theirs."""
    folders = sorted({n.split("/", 1)[0] for n in names if "/" in n}, key=natural)
    plain = [n for n in names if "/" not in n or n.startswith("data/") or split_of(n.split("/", 1)[0] + "/")]
    if name is None:
        if plain:
            return plain
        name = _one_of(folders, None, None, repository)
    if name in folders:
        return [n for n in names if n.startswith(f"{name}/")]
    between = re.compile(rf"(?:^|[-._ /]){re.escape(name)}(?:[-._ /]|$)")
    found = [n for n in names if between.search(n)]
    if not found and name != "default":
        others = [f for f in folders if not any(n.startswith(f"{f}/") for n in plain)]
        hint = unknown("configuration", name, others) if others else f"There is no configuration {name!r}: it has none."
        raise InputError(f"{repository}: {hint}", NAME)
    return found or plain


def _converted(names: Sequence[str], name: str | None, repository: str) -> tuple[dict[str, list[str]], list[str]]:
    """The files that the Hub has made of a set that is a script: CONFIGURATION/SPLIT/0000.parquet."""
    names = [n for n in names if n.count("/") == 2]
    known = list(dict.fromkeys(n.split("/", 1)[0] for n in sorted(names, key=natural)))
    if not known:
        raise InputError(f"The data set {repository!r} on the Hub has no file that can be read.", FIELD)
    chosen = _one_of(known, name, "default" if "default" in known else None, repository)
    found: dict[str, list[str]] = {}
    notes = ["The set is a script, which is not run; these are the Parquet files that the Hub has made of it."]
    for file in sorted(names, key=natural):
        folder, split, _ = file.split("/")
        if folder == chosen:
            if split.startswith(_PARTIAL):
                notes.append(f"Of {split.removeprefix(_PARTIAL)} the Hub has made only the first part.")
            found.setdefault(canonical(split.removeprefix(_PARTIAL)), []).append(file)
    return found, list(dict.fromkeys(notes))

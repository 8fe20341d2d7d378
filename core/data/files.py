"""Which files a folder or a pattern stands for, and which split each of them belongs to, by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from core.data.readers import KINDS
from core.errors import InputError, nearest
from core.paths import is_public, portable, resolve

FIELD, SPLIT = "data.path", "data.split"
# Words in a name that say which split a file is of; those of `datasets`, and a few more.
KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation", "heldout"),
}
_BETWEEN = r"[-._ 0-9]"
_WORDS = {
    split: re.compile(rf"(?:^|{_BETWEEN})(?:{'|'.join(words)})(?:{_BETWEEN}|$)", re.IGNORECASE)
    for split, words in KEYWORDS.items()
}
_SHARD = re.compile(r"(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}")
# Files that stand beside examples and hold none.
_BESIDE = re.compile(
    r"(?:[.~].*|(?:readme|licen[cs]e|notice|changelog|citation|contributing|requirements)(?:[._-].*)?"
    r"|(?:config|dataset_infos?|dataset_dict|dummy_data|state|package|package-lock)\.\w+)",
    re.IGNORECASE,
)
_MAGIC = re.compile(r"[*?\[]")


def readable(name: str) -> bool:
    """Whether a file of this name may hold examples: by its ending, and not one that only stands beside them."""
    name = name.rsplit("/", 1)[-1]
    return not _BESIDE.fullmatch(name) and Path(name.lower().removesuffix(".gz")).suffix in KINDS


def natural(name: str) -> list[tuple[bool, int, str]]:
    """What names are sorted by, so that part-2 comes before part-10."""
    return [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in re.split(r"([0-9]+)", name)]


def split_of(name: str) -> str | None:
    """The split that a file belongs to by its name, with its folders ("test/a.csv"); None where the name says nothing.

    A folder's name counts before the file's. In a folder named data, what stands before -00000-of-00002 is the split.
    """
    *folders, file = name.split("/")
    for folder in folders:
        if split := _keyword(folder):
            return split
    if folders[-1:] == ["data"] and (shard := _SHARD.match(file)):
        return canonical(shard["split"])
    return _keyword(file)


def _keyword(name: str) -> str | None:
    return next((split for split, words in _WORDS.items() if words.search(name)), None)


def canonical(split: str) -> str:
    """A split's usual name: validation for dev; a name that is not known as it is."""
    return next((known for known, words in KEYWORDS.items() if split.casefold() in words), split)


def parted(names: Sequence[str]) -> dict[str, list[str]]:
    """File names by split, in their order. Files whose name says no split are those to train on, if no others are."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(split_of(name) or "", []).append(name)
    if "train" not in found and "" in found:
        found["train"] = found.pop("")
    return {
        split: found[split]
        for split in [*(k for k in KEYWORDS if k in found), *(k for k in found if k not in KEYWORDS)]
    }


def choose(splits: dict[str, list[str]], split: str | None, where: str) -> tuple[list[str], list[str]]:
    """The files of a split, and notes. Without a split: those to train on, or all where none are.

    Args:
        splits: file names by split; under "" those whose name says none.
        where: the folder, for people.

    Raises:
        InputError: field "data.split"; there is no such split.
    """
    known = [s for s in splits if s]
    if split is None:
        own = [s for s in known if s not in KEYWORDS]
        if "train" not in splits and own:
            if len(known) > 1:
                raise InputError(f"{where} has no split train: say which is meant of {listed(known)}.", SPLIT)
            return splits[own[0]], [f"The files of the split {own[0]} are read; there is no other."]
        if "train" not in splits:
            every = sorted((name for names in splits.values() for name in names), key=natural)
            return every, [f"None of the files is named for training, so all are read: {', '.join(known)}."]
        found, others = "train", [s for s in known if s != "train"]
        notes = [f"The files of the split train are read; there is {listed(others)} too."] if others else []
    else:
        found, notes = (split if split in splits else canonical(split)), []
        if found not in known:
            near = nearest(split, known)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(f"There is no split {split!r} in {where}.{hint} There is {listed(known)}.", SPLIT)
    if found == "train" and (beside := splits.get("")):
        notes.append(f"Not read, since other files are named for training: {_some(beside)}.")
    return splits[found], notes


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: train, validation and test."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def is_pattern(path: str) -> bool:
    """Whether a path holds the signs of a pattern: * ? [."""
    return _MAGIC.search(path) is not None


def within(folder: Path) -> dict[str, Path]:
    """The files of a folder that may hold examples, and those of its folders that are named data or for a split.

    Returns:
        By their names as seen from the folder, in natural order.

    Raises:
        InputError: field "data.path"; there are none, it cannot be read, or a link leads out of what is open to all.
    """
    try:
        inside = [p for p in folder.iterdir() if not p.name.startswith(".")]
        deeper = [p for p in inside if p.is_dir() and (p.name.lower() == "data" or _keyword(p.name))]
        files = [p for p in inside if p.is_file()] + [p for d in deeper for p in d.iterdir() if p.is_file()]
    except OSError as error:
        raise InputError(
            f"{portable(folder)!r} cannot be read: {(error.strerror or str(error)).lower()}.", FIELD
        ) from None
    found = _named([p for p in files if readable(p.name)], folder)
    if not found:
        others = "" if is_public() else _some(sorted(p.name for p in inside))
        hint = f" It holds {others}." if others else ""
        raise InputError(
            f"{portable(folder)!r} is a folder without a file of examples ({', '.join(KINDS)}).{hint}", FIELD
        )
    return found


def matching(pattern: str) -> dict[str, Path]:
    """The files that a pattern stands for: `data/part-*.jsonl`.

    Returns:
        By their names as seen from the last folder without a sign of a pattern, in natural order.

    Raises:
        InputError: field "data.path"; there are none, the pattern leads up, or out of what is open to all.
    """
    parts = Path(pattern).parts
    first = next(i for i, part in enumerate(parts) if is_pattern(part))
    if ".." in parts[first:]:
        raise InputError(f"The pattern {pattern!r} leads up again (..) after its first sign: * ? or [.", FIELD)
    if is_public() and (first < len(parts) - 1 or "**" in parts):
        raise InputError(
            f"{pattern!r} cannot be used here: on a page that is open to everybody, a pattern is of file names in one "
            "folder.",
            FIELD,
        )
    folder = resolve(Path(*parts[:first]) if first else Path(), FIELD)
    try:
        files = [p for p in folder.glob("/".join(parts[first:])) if p.is_file() and not _BESIDE.fullmatch(p.name)]
    except (OSError, ValueError) as error:
        raise InputError(f"The pattern {pattern!r} cannot be used: {str(error).lower().rstrip('.')}.", FIELD) from None
    found = _named([p for p in files if readable(p.name)] or files, folder)
    if not found:
        raise InputError(f"No file matches the pattern {pattern!r}.", FIELD)
    return found


def _named(files: list[Path], folder: Path) -> dict[str, Path]:
    for file in files:
        resolve(file, FIELD)
    names = {file.relative_to(folder).as_posix(): file for file in files}
    return {name: names[name] for name in sorted(names, key=natural)}

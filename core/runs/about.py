"""What a run is called and what it was made of, in a few words, from its config; read once for each version of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core import config as configs
from core import yamltext
from core.config import RunConfig
from core.errors import InputError
from core.runs import records
from core.runs.files import read_bytes
from core.runs.typed import Unreadable
from core.runs.versions import OfVersion, version
from core.settings import in_words

FILES = ("config.yaml", "environment.json", "model/adapter_config.json", "model/base.json")


@dataclass(frozen=True)
class About:
    """The words of a run.

    Attributes:
        title: the name that it was given, or its data and method, or its id. name: the name that it was given, or "".
        task, data, base: as in the config, data and base model by their short names. method: in words, such as
        "LoRA r 16"; "" where the config cannot be read. damage: which of the
        files cannot be read, and why, in sentences; "" where all can be.
    """

    title: str
    name: str = ""
    task: str = ""
    method: str = ""
    base: str = ""
    data: str = ""
    damage: str = ""


KNOWN: OfVersion[About] = OfVersion(10_000)


def about(folder: Path) -> About:
    """The words of the run in a folder."""
    place = str(folder)
    versions = tuple(version(f"{place}/{name}") for name in FILES)
    return KNOWN.get(place, versions, lambda: _read(folder))


def _read(folder: Path) -> About:
    name, damage = "", []
    try:
        name = str((records.ENVIRONMENT.read(folder / "environment.json") or {}).get("name") or "")
    except Unreadable as error:
        damage.append(str(error))
    damage += [records.ADAPTER.damage(folder / FILES[2]), records.BASE.damage(folder / FILES[3])]
    try:
        config = _config(folder / "config.yaml")
    except InputError as error:
        damage.insert(0, " ".join(str(error).split()))
        return About(name or folder.name, name, damage=_together(damage))
    base = config.model.path.rstrip("/").rsplit("/", 1)[-1]
    words = (config.task, in_words(config.method), base, data_name(config.data.path))
    return About(name or describe_config(config), name, *words, _together(damage))


def _together(sentences: list[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _config(path: Path) -> RunConfig:
    """As core.config.load reads it, by a parser that is ten times as fast where that is sure to read the same."""
    try:
        values = yamltext.quick(read_bytes(path, 4 * yamltext.MOST).decode("utf-8-sig"))
    except (OSError, ValueError):
        values = None
    if isinstance(values, dict):
        return configs.build({key: value for key, value in values.items() if value is not None})
    return configs.load(path, name="config.yaml of this run")


def describe_config(config: RunConfig) -> str:
    """A config in a few words: "fields · LoRA r 16"."""
    return f"{data_name(config.data.path)} · {in_words(config.method)}"


def data_name(path: str) -> str:
    """What to call the data of a config: the file's name, or its folder's where the file is only `train`."""
    text = re.sub(r"\[[^\]]*\]$", "", path.strip()).replace("\\", "/").rstrip("/")
    parts = [p for p in text.split("/") if p]
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", parts[-1]) if parts else ""
    if stem in ("train", "data", "dataset") and len(parts) > 1:
        stem = parts[-2]
    return stem or "data"

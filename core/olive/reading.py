"""Whatever was pasted or opened, taken for what it is: a workflow in YAML or JSON, or command lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from core import yamltext
from core.errors import InputError
from core.olive import commands, workflows
from core.olive.imported import Imported, joined
from core.olive.shell import commands as lines_of
from core.paths import resolve
from core.runs.files import open_file

_COMMAND = re.compile(
    r"^\s*(?:\(\S+\)\s*)?(?:[$%!>]\s*)?(?:\S*/)?(?:olive(?:\.exe)?|python3? -m olive)(?:\s|$)", re.MULTILINE
)
_KEY = re.compile(r"""^\s*["']?\w+["']?\s*:(?:\s|$)""", re.MULTILINE)
NAME = "This text"


def read(text: str) -> Imported:
    """A workflow, a part of one, or command lines of Olive's, as our settings.

    Several commands of one text: the first training, with the export of what it made where one follows; what belongs
    to neither stands under `more`. Nothing is run. The file that `olive run` names is read where it lies.

    Raises:
        InputError: it is none of them, too long, no text, or holds a value that makes no sense; one sentence.
    """
    if len(text) > yamltext.MOST:
        raise InputError(
            f"{NAME} is too long: more than {yamltext.MOST:,} characters. A workflow has a few thousand: a data file?"
        )
    if "\0" in text:
        raise InputError(f"{NAME} is no text: it holds bytes of a program or a picture.")
    if not text.strip():
        raise InputError(f"{NAME} is empty: give a workflow of Olive's, or a command line such as olive finetune ...")
    if _COMMAND.search(text):
        return _together(commands.read(lines_of(text), opened))
    values = _plain(text) if _KEY.search(text) or text.lstrip()[:1] in "[{-" else text
    if isinstance(values, dict):
        return workflows.read(values)
    if isinstance(values, list):
        raise InputError(f"{NAME} is a list, and no workflow: is it a file of examples? Those are opened as data.path.")
    said = next((line for line in str(values).splitlines() if line.strip() and not line.startswith("#")), "").strip()
    raise InputError(f"{said[:60]!r} is neither a workflow nor a command of Olive's: {commands.BEGINNINGS}")


def opened(path: str) -> Imported:
    """The workflow of a file.

    Raises:
        InputError: there is no such file, it is no text, or no workflow.
    """
    return workflows.read(_mapping(contents(path), path))


def contents(path: str) -> str:
    """The text of a file, as long as one may be.

    Raises:
        InputError: there is no such file, it may not be read here, or it is not UTF-8 text.
    """
    try:
        with open_file(resolve(path)) as file:
            return file.read(4 * yamltext.MOST + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path!r} is not UTF-8 text: a workflow is YAML or JSON.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path!r} cannot be read: {reason}. Give the path of the workflow, or its text.") from None


def _mapping(text: str, path: str) -> dict[str, Any]:
    if len(text) > yamltext.MOST:
        raise InputError(f"{path!r} is too long for a workflow: more than {yamltext.MOST:,} characters.")
    values = _plain(text)
    if not isinstance(values, dict):
        raise InputError(f"{path!r} is no workflow of Olive's: one has input_model, data_configs and passes.")
    return values


def _plain(text: str) -> Any:
    """YAML or JSON as plain values; JSON's own reader first, for it takes tabs."""
    if text.lstrip()[:1] in "{[":
        try:
            return json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
    return yamltext.read(text, NAME)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"{key!r} is there twice; keep one of them.")
        found[key] = value
    return found


def _together(found: list[Imported]) -> Imported:
    """The commands of one text: a training and its export as one, the others behind it."""
    first, *others = found
    trainings = [one for one in found if one.config is not None]
    exports = [one for one in found if one.export is not None]
    if first.config is not None and len(trainings) == len(exports) == 1 and exports == others[:1]:
        first, others = joined(first, exports[0]), others[1:]
    return replace(first, more=tuple(others)) if others else first

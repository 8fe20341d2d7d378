"""The owner's losses: Python files in the folder that TUNESMITH_LOSSES names when the server starts. Light: only read.

What a file offers is found in its text, nothing is run. Only a training loads a file, and only by a name from here: no
config can name a path.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = "TUNESMITH_LOSSES"


@dataclass(frozen=True)
class Own:
    """One loss of the owner.

    Attributes:
        name: that a config has. file, attribute: where it is.
        pairs: whether it takes two vectors and a label (three arguments), not outputs and labels (two).
        sentence: the first line of its docstring, or where it is from.
    """

    name: str
    file: Path
    attribute: str
    pairs: bool
    sentence: str


def folder() -> Path | None:
    """The folder of the owner's losses; None where the environment names none."""
    named = os.environ.get(FOLDER, "").strip()
    return Path(named).expanduser() if named else None


def found() -> tuple[dict[str, Own], list[str]]:
    """The losses in the owner's folder by name, and what is wrong with its files, one sentence each.

    A loss is a function of two or three arguments without a default, or a class whose `forward` is one, at the top of
    a file and without an underscore in front. One that is called `loss` has the name of its file.
    """
    place = folder()
    if place is None:
        return {}, []
    if not place.is_dir():
        return {}, [f"{FOLDER} names {str(place)!r}, and there is no such folder."]
    losses, problems = dict[str, Own](), list[str]()
    for file in sorted(place.glob("*.py")):
        if file.name.startswith("_") or not file.is_file():
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except SyntaxError as error:
            line = f"line {error.lineno}: " if error.lineno else ""
            problems.append(f"Your file {file.name} is no Python: {line}{error.msg}.")
            continue
        except (OSError, ValueError) as error:
            problems.append(f"Your file {file.name} cannot be read: {error}.")
            continue
        for loss in _offered(tree, file):
            if loss.name in losses:
                problems.append(f"Your files {losses[loss.name].file.name} and {file.name} both offer {loss.name}.")
            losses.setdefault(loss.name, loss)
    return losses, problems


def concerning(name: str, problems: list[str]) -> str:
    """What is wrong with the file that a loss would be in, or else with the first that is wrong: " sentence", or ""."""
    return "".join(f" {problem}" for problem in sorted(problems, key=lambda p: f" {name}.py" not in p)[:1])


def _offered(tree: ast.Module, file: Path) -> list[Own]:
    made = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            count = _arguments(node)
        elif isinstance(node, ast.ClassDef):
            forward = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "forward"), None)
            count = _arguments(forward) - 1 if forward else 0
        else:
            continue
        if node.name.startswith("_") or count not in (2, 3):
            continue
        said = (ast.get_docstring(node) or f"Your own, from {file.name}.").strip().splitlines()[0]
        name = file.stem if node.name == "loss" else node.name
        made.append(Own(name, file, node.name, count == 3, said))
    return made


def _arguments(node: ast.FunctionDef) -> int:
    """How many arguments must be given by position."""
    a = node.args
    return len(a.posonlyargs) + len(a.args) - len(a.defaults)

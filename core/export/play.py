"""The play worker's own side: a package by its own run.py, and the run's PyTorch model, asked the same question."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export import targets
from core.export.beside import Beside, open_beside
from core.export.bundle import LIBRARY
from core.export.packages.base import Folder
from core.export.proof.fresh import load_run_script
from core.runs import store
from core.runs.playing import ONNX, PYTORCH, Form, form, no_package
from core.runs.serving import Write
from core.runs.state import Stopped

MOST_TOKENS = 2048
ALIKE = 0.005  # similarities that are nearer than that are the same to a hundredth, as they are shown


class Speech:
    """One side's answer while it is written: its pieces as they come, and how fast they did.

    Args:
        decode: token ids as text. write: takes {"side", "piece"}.
    """

    def __init__(self, side: str, decode: Callable[[list[int]], str], write: Write) -> None:
        self.side, self._decode, self._write = side, decode, write
        self.tokens: list[int] = []
        self._shown = ""
        self._first: float | None = None
        self._began = time.perf_counter()

    def add(self, token: int) -> None:
        """The next token. A character of several tokens is told when it is whole."""
        self._first = self._first or time.perf_counter() - self._began
        self.tokens.append(token)
        text = self._decode(self.tokens)
        if len(text) > len(self._shown) and not text.endswith("\ufffd"):
            self._write({"side": self.side, "piece": text[len(self._shown) :]})
            self._shown = text

    def told(self) -> dict[str, Any]:
        """The whole, as core.runs.playing.Side has it."""
        seconds, text = time.perf_counter() - self._began, self._decode(self.tokens)
        if rest := text[len(self._shown) :]:
            self._write({"side": self.side, "piece": rest})
        return {
            "side": self.side,
            "text": text.strip(),
            "tokens": len(self.tokens),
            "seconds": seconds,
            "first_token_seconds": self._first,
            "tokens_per_second": len(self.tokens) / max(1e-9, seconds),
        }


@dataclass
class _Held:
    """What is in memory, and what it was loaded from: where that is new, it is loaded anew. first: not asked yet."""

    source: tuple[Any, ...]
    what: Any
    first: bool = True

    def is_first(self) -> bool:
        """Whether nothing was asked of it yet; from then on something was."""
        was, self.first = self.first, False
        return was


class Warm:
    """The package and the model that were asked last; both stay in memory until others are asked."""

    def __init__(self) -> None:
        self._package: _Held | None = None
        self._beside: _Held | None = None

    def answer(
        self, question: dict[str, Any], write: Write = lambda said: None, gone: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Answer {"package", "run", "text", "fields", "history", "adapter", "max_new_tokens"}: core.runs.playing.

        The package answers first, then PyTorch, alone each, so that neither slows the other down; what was just loaded
        has answered once before it is timed.

        Returns:
            {"onnx", "pytorch": see Side, "same", "loading"}.

        Raises:
            InputError: no package, wrong fields. core.runs.state.Stopped: `gone` said so.
        """
        try:
            return self._answer(question, write, gone)
        except Exception as error:
            if type(error).__module__ == f"{LIBRARY}.errors":  # the package's own copy of the class
                raise InputError(str(error)) from None
            raise

    def _answer(self, question: dict[str, Any], write: Write, gone: Callable[[], bool]) -> dict[str, Any]:
        began = time.monotonic()
        script, package = self.package(Path(question["package"]), question.get("adapter"), write)
        _refuse_missing(question, form(package.folder, package.adapter))
        row = package.row(question["text"], question["fields"], question["history"])
        reads = package.settings.get("kind") == "reader"
        ask = _Reading(script, row) if reads else _Writing(package.ids(row), _most(question, package))
        loading = time.monotonic() - began
        write({"state": "the package answers"})
        held = self._package
        onnx = ask.onnx(package, held is not None and held.is_first(), write, gone)
        began = time.monotonic()
        try:
            beside = self.beside(package, question["run"], write)
        except InputError as error:
            return {"onnx": onnx, "pytorch": {"side": PYTORCH, "error": str(error)}, "same": None, "loading": loading}
        loading += time.monotonic() - began
        write({"state": "PyTorch answers"})
        other = self._beside
        pytorch = ask.pytorch(package, beside, other is not None and other.is_first(), write, gone)
        return {"onnx": onnx, "pytorch": pytorch, "same": ask.same(), "loading": loading}

    def package(self, folder: Path, adapter: str | None, write: Write) -> tuple[Any, Any]:
        """(run.py of the package in a folder as a module, its Package).

        Raises:
            InputError: there is none, a file of it is missing or was changed, or no such adapter.
        """
        if not (folder / "tunesmith.json").is_file():
            raise no_package(folder)
        source = (folder, (folder / "tunesmith.json").stat().st_mtime_ns)
        if self._package is None or self._package.source != source:
            write({"state": "loading the package"})
            self._leave()
            self._package = _Held((folder, None), None)  # should it fail to load, what it brought is left all the same
            if wrong := Folder(folder).check():
                raise InputError(f"The package is damaged ({', '.join(wrong)} missing or changed): export it again.")
            script = load_run_script(folder)
            package = script.Package(folder)
            _stand_in(package)
            package.load()
            self._package = _Held(source, (script, package))
        script, package = self._package.what
        if adapter != package.adapter:
            package.switch(adapter)
            _stand_in(package)
        return script, package

    def beside(self, package: Any, run: str, write: Write) -> Beside:
        """The PyTorch model of the package, or of the adapter that answers in it.

        Raises:
            InputError: the run is gone, or its weights cannot be loaded.
        """
        settings = package.settings
        named = str(settings["run"] if settings.get("adapters") else run)
        found = store.find(named) or store.open_run(named)
        bare = bool(settings.get("adapters")) and settings.get("file") is None
        weights = sorted((found.dir / "model").glob("*.safetensors"))
        source = (found.dir, tuple(path.stat().st_mtime_ns for path in weights), bare)
        if self._beside is None or self._beside.source != source:
            write({"state": "loading PyTorch's model"})
            self._beside = None  # the old one leaves the memory first
            self._beside = _Held(source, open_beside(found, bare))
        model: Beside = self._beside.what
        return model

    def _leave(self) -> None:
        """Forget the package that was asked before."""
        if self._package is not None:
            sys.path[:] = [place for place in sys.path if place != str(self._package.source[0])]
        self._package = None


def _stand_in(package: Any) -> None:
    """Let this machine's processor run a package in the place of a device that is not here, where it can.

    Raises:
        InputError: it cannot.
    """
    settings = package.settings
    device = targets.target(settings["device"])
    able, why = device.verifiable(settings["kind"])
    if able:
        return
    if not device.compared_on_cpu(settings["precision"]):
        raise InputError(f"A package for {device.label} does not answer on this machine. {why}", "export.device")
    settings["device"] = "cpu"


def _refuse_missing(question: dict[str, Any], asked: Form) -> None:
    """InputError where something that the prompt is made of is not filled in, or nothing is said in a chat."""
    if asked.chat:
        if not question["text"].strip():
            raise InputError("Write something first.", "prompt")
        return
    missing = [name for name in asked.fields if name not in question["fields"]]
    missing = missing[1:] if question["text"] else missing
    known = set(question["fields"]) <= set(asked.fields)  # else the package says which is none
    if known and (missing := [name for name in missing if name not in asked.optional]):
        raise InputError(f"Fill in {' and '.join(missing)} first.", "prompt")


def _most(question: dict[str, Any], package: Any) -> int:
    """The longest answer that is asked for, in tokens."""
    most = int(question.get("max_new_tokens") or package.settings["max_new_tokens"])
    if not 1 <= most <= MOST_TOKENS:
        raise InputError(f"{most} tokens are asked for: ask for 1 to {MOST_TOKENS:,}.")
    return most


class _Writing:
    """A prompt that both sides go on from, greedily."""

    def __init__(self, ids: list[int], most: int) -> None:
        self.ids, self.most = ids, most
        self._said: list[list[int]] = []

    def onnx(self, package: Any, first: bool, write: Write, gone: Callable[[], bool]) -> dict[str, Any]:
        """The package's answer. first: it has not answered yet, and the first call makes room."""
        if first:
            list(package.generate(self.ids, 1))
        speech = Speech(ONNX, package.tokenizer.decode, write)
        for token in package.generate(self.ids, self.most):
            speech.add(token)
            if gone():
                raise Stopped
        self._said.append(speech.tokens)
        return speech.told()

    def pytorch(
        self, package: Any, beside: Beside, first: bool, write: Write, gone: Callable[[], bool]
    ) -> dict[str, Any]:
        """PyTorch's answer to the very same tokens."""
        settings = package.settings
        most = min(self.most, settings["context"] - len(self.ids)) if settings["kind"] == "writer" else self.most
        if first:
            beside.write(self.ids, 1, set(settings["end_ids"]), lambda token: None, gone)
        speech = Speech(PYTORCH, package.tokenizer.decode, write)
        beside.write(self.ids, most, set(settings["end_ids"]), speech.add, gone)
        self._said.append(speech.tokens)
        return speech.told()

    def same(self) -> bool:
        """Whether both gave the same tokens, the end among them."""
        return self._said[0] == self._said[1]


class _Reading:
    """A row that both sides read."""

    def __init__(self, script: Any, row: dict[str, Any]) -> None:
        self.script, self.row = script, row
        self._found: list[dict[str, Any]] = []

    def onnx(self, package: Any, first: bool, write: Write, gone: Callable[[], bool]) -> dict[str, Any]:
        """The package's answer."""
        return self._told(ONNX, package, first)

    def pytorch(
        self, package: Any, beside: Beside, first: bool, write: Write, gone: Callable[[], bool]
    ) -> dict[str, Any]:
        """PyTorch's numbers, told by the package's own code."""
        twin = copy.copy(package)

        def outputs(many: Sequence[Sequence[int]]) -> Any:
            return beside.read(many, package.settings["pad_id"])

        twin.outputs = outputs
        return self._told(PYTORCH, twin, first)

    def _told(self, side: str, package: Any, first: bool) -> dict[str, Any]:
        if first:
            package.answer(self.row)
        began = time.perf_counter()
        found: dict[str, Any] = package.answer(self.row)
        seconds = time.perf_counter() - began
        text = self.script.shown(found, False)
        if vectors := found.pop("vectors", None):
            found["width"] = len(vectors[0])
        self._found.append(found)
        return {"side": side, "text": text, "answer": found, "seconds": seconds}

    def same(self) -> bool:
        """Whether both found the same label or tags; of vectors, whether they are as alike to a hundredth."""
        one, other = self._found
        if "similarity" in one:
            return bool(abs(one["similarity"] - other["similarity"]) < ALIKE)
        return all(one.get(key) == other.get(key) for key in ("label", "tags"))

"""Trying an exported package in the page, next to PyTorch: what it asks for, and a worker that answers with both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.formats import Layout
from core.errors import InputError
from core.runs import records
from core.runs.store import Run
from core.runs.worker import ANSWER_S, IDLE_MINUTES, Worker

ONNX, PYTORCH = "onnx", "pytorch"


@dataclass(frozen=True)
class Form:
    """What a person fills in to ask a package.

    Attributes:
        kind: "writer", "rewriter" or "reader". chat: whether it is asked by turns of a conversation.
        fields: the names of its fields, where it is not; the first is that of a bare text. optional: those of them that
            may be left out. adapters: the names that may be chosen from; empty for a package of one model.
    """

    kind: str
    chat: bool
    fields: list[str]
    optional: list[str]
    adapters: list[str]


@dataclass(frozen=True)
class Side:
    """What one of the two answered.

    Attributes:
        text: in words. answer: of a model that reads, its figures, such as {"label", "score", "scores"}; else None.
        tokens: how many were written, the end among them; None where none are. seconds: of the answer, nothing loaded.
        first_token_seconds: until the first one came. tokens_per_second: of the whole answer.
        error: why this side has no answer, in a sentence, or "".
    """

    side: str
    text: str = ""
    answer: dict[str, Any] | None = None
    tokens: int | None = None
    seconds: float | None = None
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Played:
    """Both answers; same: whether they are the same, token for token or label for label; None: one is missing.

    `loading` is what loading took, in seconds; after the first question it is next to nothing.
    """

    onnx: Side
    pytorch: Side
    same: bool | None
    loading: float


def no_package(package: Path) -> InputError:
    """What to say where a package is asked that is not there: which ones are, or how one is made."""
    there = sorted(file.parent.name for file in package.parent.glob("*/tunesmith.json"))
    more = f" There are: {', '.join(there)}." if there else ""
    return InputError(f"There is no package {package.name} to ask: export the run first.{more}", "export.device")


def form(package: Path, adapter: str | None = None) -> Form:
    """What a package asks for, from its tunesmith.json alone.

    Args:
        package: its folder. adapter: which of several adapters; None: the first.

    Raises:
        InputError: there is no package, it does not say what it asks for, or there is no such adapter in it.
    """
    settings = records.PACKAGE.read(package / "tunesmith.json")
    if settings is None:
        raise no_package(package)
    several = settings.get("adapters") or {}
    if adapter is not None and adapter not in several:
        known = f"It holds {', '.join(several)}." if several else "It holds one model and no adapters."
        raise InputError(f"This package has no adapter {adapter!r}. {known}", "export.adapters")
    settings |= several.get(adapter or next(iter(several), ""), {})
    fields = [str(name) for name in settings.get("fields") or ()]
    return Form(
        kind=str(settings.get("kind") or "writer"),
        chat=settings.get("template") is None and Layout(**settings["layout"], evidence="").conversational,
        fields=fields,
        optional=[str(name) for name in settings.get("optional") or ()],
        adapters=list(several),
    )


class PlayWorker(Worker):
    """Holds one package and its PyTorch model: see core.export.play. When it ends: see Worker."""

    def __init__(self, idle_minutes: float = IDLE_MINUTES, answer_s: float = ANSWER_S) -> None:
        super().__init__(("play", "--serve", "--json"), "play", idle_minutes, answer_s)

    def play(
        self,
        run: Run,
        device: str,
        precision: str,
        text: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        history: Sequence[Mapping[str, str]] = (),
        adapter: str | None = None,
        max_new_tokens: int | None = None,
        on_piece: Callable[[str, str], None] = lambda side, piece: None,
        on_state: Callable[[str], None] = lambda what: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Played:
        """Ask the package and then PyTorch the same; waits while another question is being answered.

        Args:
            text: what a person typed: the first field that `fields` leaves free, or what the user says in a chat.
            fields: name -> value. history: the turns before, {"role", "content"}. adapter: which of several.
            max_new_tokens: None: as many as the run's evaluation gives an answer.
            on_piece: told each new piece of an answer, as (side, piece). on_state: what is being done, in words.
            should_stop: asked now and then; then both stop, and the worker stays warm.

        Raises:
            InputError: no such package, a field that is missing or unknown; the question was withdrawn; the worker
                ended.
        """
        asked = {
            "package": str(run.export_dir(device, precision)),
            "run": str(run.dir),
            "text": text,
            "fields": dict(fields or {}),
            "history": [dict(turn) for turn in history],
            "adapter": adapter,
            "max_new_tokens": max_new_tokens,
        }

        def on_word(word: dict[str, Any]) -> None:
            if "piece" in word:
                on_piece(str(word["side"]), str(word["piece"]))
            else:
                on_state(str(word.get("state", "")))

        return played(self.question(asked, on_word, should_stop))


def played(heard: Mapping[str, Any]) -> Played:
    """The worker's answer as `Played`."""
    return Played(Side(**heard["onnx"]), Side(**heard["pytorch"]), heard["same"], heard["loading"])


@functools.cache
def shared() -> PlayWorker:
    """The one worker of this process: one package is in memory, whoever asks."""
    return PlayWorker()

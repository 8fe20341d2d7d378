"""What the page and the commands ask about somebody's model, answered by a child within limits: see core.limited."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.checks.finding import Finding, Remedy
from core.data.encode import Preview
from core.data.hubsets import fetched
from core.data.template import Wording
from core.limited.pool import Pool, pool
from core.limited.process import Subject
from core.models.remarks import of_files, writes
from core.models.tokenizer import stamps, tokenizer_folder
from core.paths import ROOT, cache_dir, resolve
from core.runs.files import read_json, write_json

if TYPE_CHECKING:
    from core.data.formats import Layout
    from core.data.sources import Source

asker: ContextVar[str] = ContextVar("asker", default="")  # who asks, on a page that is open to everybody


class Asked:
    """A model and the words that its rows are put into, to ask about.

    Args:
        path: a folder, or an id on the Hub, of which small files are fetched. revision: for an id.
        wording: None where no row is put into words. children: those of this process, if not given.

    Raises:
        InputError: as core.models.tokenizer.load_tokenizer before it reads the file.
    """

    def __init__(
        self,
        path: str | Path,
        revision: str | None = None,
        wording: Wording | None = None,
        children: Pool | None = None,
    ) -> None:
        self.path, self.revision, self.wording = path, revision, wording or Wording("{text}")
        self.folder = tokenizer_folder(path, revision)
        self.children = children or pool()
        own = self.wording.text is None and self.wording.template is None  # a text template, or a format's, is no risk
        mark = (str(self.folder), stamps(self.folder), "its own template" if own else "")
        trusted = self.folder.resolve().is_relative_to(ROOT / "assets")
        self.subject = Subject(str(path), mark, own, trusted)

    def _ask(self, what: str, values: dict[str, Any], long: bool = False) -> Any:
        values = {"folder": str(self.folder), "wording": asdict(self.wording), **values}
        return self.children.ask(what, values, self.subject, asker.get(), long)

    def preview(self, row: dict[str, Any], layout: Layout, max_tokens: int) -> Preview:
        """See core.data.encode.preview."""
        return Preview(**self._ask("preview", {"row": row, "layout": asdict(layout), "max_tokens": max_tokens}))

    def lengths(self, rows: Sequence[dict[str, Any]], layout: Layout) -> tuple[list[int], list[int], float]:
        """Places of the rows that can be rendered, the tokens of each, uncut, and the share of them with loss."""
        made = self._ask("lengths", {"rows": list(rows), "layout": asdict(layout)}, long=True)
        return made["places"], made["tokens"], made["trained"]

    def tokens(self, rows: Sequence[dict[str, Any]], layout: Layout) -> list[int]:
        """See core.data.extremes.tokens_of."""
        found: list[int] = self._ask("tokens", {"rows": list(rows), "layout": asdict(layout)}, long=True)
        return found

    def findings(self, config: RunConfig, most: int | None = None) -> list[Finding]:
        """See core.data.report.findings. most: rows of an even sample, without the split; None: all rows."""
        values = config.model_dump(mode="json")
        asked = {"config": values, "whole": most is None, "rows": most, "fetched": fetched(str(values))}
        return [_finding(value) for value in self._ask("findings", asked, long=True)]

    def remarks(self) -> list[str]:
        """See core.models.remarks.remarks."""
        asked = self._tokenizer(writes(self.path, self.revision), self.wording.template)
        return [*of_files(self.path, self.revision), *asked["remarks"]]

    def check(self) -> None:
        """Whether the tokenizer can be loaded. Raises InputError where not."""
        self._tokenizer()

    def end_token(self) -> str:
        """The end token, or ""."""
        return str(self._tokenizer()["eos"])

    def _tokenizer(self, writes: bool = False, template: str | None = None) -> dict[str, Any]:
        local = resolve(self.path).is_dir()  # not of the Hub, whose cache strangers name no path in
        found: dict[str, Any] = self._ask("tokenizer", {"local": local, "writes": writes, "template": template})
        return found

    def first(self, row: dict[str, Any], layout: Layout) -> None:
        """Whether the template and the tokenizer come to an end with a row. Raises InputError where not."""
        self._ask("first", {"row": row, "layout": asdict(layout)})


def _finding(values: dict[str, Any]) -> Finding:
    remedy = values.pop("remedy")
    return Finding(**values, remedy=Remedy(**remedy) if remedy is not None else None)


# Before a command or a job renders by itself


def try_tokenizer(path: str | Path, revision: str | None = None) -> None:
    """Have a child load a tokenizer, before this process does.

    What is bundled is not tried, nor files that went well before on this machine: that is noted in the cache.

    Raises:
        InputError: it takes too much, crashes, or cannot be read.
    """
    asked = Asked(path, revision)
    _once(asked, "loaded", asked.check)


def try_first(config: RunConfig, source: Source) -> None:
    """Have a child render and cut the first row, before this process does so with all of them; as `try_tokenizer`.

    Raises:
        InputError: the template or the tokenizer takes too much, or cannot be read.
    """
    asked = Asked(config.model.path, config.model.revision, Wording.of(config.data))
    if len(source.rows):
        what = "its own template" if asked.subject.template else "a template"
        _once(asked, what, lambda: asked.first(source.rows[0], source.layout))


def _once(asked: Asked, what: str, ask: Callable[[], None]) -> None:
    if asked.subject.trusted:
        return
    note = cache_dir() / "tried" / f"{_digest(asked.folder, stamps(asked.folder))}.json"
    known = read_json(note) or {}
    if known.get(what) is True:
        return
    ask()
    with contextlib.suppress(OSError):  # where nothing can be written it is tried again the next time
        note.parent.mkdir(parents=True, exist_ok=True)
        write_json(note, {**known, "loaded": True, what: True})


@functools.lru_cache(maxsize=16)
def _digest(folder: Path, state: tuple[tuple[str, int], ...]) -> str:
    """Of the content of a tokenizer's files: those of a copy are known, too."""
    found = hashlib.sha256()
    for name, _ in state:
        if name not in ("config.json", "generation_config.json"):
            with open(folder / name, "rb") as file:
                found.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return found.hexdigest()[:32]

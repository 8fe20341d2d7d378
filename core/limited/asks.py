"""What the page and the commands ask about somebody's model, answered by a child within limits: see core.limited."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.checks.finding import Finding, Remedy
from core.data.encode import Preview
from core.data.hubsets import fetched
from core.data.template import Wording
from core.errors import InputError
from core.limited.pool import Pool, pool
from core.limited.process import Subject
from core.models.remarks import of_files, writes
from core.models.tokenizer import stamps, tokenizer_folder
from core.paths import ROOT, cache_dir
from core.runs.files import write_json

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
        values = {"writes": writes(self.path, self.revision), "template": self.wording.template}
        return [*of_files(self.path, self.revision), *self._ask("tokenizer", values)["remarks"]]

    def check(self) -> None:
        """Whether the tokenizer can be loaded. Raises InputError where not."""
        self._ask("tokenizer", {"writes": False, "template": None})

    def end_token(self) -> str:
        """The end token, or ""."""
        return str(self._ask("tokenizer", {"writes": False, "template": None})["eos"])

    def first(self, row: dict[str, Any], layout: Layout) -> None:
        """Whether the template and the tokenizer come to an end with a row. Raises InputError where not."""
        self._ask("first", {"row": row, "layout": asdict(layout)})


def _finding(values: dict[str, Any]) -> Finding:
    remedy = values.pop("remedy")
    return Finding(**values, remedy=Remedy(**remedy) if remedy is not None else None)


# Before a command or a job renders by itself


def try_first(config: RunConfig, source: Source) -> None:
    """Have a child render and cut the first row, before this process does it with all of them.

    What is bundled is not tried, nor a state of a model's files that went well before on this machine; that is noted in
    the cache.

    Raises:
        InputError: the template or the tokenizer takes too much, or cannot be read.
    """
    asked = Asked(config.model.path, config.model.revision, Wording.of(config.data))
    note = _note(asked)
    if asked.subject.trusted or note.exists() or not len(source.rows):
        return
    asked.first(source.rows[0], source.layout)
    try:
        write_json(note, {"model": str(config.model.path)})
    except OSError:
        return  # nothing can be written there: it is tried again the next time


def _note(asked: Asked) -> Path:
    digest = hashlib.sha256(repr(asked.subject.mark).encode()).hexdigest()[:32]
    return cache_dir() / "tried" / f"{digest}.json"


def try_model(path: str | Path, revision: str | None = None) -> None:
    """Have a child load a tokenizer before this process does. Raises InputError as `try_first`."""
    asked = Asked(path, revision)
    if not asked.subject.trusted:
        asked.check()


__all__ = ["Asked", "InputError", "asker", "try_first", "try_model"]

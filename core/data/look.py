"""The data doctor in a process of its own: for big files, so that the page stays quick and may end it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Generator
from multiprocessing.connection import Connection
from typing import Any

from core.config import RunConfig, build
from core.data.report import Finding
from core.errors import InputError, Overran

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
PATIENCE_S = 2.0  # a process that does not end by itself in this time is ended
DIED = "The process that looked at the rows has died, probably for want of memory: look at a part of them."


def look(config: RunConfig) -> Generator[tuple[int, int], None, list[Finding]]:
    """Look at all rows of a config; yields (rows done, rows in all), returns the findings.

    Close the generator to end the process before it is done.

    Raises:
        InputError: as `report.findings`, or the process died.
    """
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, config.model_dump(mode="json")), daemon=True
    )
    try:
        process.start()
        theirs.close()
        while True:
            kind, value = ours.recv()
            if kind == "found":
                return list(value)
            if kind == "wrong":
                raise InputError(*value)
            yield value
    except EOFError:
        raise InputError(DIED, "data.path") from None
    finally:
        ours.close()
        process.join(0.05)
        if process.is_alive():
            process.kill()
            process.join(PATIENCE_S)


def _serve(channel: Connection, values: dict[str, Any]) -> None:
    """In the process: open, look, and tell. Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(5)  # the page comes first
    from core.data.dataset import open_examples
    from core.data.report import findings
    from core.data.split import split_source
    from core.models.tokenizer import load_folder, tokenizer_folder

    try:
        config = build(values)
        source, folder = open_examples(config), tokenizer_folder(config.model.path, config.model.revision)
        for name in TOKENS:  # whatever was to be fetched is here; the model's own template comes now
            os.environ.pop(name, None)
        tokenizer = load_folder(folder)
        channel.send(("at", (0, len(source.rows))))
        split = split_source(source, config)
        found = findings(source, config, tokenizer, split, lambda done, total: channel.send(("at", (done, total))))
        channel.send(("found", found))
    except (InputError, Overran) as error:
        channel.send(("wrong", (str(error), error.field)))
    except BrokenPipeError:
        return  # nobody listens any more

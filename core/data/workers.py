"""The same work on many pieces, by several processes: light ones, without torch; the results come in order."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pickle import PicklingError
from typing import Any

from core.errors import Overran

MOST = 32  # workers; one process has to feed them
AHEAD = 4  # pieces for each worker that are out, or done and not yet asked for: the least that keeps all busy is 1
PATIENCE_S = 2.0  # a worker that does not end by itself in this time is ended

Answer = tuple[bool, Any]  # whether it went well, and the result or the error


def spread(work: Callable[[Any], Any], pieces: Iterable[Any], workers: int) -> Generator[Any, None, None]:
    """`work(piece)` of each piece, in order; by this process alone where `workers` is below 2.

    The work, the pieces and the results go from process to process; a piece that pickle does not take is worked on
    here. Where no process can be started, and where one dies, this process does what is left undone. Close the iterator
    (`contextlib.closing`) to end the workers before the last piece.

    Raises:
        Exception: what `work` raised, when it is the turn of that piece.
    """
    todo, wanted = enumerate(pieces), 0
    given: dict[Connection, tuple[int, Any]] = {}  # what each worker is at
    done: dict[int, Answer] = {}
    with _crew(work, min(workers, MOST) if workers > 1 else 0) as crew:
        while crew:
            for channel in crew:
                room = len(given) + len(done) < AHEAD * len(crew)
                if channel not in given and room and (piece := next(todo, None)) is not None:
                    if _send(channel, piece[1]):
                        given[channel] = piece
                    else:
                        done[piece[0]] = _answer(work, piece[1])
            if not given and not done:
                break
            ready = wait(list(given)) if given else []
            for channel in [c for c in given if c in ready]:
                number, piece = given.pop(channel)
                answer = _receive(channel)
                if answer is None:  # it has died: by a full memory, or because it never came up
                    crew.remove(channel)
                    answer = _answer(work, piece)
                done[number] = answer
            while wanted in done:
                fine, result = done.pop(wanted)
                if not fine:
                    raise result
                wanted += 1
                yield result
    for _, piece in todo:
        yield work(piece)


@contextlib.contextmanager
def _crew(work: Callable[[Any], Any], count: int) -> Iterator[list[Connection]]:
    """The channels of as many workers as could be started, ready to be sent pieces; ended when the block is left."""
    context, started = multiprocessing.get_context("spawn"), []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            try:
                process.start()
            except (OSError, RuntimeError, AssertionError):  # no room for it; in a process that may have no children
                ours.close()
                break
            finally:
                theirs.close()  # so that either side sees when the other has gone
            started.append((process, ours))
        yield [channel for _, channel in started if _send(channel, work)]
    finally:
        for _, channel in started:
            channel.close()
        for process, _ in started:
            process.join(PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _send(channel: Connection, value: Any) -> bool:
    """Send; whether it is such as can be sent. That nobody is there `wait` finds out."""
    try:
        with contextlib.suppress(OSError):
            channel.send(value)
    except (PicklingError, TypeError, AttributeError):  # a function inside a function, an open file; nothing was sent
        return False
    return True


def _receive(channel: Connection) -> Answer | None:
    """What a worker answers; None where it has died."""
    try:
        answer: Answer = channel.recv()
    except (EOFError, OSError):
        return None
    return answer


def _answer(work: Callable[[Any], Any], piece: Any) -> Answer:
    try:
        return True, work(piece)
    except (Exception, Overran) as error:  # raised where the results are asked for
        return False, error


def _serve(channel: Connection) -> None:
    """A worker: answers pieces until nobody sends any more. Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core each
    with contextlib.suppress(EOFError, OSError):
        work = channel.recv()
        while True:
            channel.send(_answer(work, channel.recv()))

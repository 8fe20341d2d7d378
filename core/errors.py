"""The one error that a person may see: what is wrong, the value, what is allowed, the remedy, in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The input is wrong. `str(error)` is the sentence to show; `field` says where in the config it belongs.

    `field` is a dotted config path such as "data.template", or "" where no field is concerned. The command line
    prints the sentence on standard error and ends with status 2; the page shows it at that field.
    """

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class Overran(BaseException):
    """A template or a tokenizer took more than it may. `str(error)` is the sentence, `field` as of an InputError.

    No Exception: nothing may take it for the fault of one row, leave that row out and go on. It is told like an
    InputError.
    """

    def __init__(self, sentence: str = "It took too long.", field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class BrokenTemplate(InputError):
    """A chat template that no conversation can be written by: its own fault, never a row's."""


class ConfigError(InputError):
    """Every problem of a config at once: `errors` maps a dotted config path to its sentence, in field order."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(
            "\n".join(f"{path}: {text}" if path else text for path, text in errors.items()), next(iter(errors), "")
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant: one spelt nearly so, or that has it inside; "" where none is near."""
    known = list(known)
    folded = {k.casefold(): k for k in reversed(known)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if found:
        return folded[found[0]]
    return next((k for k in known if len(name) > 2 and name.casefold() in k.casefold()), "")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nobody knows: it guesses what was meant and lists what there is."""
    known = list(known)
    guess = nearest(name, known)
    hint = f" Did you mean {guess!r}?" if guess else ""
    return f"There is no {what} {name!r}.{hint} Known: {', '.join(known)}."

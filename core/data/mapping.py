"""The layout that a person sets: which column plays which part, with the gaps filled in from names and values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.data import column_names as known
from core.data.formats import DEFAULT_KEYS, ROLES_OF, Layout, Role
from core.data.recognise import Look, Roles, keys_of, recognise
from core.data.turns import role_of
from core.errors import InputError, nearest, unknown

LAYOUT, ROLES = "data.layout", "data.roles"
# Names of columns by role, where a layout's own recognition did not find one.
_NAMES: dict[str, tuple[str, ...]] = {
    "text": known.TEXTS,
    "label": (*known.LABELS, *known.SCORES),
    "prompt": (*known.PROMPTS, *(prompt for prompt, _ in known.PAIRS)),
    "completion": tuple(completion for _, completion in known.PAIRS),
    "instruction": ("instruction", *known.PROMPTS),
    "input": ("input", "context"),
    "output": ("output", *(completion for _, completion in known.PAIRS)),
    "messages": known.TALKS,
    "tokens": known.TOKENS,
    "tags": known.TAGS,
    "first": tuple(first for first, _ in known.TWO_TEXTS),
    "second": tuple(second for _, second in known.TWO_TEXTS),
    "chosen": tuple(chosen for chosen, _ in known.PREFERRED),
    "rejected": tuple(rejected for _, rejected in known.PREFERRED),
    "system": known.SYSTEMS,
    "tools": known.TOOLS,
    "context": known.ASKED_ABOUT,
}


def overrule(
    columns: Sequence[str], sample_rows: Iterable[dict[str, Any]], layout: str | None, roles: dict[str, str] | None
) -> Layout:
    """The layout that a person sets, with the roles that they name; the others as far as they can be found.

    Args:
        columns: of the rows. sample_rows: some of them.
        layout: a key of `formats.ROLES_OF`; None: as recognised.
        roles: role -> column, or key of a turn. "" leaves an optional role out.

    Raises:
        InputError: field "data.layout" or "data.roles": no such layout, role, column or key (naming the nearest), one
            column in two roles, swapped keys of a turn, or a role that nothing was found for.
    """
    rows, given = list(sample_rows), dict(roles or {})
    if layout is None:
        if given:
            raise InputError("Roles belong to a layout: set the layout as well.", LAYOUT)
        return recognise(columns, rows)
    if layout not in ROLES_OF:
        raise InputError(unknown("layout", layout, ROLES_OF), LAYOUT)
    wanted = {role.name: role for role in ROLES_OF[layout]}
    named = {name: value for name, value in given.items() if value}
    _check_names(layout, wanted, named, columns)
    roles_found = _filled(layout, wanted, named, set(given) - set(named), columns, rows)
    look = Look(columns, rows)
    if talk := roles_found.get("messages") or roles_found.get("chosen"):
        roles_found |= _turn_keys(layout, look, talk, named, roles_found)
    if lacking := [role for role in wanted.values() if not role.optional and role.name not in roles_found]:
        free = [c for c in columns if c not in roles_found.values()]
        choice = f"choose one of {', '.join(free[:12])}" if free else "the data has no column left for it"
        raise InputError(
            f"The layout {layout} needs a column for {lacking[0].label.lower()!r} ({lacking[0].name}): {choice}.",
            ROLES if named else LAYOUT,
        )
    ordered = {name: roles_found[name] for name in wanted if name in roles_found}
    said = ", ".join(f"{column!r} is the {wanted[name].label.lower()}" for name, column in ordered.items())
    return Layout(layout, ordered, f"Set by hand: {said}.")


def _check_names(layout: str, wanted: dict[str, Role], named: Roles, columns: Sequence[str]) -> None:
    """Whether the roles are the layout's, and the columns the data's."""
    taken: dict[str, str] = {}
    for name, column in named.items():
        if name not in wanted:
            raise InputError(unknown(f"role in the layout {layout}", name, wanted), ROLES)
        if wanted[name].key:
            continue
        if column not in columns:
            near = nearest(column.strip(), columns)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(
                f"The role {name} names the column {column!r}, and the data has no such column.{hint} "
                f"Columns: {', '.join(columns[:12])}{', ...' if len(columns) > 12 else ''}.",
                ROLES,
            )
        if column in taken:
            raise InputError(f"The column {column!r} cannot be both {taken[column]} and {name}: choose another.", ROLES)
        taken[column] = name


def _filled(
    layout: str,
    wanted: dict[str, Role],
    named: Roles,
    left: set[str],
    columns: Sequence[str],
    rows: list[dict[str, Any]],
) -> Roles:
    """The named roles, and those that recognition, names or values give; columns only, no keys of turns."""
    found = {name: column for name, column in named.items() if not wanted[name].key}
    guess = recognise(columns, rows)
    alike = guess.name == layout or {guess.name, layout} <= {"sharegpt", "messages"}
    for name, column in guess.roles.items() if alike else ():
        if name in wanted and not wanted[name].key and name not in (*found, *left) and column not in found.values():
            found[name] = column
    for name, role in wanted.items():
        if role.key or name in found or (role.optional and name in left):
            continue
        look = Look(columns, rows, found.values())
        fitting = look.named(_NAMES.get(name, ()))
        if name in ("desired", "history"):  # a name alone is not enough: what is in the column says it
            fitting = look.judgement() if name == "desired" else look.history()
        if fitting is None and not role.optional:
            fitting = _by_values(look, name)
        if fitting is not None:
            found[name] = fitting
    if layout == "tokens_tags":
        found = {"text": "text", "entities": "entities"} | found  # columns that come with the tokens
    return found


def _by_values(look: Look, role: str) -> str | None:
    """The column whose values suit a role best, or the only one that is left."""
    if len(look.columns) == 1:
        return look.columns[0]
    match role:
        case "messages":
            return next((c for c in look.columns if look.turns(c)), None)
        case "label":
            return look.label_like()
        case "tokens" | "tags":
            return next((c for c in look.columns if any(isinstance(r.get(c), list) for r in look.rows)), None)
        case "chosen":
            return None  # which answer is the better one is nothing to guess
    return look.longest()


def _turn_keys(layout: str, look: Look, column: str, named: Roles, roles: Roles) -> Roles:
    """The keys of the turns in a column: those that are named, or found; of answers that are texts, the prompt's."""
    turns, seen = look.turns(column), [r.get(column) for r in look.rows]
    if layout == "preference" and not turns:
        prompt = roles.get("prompt")
        return keys_of(look.turns(prompt)) or {} if prompt else {}
    if not turns and any(value not in (None, "", []) for value in seen):
        raise InputError(f"The column {column!r} holds no lists of turns, so it is no conversation.", ROLES)
    keys = dict(zip(("role", "content"), DEFAULT_KEYS.get(layout, ("role", "content")), strict=True))
    keys |= keys_of(turns) or {}
    there = list(dict.fromkeys(key for turn in turns for key in turn))
    for role in ("role", "content"):
        if not (key := named.get(role)):
            continue
        if there and key not in there:
            raise InputError(unknown(f"key in the turns of {column!r}", key, there), ROLES)
        keys[role] = key
    speakers, words = ([role_of(turn.get(keys[role])) for turn in turns] for role in ("role", "content"))
    if not any(speakers) and any(words):
        raise InputError(
            f"The roles are swapped: in the turns of {column!r} it is {keys['content']!r} that says who speaks, and "
            f"{keys['role']!r} what is said.",
            ROLES,
        )
    return keys

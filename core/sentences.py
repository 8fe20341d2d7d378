"""Pydantic's errors in words: for each field the value given, what is allowed, the remedy."""

from __future__ import annotations

import reprlib
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from core.errors import ConfigError, nearest
from core.older_names import older

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = 3
_SHORT.maxlevel = 2


def sentences(error: ValidationError, model: type[BaseModel]) -> dict[str, str]:
    """Every problem of a validation: dotted field -> sentence. `model` is what was validated."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):
            found.update(cause.errors)
            continue
        path, section, rest = _place(list(item["loc"]), model)
        if item["type"].startswith("union_tag"):
            path = [*path, "name"]
        sentence = (
            _of_union(item, path)
            if rest and item["type"].endswith("_type")
            else _sentence(dict(item), path, section, model)
        )
        found.setdefault(".".join(path), sentence)
    return found


def variants(annotation: Any) -> list[Any]:
    """What a field takes: the members of a union, through Annotated; otherwise the one thing that it is."""
    if get_origin(annotation) is Annotated:
        return variants(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [v for member in get_args(annotation) for v in variants(member)]
    return [annotation]


def sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a field may hold: none for a plain setting, several where a name chooses."""
    return [v for v in variants(annotation) if isinstance(v, type) and issubclass(v, BaseModel)]


def _tag(section: type[BaseModel]) -> str:
    field = section.model_fields.get("name")
    return str(get_args(field.annotation)[0]) if field and get_origin(field.annotation) is Literal else ""


def _place(loc: list[int | str], model: type[BaseModel]) -> tuple[list[str], type[BaseModel], list[int | str]]:
    """Where pydantic's loc points: the dotted path, the section that holds it, and what is left inside the value."""
    path: list[str] = []
    section = model
    while loc:
        name = str(loc.pop(0))
        path.append(name)
        field = section.model_fields.get(name)
        below = sections(field.annotation) if field else []
        if len(below) > 1 and loc:  # a choice of sections: the tag in the loc says which, and is not part of the path
            tag = str(loc.pop(0))
            below = [s for s in below if _tag(s) == tag]
        if not below or not loc:
            return path, section, loc
        section = below[0]
    return path, section, loc


def shown(value: Any) -> str:
    """A value for a sentence: short, however large it is."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of about {int(value.bit_length() * 0.30103) + 1} digits"
    return _SHORT.repr(value)


def _of_union(item: Any, path: list[str]) -> str:
    if path == ["data", "roles"]:
        return f"{shown(item.get('input'))} is no column's name: write roles as prompt: question, one a line."
    if path == ["data", "fixes"]:
        return f"{shown(item.get('input'))} is no list of fixes: write them as [drop_duplicates, strip_control]."
    if path == ["data", "validation"]:
        return f"{shown(item.get('input'))} does not fit here: give a share up to 0.5, a slice of rows, or a file."
    return f"{shown(item.get('input'))} does not fit here: give text, or a list of texts such as [q_proj, v_proj]."


def _sentence(item: dict[str, Any], path: list[str], section: type[BaseModel], model: type[BaseModel]) -> str:
    kind, given, ctx = item["type"], shown(item.get("input")), item.get("ctx", {})
    match kind:
        case "greater_than":
            return f"{given} is too small: it must be above {_bound(ctx['gt'])}."
        case "greater_than_equal":
            return f"{given} is too small: at least {_bound(ctx['ge'])}."
        case "less_than":
            return f"{given} is too large: it must be below {_bound(ctx['lt'])}."
        case "less_than_equal":
            return f"{given} is too large: at most {_bound(ctx['le'])}."
        case "extra_forbidden" | "invalid_key":
            return _no_such(path, section, model)
        case "union_tag_not_found":
            names = [_tag(below) for below in sections(model.model_fields[path[0]].annotation)]
            return f"this is missing: choose one of {', '.join(names)}."
        case "literal_error" | "union_tag_invalid":
            name = str(ctx.get("tag", item.get("input")))
            guess = nearest(name, _expected(ctx).split(", "))
            hint = f" Did you mean {guess!r}?" if guess else ""
            return f"{shown(name)} is not known.{hint} Choose one of {_expected(ctx)}."
        case "int_from_float" | "int_parsing" | "int_type" | "int_parsing_size":
            return f"{given} is not a whole number."
        case "float_parsing" | "float_type" | "finite_number":
            return f"{given} is not a number."
        case "string_too_short":
            return "this cannot be empty."
        case "string_type":
            return f"{given} is not text: put it in quotes."
        case "string_unicode":
            return f"{given} holds half of a character (a lone surrogate): type it again."
        case "bool_type" | "bool_parsing":
            return f"{given} is neither true nor false."
        case "tuple_type":
            return f"{given} is not a list: write it in brackets, such as [{_in_list(item)}]."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{given} is not a section: write its settings below it, one a line."
        case _:
            return f"{given}: {item['msg'][0].lower()}{item['msg'][1:]}."


def _in_list(item: dict[str, Any]) -> str:
    """What stands in the list that was probably meant."""
    given = item.get("input")
    return given if isinstance(given, str) and given and len(given) < 60 else "a, b"


def _bound(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _expected(ctx: dict[str, Any]) -> str:
    """The names that pydantic expected, as "a, b, c"."""
    names = str(ctx.get("expected", ctx.get("expected_tags", "")))
    return ", ".join(name.strip(" '") for name in names.replace(" or ", ", ").split(", "))


def _no_such(path: list[str], section: type[BaseModel], model: type[BaseModel]) -> str:
    """For a setting that is not there: where it belongs, which one was probably meant, or what there is."""
    name = path[-1]
    for field_name, field in model.model_fields.items():
        for other in sections(field.annotation):
            if name in other.model_fields and other is not section and name not in ("name", "path", "data"):
                if path[:-1] == [field_name]:
                    return (
                        f"it belongs to {field_name} {_tag(other)}; {field_name} {_tag(section)} has no such setting."
                    )
                return f"there is no such setting here. Did you mean {field_name}.{name}?"
    if meant := older(name):
        return f"there is no such setting: {meant}"
    known = [n for n in section.model_fields if n != "name"]
    if not known:
        return f"there is no such setting: {path[0]} {_tag(section)} has none."
    guess = nearest(name, known)
    return "there is no such setting. " + (f"Did you mean {guess!r}?" if guess else f"Known: {', '.join(known)}.")

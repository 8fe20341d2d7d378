"""A hyperparameter search in Olive's words: which settings, over which values. It is kept, and nothing runs it yet."""

from __future__ import annotations

from typing import Any

from core.config import RunConfig
from core.errors import nearest
from core.older_names import OLDER
from core.olive.imported import Draft
from core.olive.values import mapping, number, one_of, shown, truth, whole
from core.settings import METHODS

WHY = "A search is not run by this import: the values are kept under search"
KINDS = ("float", "int", "choice")
_SAMPLERS = ("random", "sequential", "tpe", "grid", "exhaustive")
_WORD = "SEARCHABLE_VALUES"


_LISTS = ("target_modules", "modules_to_save", "report_to", "fsdp")  # options whose one value is a list


def is_searched(name: str, value: Any) -> bool:
    """Whether an option of a pass is a set of values to search instead of one."""
    if isinstance(value, list):
        return bool(value) and name not in _LISTS
    if isinstance(value, dict):
        return "support" in value or str(value.get("type", "")).casefold() in ("categorical", "boolean", "conditional")
    return value in (_WORD, "DEFAULT_SEARCH")


def path_of(name: str) -> str:
    """The dotted path of a setting by its name here, or as Olive or others call it; "" for none."""
    section, _, last = name.rpartition(".")
    for held in (section,) if section else ("method", "training", "data", "augmentation"):
        if held == "method" and any(last in m.model_fields for m in METHODS.values()):
            return f"method.{last}"
        field = RunConfig.model_fields.get(held)
        if field is not None and last in getattr(field.annotation, "model_fields", {}):
            return f"{held}.{last}"
    return OLDER.get(last, ("", ""))[0]


def searched(draft: Draft, name: str, value: Any, option: str) -> None:
    """Values of a pass's option that are searched: kept where they are listed, named where they are not."""
    path = path_of(name)
    support = value.get("support") if isinstance(value, dict) else value if isinstance(value, list) else None
    if isinstance(value, dict) and str(value.get("type", "")).casefold() == "boolean":
        support = [True, False]
    if path and isinstance(support, list) and support:
        _keep(draft, path, {"type": "choice", "values": support}, value, option)
    else:
        draft.ignore(option, value, "Which values are searched is not written out: list them.")


def strategy(draft: Draft, given: Any, at: str) -> None:
    """A search strategy: the source's (type, num_trials) or Olive's own (sampler, max_samples, seed)."""
    if given in (None, False):
        return
    if given is True:
        draft.search.setdefault("strategy", "sequential")
        draft.ignore(at, given, f"{WHY}.")
        return
    values = mapping(given, at)
    inner = mapping(values.pop("search_algorithm_config", None), f"{at}.search_algorithm_config")
    for key, value in {**values, **inner}.items():
        if value is None:
            continue
        option = f"{at}.{key}"
        if key in ("type", "sampler", "search_algorithm"):
            draft.search["strategy"] = one_of(value, option, _SAMPLERS)
        elif key in ("num_trials", "max_samples", "num_samples", "max_iter"):
            draft.search["trials"] = whole(value, option)
        elif key == "seed":
            draft.search["seed"] = whole(value, option)
        else:
            draft.ignore(option, value, "Trials follow one another, and the best by the validation rows counts.")
    draft.ignore(at, given, f"{WHY}.")


def space(draft: Draft, given: Any, at: str) -> None:
    """A search space: for each setting {"type": float, int or choice, "low", "high", "log", "values"}.

    Raises:
        InputError: bounds that are no numbers or in the wrong order, a kind that is not known.
    """
    for name, said in mapping(given, at).items():
        option, path = f"{at}.{name}", path_of(name)
        if not path:
            guess = path_of(nearest(name, [*OLDER, *_names()]))
            draft.ignore(option, said, f"There is no setting of this name.{f' Did you mean {guess}?' if guess else ''}")
            continue
        values = mapping(said, option) if not isinstance(said, list) else {"type": "choice", "values": said}
        kind = one_of(values.get("type", "choice"), f"{option}.type", (*KINDS, "categorical", "uniform", "loguniform"))
        if kind in ("choice", "categorical"):
            listed = values.get("values", values.get("support", values.get("choices")))
            if not isinstance(listed, list) or not listed:
                draft.ignore(option, said, "A choice needs a list of values.")
                continue
            _keep(draft, path, {"type": "choice", "values": listed}, said, option)
            continue
        convert = whole if kind == "int" else number
        low, high = (convert(values.get(end), f"{option}.{end}") for end in ("low", "high"))
        if low >= high:
            draft.ignore(option, said, f"Its low end {shown(low)} is not below its high end {shown(high)}.")
            continue
        log = kind == "loguniform" or truth(values.get("log", False), f"{option}.log")
        made = {"type": "int" if kind == "int" else "float", "low": low, "high": high, "log": log}
        _keep(draft, path, made, said, option)


def _keep(draft: Draft, path: str, made: dict[str, Any], said: Any, option: str) -> None:
    draft.search.setdefault("space", {})[path] = made
    draft.ignore(option, said, f"{WHY}, as {path}.")


def _names() -> list[str]:
    fields = [f for held in RunConfig.model_fields.values() for f in getattr(held.annotation, "model_fields", {})]
    return [*fields, *(f for m in METHODS.values() for f in m.model_fields if f != "name")]

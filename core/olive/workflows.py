"""A workflow of Olive's, in today's form or in older ones, or a part of one, into our settings."""

from __future__ import annotations

from typing import Any

from core.errors import InputError, nearest
from core.olive import data, devices, models, passes, search, training
from core.olive.imported import Draft, Imported
from core.olive.values import mapping, names, text

ROWS = "An export is compared on the run's own validation rows; others: --data FILE."
_UNTRAINED = "Nothing is trained in this workflow."
_RUNS = "where files go, and what is kept of a run, is decided here"
_IGNORED = {
    "workflow_id": "a run has an id of its own",
    "output_dir": _RUNS,
    "cache_dir": _RUNS,
    "cache_config": _RUNS,
    "clean_cache": _RUNS,
    "clean_evaluation_cache": _RUNS,
    "no_artifacts": _RUNS,
    "packaging_config": "every export is a package with all that it needs",
    "plot_pareto_frontier": "the page draws size against quality against speed",
    "evaluate_input_model": "the base model is measured beside the tuned one in any case",
    "evaluators": "a task is measured by its own metrics: python -m core evaluate --metrics",
    "evaluator": "a task is measured by its own metrics: python -m core evaluate --metrics",
    "host": "a training runs on this machine",
    "azureml_client": "a training runs on this machine",
    "auto_optimizer_config": "no passes are chosen by themselves: the device and the precision decide",
    "enable_shared_cache": _RUNS,
}
_SILENT = ("log_severity_level", "ort_log_severity_level", "ort_py_log_severity_level", "log_to_file",
           "no_artifacts", "clean_cache", "clean_evaluation_cache", "enable_shared_cache")  # fmt: skip
KNOWN = ("input_model", "model", "data_configs", "passes", "pass_flows", "systems", "engine", "target",
         "search_strategy", "search_space", "training_config", "training_args", "execution_providers",
         *_IGNORED)  # fmt: skip


def read(values: dict[str, Any], kind: str = "workflow") -> Imported:
    """A workflow, or a part of one.

    Raises:
        InputError: it is none, or a value is none of its kind.
    """
    if not any(key in KNOWN for key in values):
        keys = ", ".join(list(map(str, values))[:6]) or "nothing"
        guess = next((g for key in values if (g := nearest(str(key), KNOWN))), "")
        raise InputError(
            f"This is no workflow of Olive's: it holds {keys}.{f' Did you mean {guess}?' if guess else ''} One has "
            "input_model, data_configs and passes."
        )
    draft = Draft(kind)
    engine = mapping(values.get("engine"), "engine")
    top = {key: value for key, value in values.items() if key != "engine"}
    for key, value in engine.items():
        top.setdefault(key, value)
    label = {key: f"engine.{key}" for key in engine if key not in values}
    named = _passes(draft, top.pop("passes", None), _flow(draft, top.pop("pass_flows", None)))
    for key in ("input_model", "model"):
        if key in top:
            models.read(draft, top.pop(key), key)
    _data(draft, top.pop("data_configs", None), named)
    for key in ("training_config", "training_args"):
        if key in top:
            training.apply(draft, mapping(top.pop(key), key), lambda name, key=key: f"{key}.{name}")  # type: ignore[misc]
    folder = top.pop("output_dir", None)
    if folder is not None and draft.export is not None and not draft.trains:
        draft.exports(out=text(folder, label.get("output_dir", "output_dir")))
    elif folder is not None:
        top["output_dir"] = folder
    search.strategy(draft, top.pop("search_strategy", None), label.get("search_strategy", "search_strategy"))
    search.space(draft, top.pop("search_space", None), "search_space")
    _systems(draft, top)
    for key, value in top.items():
        if key in _SILENT or value in (None, {}, []):
            continue
        guess = nearest(str(key), KNOWN)
        reason = _IGNORED.get(str(key), f"A workflow has no such part.{f' Did you mean {guess}?' if guess else ''}")
        draft.ignore(label.get(key, str(key)), value, f"{reason[:1].upper()}{reason[1:].rstrip('.')}.")
    if draft.trains:
        passes.defaults(draft, lambda name: name)
        left_open(draft)
        if draft.export is not None:
            draft.exports(target="RUN")
    elif draft.export is not None and draft.get("model.path") and not draft.export.get("target"):
        draft.exports(target=draft.get("model.path"))
    if draft.export is not None:
        devices.settle(draft, "precision")
        if not draft.trains:
            _left_out(draft)
    return draft.done()


_OF_EXPORTS = {
    "model.path": "",  # the export has it
    "task": "",
    "model.head": "",
    "model.revision": "An export takes the revision that is here: fetch that one into a folder, and name the folder.",
}


def _left_out(draft: Draft) -> None:
    """Name the settings of a training, where none is: the rows of a calibration, and what else was read so far."""
    for path, option in draft.given.items():
        reason = _OF_EXPORTS.get(path, ROWS if path.startswith("data.") else _UNTRAINED)
        if reason and (value := draft.get(path)) is not None:
            draft.ignore(option, value, reason)
    draft.sections = {}


def _flow(draft: Draft, given: Any) -> list[str] | None:
    """The names of the passes that are taken, in order; None: all, as they stand. Several flows are alternatives."""
    if not given:
        return None
    flows = given if isinstance(given, list) and all(isinstance(flow, list) for flow in given) else [given]
    for number, flow in enumerate(flows[1:], 1):
        draft.ignore(f"pass_flows[{number}]", flow, f"There are {len(flows)} flows of passes: the first is taken.")
    return names(flows[0], "pass_flows")


def _passes(draft: Draft, given: Any, flow: list[str] | None) -> list[tuple[str, Any, str]]:
    """Every pass, in order; the data sets that they name.

    Several of one name stand in a list: they are alternatives, of which a search of Olive's tries one at a time. The
    first is taken whole, and so is the first of several passes that train.
    """
    named: list[tuple[str, Any, str]] = []
    if isinstance(given, list):
        given = {str(i): one for i, one in enumerate(given)}
    listed, trained = mapping(given, "passes"), ""
    if unknown := next((name for name in flow or () if name not in listed), None):
        raise InputError(f"pass_flows names {unknown!r}, which is none of the passes: {', '.join(listed) or 'none'}.")
    for name in listed if flow is None else dict.fromkeys([*flow, *listed]):
        held = listed[name]
        if flow is not None and name not in flow:
            draft.ignore(f"passes.{name}", held, "The first flow of pass_flows does not name it.")
            continue
        at = f"passes.{name}"
        first, *others = (held or [{}]) if isinstance(held, list) else [held]
        for number, one in enumerate(others, 1):
            draft.ignore(f"{at}[{number}]", one, f"{at} has {len(others) + 1} alternatives: the first is taken.")
        if passes.trains(name, first, at):
            if trained:
                draft.ignore(
                    at, first, f"A run has one training: that of {trained}. Read this one from a file of its own."
                )
                continue
            trained = at
        named += passes.read(draft, name, first)
    return named


def _data(draft: Draft, given: Any, named: list[tuple[str, Any, str]]) -> None:
    """The data sets: that of the training, and that which is kept back."""
    listed: list[tuple[dict[str, Any], str]] = []
    if isinstance(given, dict):
        given = [{"name": name} | mapping(one, f"data_configs.{name}") for name, one in given.items()]
    if given is not None and not isinstance(given, list):
        raise InputError("data_configs is no list of data sets: write each below a dash, with its name.")
    for place, one in enumerate(given or []):
        values = mapping(one, f"data_configs[{place}]")
        listed.append((values, f"data_configs.{values.get('name', place)}"))
    chosen: dict[str, tuple[dict[str, Any], str]] = {}
    for part, reference, option in named:
        if isinstance(reference, dict):
            chosen[part] = (reference, option)
            continue
        found = next((item for item in listed if item[0].get("name") == reference), None)
        if found is None:
            have = [str(item[0].get("name")) for item in listed]
            guess = nearest(str(reference), have)
            raise InputError(
                f"{option} {reference!r} names no data set of data_configs."
                f"{f' Did you mean {guess!r}?' if guess else ''} There is: {', '.join(have) or 'none'}."
            )
        chosen[part] = found
    if "train" not in chosen and listed:
        chosen["train"] = next((item for item in listed if item not in chosen.values()), listed[0])
    if "train" in chosen:
        data.read(draft, _options(draft, *chosen["train"]))
    if "eval" in chosen:
        data.held(draft, _options(Draft("aside"), *chosen["eval"]))
    for values, at in listed:
        if not any(values is held for held, _ in chosen.values()):
            draft.ignore(at, values, "A run has rows to train on and rows kept back, and no others.")


def _options(draft: Draft, values: dict[str, Any], at: str) -> dict[str, data.Option]:
    """The options of a data set by their name, from its load, pre-process and loader parts in their various forms."""
    found: dict[str, data.Option] = {}
    parts = ("load_dataset_config", "pre_process_data_config", "dataloader_config", "post_process_data_config")
    old = mapping(values.get("params_config"), f"{at}.params_config")
    for key, value in {**old, **{k: v for k, v in values.items() if k not in parts and k != "params_config"}}.items():
        if key in ("name", "type"):
            continue
        if key in ("data_name", "data_files", "subset", "split", "text_cols", "text_template", "max_samples"):
            found[key] = (value, f"{at}.{key}")
        elif key not in ("components", "component_kwargs", "user_script", "script_dir") or value:
            reason = data.IGNORED.get(key, "a data set has no such part here")
            draft.ignore(f"{at}.{key}", value, f"{reason[:1].upper()}{reason[1:]}.")
    for part in parts:
        label = f"{at}.{part}"
        inner = mapping(values.get(part), label)
        kind = inner.pop("type", None)
        if kind is not None and "skip" in str(kind).casefold():
            draft.ignore(f"{label}.type", kind, "Rows are always encoded.")
        params = mapping(inner.pop("params", None), f"{label}.params")
        for key, value in params.items():
            inner.setdefault(key, value)
        for key, value in inner.items():
            found[data.OLDER.get(key, key)] = (value, f"{label}.{key}")
    return found


def _systems(draft: Draft, top: dict[str, Any]) -> None:
    """The device, from the system that is the target (or the only one)."""
    systems = mapping(top.pop("systems", None), "systems")
    target = top.pop("target", None)
    if isinstance(target, str) and target in systems:
        chosen, at = systems[target], f"systems.{target}"
    elif isinstance(target, dict):
        chosen, at = target, "target"
    else:
        if isinstance(target, str):
            draft.ignore(
                "target", target, f"There is no system of this name; there is: {', '.join(systems) or 'none'}."
            )
        name = next(iter(systems), "")
        chosen, at = systems.get(name), f"systems.{name}"
    if draft.export is None:
        return  # a training finds the device by itself
    values = mapping(chosen, at)
    inner = mapping(values.pop("config", None), f"{at}.config")
    accelerators = values.get("accelerators", inner.get("accelerators"))
    if isinstance(accelerators, list) and accelerators:
        first = accelerators[0]
        if isinstance(first, str):
            devices.device(draft, first, f"{at}.accelerators")
        else:
            held = mapping(first, f"{at}.accelerators")
            if held.get("execution_providers"):
                devices.provider(draft, held["execution_providers"], f"{at}.accelerators.execution_providers")
            if held.get("device"):
                devices.device(draft, held["device"], f"{at}.accelerators.device")
    providers = top.pop("execution_providers", None)
    if providers and not draft.export.get("device"):
        devices.provider(draft, names(providers, "engine.execution_providers"), "engine.execution_providers")
    kind = text(values.get("type", "LocalSystem"), f"{at}.type")
    if kind != "LocalSystem":
        draft.ignore(f"{at}.type", kind, "A package is made on this machine.")


def left_open(draft: Draft) -> None:
    """What a training needs and the text does not say."""
    if draft.get("model.path") is None:
        draft.missing.append("No model is named: model.path stays as it is in your config, or takes the demo model.")
    if draft.get("data.path") is None:
        draft.missing.append("No rows are named: data.path stays as it is in your config, or takes a demo set.")

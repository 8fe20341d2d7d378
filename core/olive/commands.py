"""Olive's command lines into our settings: finetune, auto-opt, optimize, generate-adapter, quantize, run."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import InputError, unknown
from core.olive import data, devices, models, passes, training, workflows
from core.olive.imported import Draft, Imported
from core.olive.options import Given
from core.olive.shell import Line
from core.olive.values import names, one_of, text, truth, whole
from core.olive.words import no_option, options, subcommand

Opener = Callable[[str], Imported]  # reads the workflow that a path names

# Of an export: the rows that Olive calibrates and measures with.
ROWS = ("data_name", "split", "subset", "data_files", "text_field", "text_template", "use_chat_template", "max_seq_len",
        "add_special_tokens", "max_samples", "batch_size", "input_cols")  # fmt: skip
# What means nothing here, in any command.
IGNORED = {
    "trust_remote_code": models.CODE,
    "output_path": "A run has a folder of its own; an export takes --out DIR.",
    "account_name": "There is no shared cache.",
    "container_name": "There is no shared cache.",
    "save_config_file": "A run keeps its config in any case.",
    "dry_run": "This import runs nothing.",
    "test": "A model with fewer layers is not made.",
    "memory": "How much a training takes is said beforehand: python -m core estimate.",
    "model_script": "A program of yours is not run: name the model's folder.",
    "script_dir": "A program of yours is not run: name the model's folder.",
    "use_ort_genai": "Every model that writes is made for onnxruntime-genai in any case.",
    "use_model_builder": "The builder of onnxruntime-genai is used in any case for the families that it knows.",
    "use_dynamo_exporter": "The exporter follows from the model.",
    "exporter": "The exporter follows from the model.",
    "use_qdq_encoding": "How weights are stored follows from the device and the precision.",
    "use_qdq_format": "How weights are stored follows from the device and the precision.",
    "act_precision": "Activations follow from the precision; for int4 there is the accuracy level.",
    "adapter_format": "Adapters are written as .onnx_adapter.",
    "setup": "What a run needs is installed with Tunesmith; today's Olive has no --setup either.",
    "list_required_packages": "What an export needs stands in its requirements.txt.",
    "tempdir": "Nothing is kept beside a run.",
    "package_config": "Passes of your own are not run.",
    **dict.fromkeys(ROWS, workflows.ROWS),
    "task": "What a model is for stands with the model.",
    "model_name_or_path": "An adapter names its own base.",
    "base_model_path": "Each adapter names its own base.",
}
SILENT = ("log_level", "disable_telemetry")
BEGINNINGS = "one begins with olive finetune, auto-opt, optimize, generate-adapter or run."
_SHAPE = "How a graph is made follows from the device and the precision."


def read(lines: list[Line], opened: Opener) -> list[Imported]:
    """Every command of Olive's among some lines, in their order; the others are named and not run.

    Raises:
        InputError: none is Olive's, one is joined to a command that is not, or an option's value makes no sense.
    """
    found: list[Imported] = []
    others: list[Line] = []
    for line in lines:
        command = subcommand(line)
        if command is None:
            if line.chained:
                said = " ".join(line.texts)[:60]
                raise InputError(f"{said!r} is no command of Olive's: nothing was run; leave it out.")
            others.append(line)
            continue
        found.append(one(command, line, opened))
    if not found:
        shown = " ".join(others[0].texts)[:60] if others else ""
        raise InputError(f"There is no command of Olive's in it{f', only {shown!r}' if shown else ''}: {BEGINNINGS}")
    return found


def one(command: str, line: Line, opened: Opener) -> Imported:
    """One command.

    Raises:
        InputError: an option's value makes no sense, or the workflow that it names cannot be read.
    """
    given, unsaid = options(command, line)
    draft = Draft(f"olive {command}")
    for item in unsaid:
        draft.ignore(item.option, item.value, "It holds a variable of your shell: write its value out.")
    table: dict[str, Callable[[Draft, dict[str, Given]], None]] = {
        "finetune": _finetune,
        "auto-opt": _exported,
        "optimize": _exported,
        "quantize": _exported,
        "capture-onnx-graph": _exported,
        "generate-adapter": _adapters,
        "convert-adapters": _adapters,
    }
    by_name = {item.name: item for item in given}
    for place, item in enumerate(given):
        if by_name[item.name] is not given[place]:
            draft.ignore(item.option, item.value, "It is given twice, and the last one counts.")
    if command == "run":
        return _run(draft, by_name, opened)
    table[command](draft, by_name)
    for item in by_name.values():
        if item.name in SILENT:
            continue
        draft.ignore(item.option, item.value, IGNORED.get(item.name) or no_option(command, item))
    return draft.done()


def _finetune(draft: Draft, given: dict[str, Given]) -> None:
    """A training: what is taken is removed from `given`."""
    draft.trains = True
    way = given.pop("method", None)
    name = "lora" if way is None else text(way.value, way.option).casefold()
    if name not in passes.WAYS:
        raise InputError(unknown("method", name, passes.WAYS), "method.name")
    passes.method(draft, name, way.option if way else "--method")
    if (item := given.pop("model_name_or_path", None)) is not None:
        models.path(draft, item.value, item.option)
    for option in ("task", "task_name"):  # the second is the source's
        if (item := given.pop(option, None)) is not None:
            models.task(draft, item.value, item.option)
    for option in ("lora_r", "lora_alpha", "lora_dropout", "target_modules", "torch_dtype", "modules_to_save"):
        if (item := given.pop(option, None)) is not None:
            passes.of_method(draft, option, item.value, item.option)
    _data(draft, given)
    arguments = {k: i for k, i in given.items() if k in training.KNOWN and k not in IGNORED}
    for key in arguments:
        del given[key]
    training.apply(draft, {k: i.value for k, i in arguments.items()}, lambda key: arguments[key].option)
    passes.defaults(draft, lambda key: f"--{key}")
    workflows.left_open(draft)


def _data(draft: Draft, given: dict[str, Given]) -> None:
    def take(name: str) -> data.Option | None:
        item = given.pop(name, None)
        return (item.value, item.option) if item is not None else None

    asked = {
        "data_name": take("data_name"),
        "data_files": take("data_files"),
        "subset": take("train_subset"),
        "split": take("train_split"),
        "text_field": take("text_field"),
        "text_template": take("text_template"),
        "chat_template": take("use_chat_template"),
        "max_seq_len": take("max_seq_len"),
        "max_samples": take("max_samples"),
        "add_special_tokens": take("add_special_tokens"),
        "batch_size": take("batch_size"),
        "input_cols": take("input_cols"),
    }
    kept, subset = take("eval_split"), take("eval_subset")
    there = {name: option for name, option in asked.items() if option is not None}
    data.read(draft, there, quiet=True)
    if kept is not None:
        data.held(draft, {"split": kept})
    if subset is not None and subset[0] != draft.get("data.name"):
        draft.ignore(subset[1], subset[0], "Rows are kept back from the same configuration of a set: data.name.")
    draft.assume("data.max_tokens", data.LENGTH, "--max_seq_len", "Olive's own longest row.")


def _exported(draft: Draft, given: dict[str, Given]) -> None:
    """An export: its device, precision, model or adapter, and folder."""
    draft.exports(device=None)
    for name, take in (("provider", devices.provider), ("device", devices.device), ("precision", devices.precision)):
        if (item := given.pop(name, None)) is not None:
            take(draft, item.value, item.option)
    if (item := given.pop("providers_list", None)) is not None:
        devices.provider(draft, item.value, item.option)
    for name, ours in (("block_size", "block_size"), ("int4_block_size", "block_size"),
                       ("int4_accuracy_level", "accuracy_level")):  # fmt: skip
        if (item := given.pop(name, None)) is not None:
            size = whole(item.value, item.option)
            if size < 1 and ours == "block_size":
                draft.ignore(item.option, item.value, "Weights share a scale in blocks, 32 by itself.")
            else:
                draft.exports(**{ours: size})
    if (item := given.get("adapter_path")) is not None:
        draft.exports(target=text(item.value, item.option))
        del given["adapter_path"]
    elif (item := given.pop("model_name_or_path", None)) is not None:
        draft.exports(target=text(item.value, item.option))
    if (item := given.pop("output_path", None)) is not None:
        draft.exports(out=text(item.value, item.option))
    for name, item in [*given.items()]:
        if name in _OF_GRAPHS:
            draft.ignore(item.option, item.value, _SHAPE)
            del given[name]
    devices.usual(draft, "--precision")
    devices.settle(draft, "--precision")


_OF_GRAPHS = (
    "torch_dtype", "target_opset", "conversion_device", "exclude_embeds", "exclude_lm_head", "enable_cuda_graph",
    "dim_param", "dim_value", "surgeries", "modality", "enable_aot", "qnn_env_path", "extra_mb_options", "num_split",
    "num_splits", "cost_model", "mixed_precision_overrides_config", "algorithm", "implementation", "model_variant",
    "fixed_param_dict", "past_key_value_name", "use_mobius_builder", "dynamic_to_fixed_shape_dim_param",
    "dynamic_to_fixed_shape_dim_value", "enable_search", "seed",
)  # fmt: skip


def _adapters(draft: Draft, given: dict[str, Given]) -> None:
    """Adapters kept apart from their base: one or several in a package."""
    paths: list[str] = []
    if (item := given.pop("adapter_paths", None)) is not None:
        listed = item.value if isinstance(item.value, list) else [item.value]
        paths = [path for part in listed for path in names(part, item.option)]
    if (item := given.pop("adapter_path", None)) is not None:
        paths = [text(item.value, item.option), *paths]
    draft.exports(device="cpu", keep_adapter=True)
    if paths:
        draft.exports(target=paths[0], adapters=paths[1:])
        if paths[1:]:
            draft.missing.append("Several adapters come from runs: write the run of each in the place of its folder.")
    elif (item := given.pop("model_name_or_path", None)) is not None:
        draft.ignore(item.option, item.value, "A graph is made anew from a run: name the run, or its adapter's folder.")
    if (item := given.pop("adapter_type", None)) is not None and str(item.value).casefold() != "lora":
        draft.ignore(item.option, item.value, "Adapters of LoRA are kept apart, no others.")
    if (item := given.pop("output_path", None)) is not None:
        draft.exports(out=text(item.value, item.option))
    if (item := given.pop("dtype", None)) is not None:
        wide = one_of(item.value, item.option, ("float32", "float16"))
        draft.exports(precision="fp16" if wide == "float16" else "fp32")
    for name in ("quantize_int4", "int4_block_size", "int4_quantization_mode"):
        if (item := given.pop(name, None)) is not None and not (name == "quantize_int4" and not _set(item)):
            draft.ignore(item.option, item.value, "Adapters are small, and stay in full precision.")
    devices.settle(draft, "--dtype")


def _set(item: Given) -> bool:
    return item.value is True or truth(item.value, item.option)


def _run(draft: Draft, given: dict[str, Given], opened: Opener) -> Imported:
    """The workflow that `olive run` names, with what its other options replace in it."""
    item = given.pop("run_config", None) or given.pop("config", None)
    if item is None:
        raise InputError("`olive run` needs --run-config FILE: name the workflow, or give its text itself.")
    workflow = opened(text(item.value, item.option))
    config = {key: dict(held) if isinstance(held, dict) else held for key, held in (workflow.config or {}).items()}
    replaced = given.pop("model_name_or_path", None)
    if replaced is not None and workflow.config is not None:
        config.setdefault("model", {})["path"] = text(replaced.value, replaced.option)
    for other in given.values():
        if other.name not in SILENT:
            draft.ignore(other.option, other.value, IGNORED.get(other.name) or no_option("run", other))
    kept = [field for field in workflow.missing if not (replaced is not None and "No model" in field)]
    return Imported(
        kind=draft.kind,
        config=config or None,
        export=workflow.export,
        search=workflow.search,
        command=workflow.command,
        ignored=(*draft.ignored, *workflow.ignored),
        assumed=workflow.assumed,
        missing=tuple(kept),
    )

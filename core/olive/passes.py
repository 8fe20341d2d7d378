"""Olive's passes: those that train become our method and training, those that convert or quantise become an export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import nearest
from core.olive import devices, training
from core.olive.imported import Draft
from core.olive.search import is_searched, searched
from core.olive.values import mapping, names, number, text, truth, whole

# Olive's own values where a workflow or a command line says nothing (olive/passes/pytorch/lora.py, 0.13.0).
# our name -> (Olive's, its value)
LORA: dict[str, tuple[str, Any]] = {
    "r": ("lora_r", 64),
    "lora_alpha": ("lora_alpha", 16),
    "lora_dropout": ("lora_dropout", 0.05),
}
TRAINING: dict[str, tuple[str, Any]] = {
    "learning_rate": ("learning_rate", 2e-4),
    "lr_scheduler_type": ("lr_scheduler_type", "constant"),
    "warmup_steps": ("warmup_ratio", 0.03),
}
WAYS = {"lora": "lora", "qlora": "qlora", "dora": "lora", "loftq": "qlora"}
OTHER_WAYS = ("loha", "lokr", "sdlora", "sdxllora")

_OF_METHOD: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "r": ("method.r", whole),
    "lora_r": ("method.r", whole),
    "rank": ("method.r", whole),
    "alpha": ("method.lora_alpha", whole),
    "lora_alpha": ("method.lora_alpha", whole),
    "lora_dropout": ("method.lora_dropout", number),
    "target_modules": ("method.target_modules", names),
    "modules_to_save": ("method.modules_to_save", names),
    "quant_type": ("method.bnb_4bit_quant_type", text),
    "double_quant": ("method.bnb_4bit_use_double_quant", truth),
    "use_rslora": ("method.use_rslora", truth),
    "use_dora": ("method.use_dora", truth),
}
_IGNORED = {
    "device_map": "a training uses one device, found from the machine",
    "allow_tf32": "what a graphics card multiplies in is left as PyTorch has it",
    "ephemeral_gpu_offload": "a training uses one device",
    "save_quant_config": "the adapter is kept beside its base, which stays as it is on the disk",
    "loftq_iter": "an adapter begins at nothing; LoftQ's start is not made",
    "use_ort_trainer": "PyTorch trains",
    "ortmodule_onnx_opset_version": "PyTorch trains",
    "trust_remote_code": "code that comes with a model is never run",
    "dataloader_config": "rows are encoded by Tunesmith itself",
    "bias": "no biases are trained",
    "task_type": "the task is the model's",
}

# Passes that convert: what they say of an export, or why nothing follows from them.
CONVERTS = {
    "onnxconversion": {},
    "optimumconversion": {},
    "mobiusbuilder": {},
    "modelbuilder": {},
    "onnxdynamicquantization": {"precision": "int8", "calibration": "dynamic"},
    "onnxquantization": {"precision": "int8"},
    "onnxstaticquantization": {"precision": "int8", "calibration": "static"},
    "incdynamicquantization": {"precision": "int8", "calibration": "dynamic"},
    "incstaticquantization": {"precision": "int8", "calibration": "static"},
    "onnxmatmul4quantizer": {"precision": "int4"},
    "onnxblockwisertnquantization": {"precision": "int4"},
    "onnxhqqquantization": {"precision": "int4"},
    "matmulnbitstoqdq": {"precision": "int4"},
    "onnxfloattofloat16": {"precision": "fp16"},
    "openvinoconversion": {},
}
_ADAPTER_APART = ("extractadapters", "generateadapter")
_EASY = {
    "orttransformersoptimization": "the builder fuses attention and norms by itself",
    "orttransformeroptimization": "the builder fuses attention and norms by itself",
    "onnxpeepholeoptimizer": "onnxruntime simplifies a graph when it loads it",
    "onnxmodeloptimizer": "onnxruntime simplifies a graph when it loads it",
    "ortsessionparamstuning": "the runtime's own settings are used",
    "ortperftuning": "the runtime's own settings are used",
    "dynamictofixedshape": "shapes stay free where the device allows it",
}
_OF_BUILDER: dict[str, str] = {
    "int4_block_size": "block_size",
    "block_size": "block_size",
    "int4_accuracy_level": "accuracy_level",
    "accuracy_level": "accuracy_level",
}


def method(draft: Draft, way: str, option: str) -> None:
    """A way of training by Olive's name: lora, qlora, dora or loftq."""
    draft.trains = True
    draft.set("method.name", WAYS[way], option)
    if way == "dora":
        draft.set("method.use_dora", True, option)
    if way == "loftq":
        draft.ignore(option, way, "The 4-bit base is taken as it is (QLoRA); LoftQ's start of the adapter is not made.")


def defaults(draft: Draft, label: Callable[[str], str]) -> None:
    """What Olive takes by itself where nothing was said of a LoRA or QLoRA training."""
    for name, (olives, value) in LORA.items():
        draft.assume(f"method.{name}", value, label(olives), "Nothing is said of it, and Olive takes this.")
    for name, (olives, value) in TRAINING.items():
        draft.assume(f"training.{name}", value, label(olives), "Nothing is said of it, and Olive takes this.")
    draft.assume(
        "data.train_on", "all", "data.train_on",
        "Olive takes the loss on all of the text; with answers only what stands after the prompt is learned.",
    )  # fmt: skip


def of_method(draft: Draft, name: str, value: Any, option: str) -> bool:
    """One option of a LoRA pass or command; false where it is none.

    Raises:
        InputError: the value is none of its kind.
    """
    if value is None:
        return name in _OF_METHOD or name in _IGNORED or name == "torch_dtype"
    if name in _OF_METHOD:
        path, kind = _OF_METHOD[name]
        if name == "target_modules" and value in ("all-linear", ["all-linear"]):
            draft.set(path, "all-linear", option)
        elif name == "alpha" and number(value, option) != int(number(value, option)):
            draft.ignore(option, value, "A whole number is taken.")
        else:
            draft.set(path, kind(value, option), option)
    elif name == "torch_dtype":
        training.dtype(draft, value, option)
    elif name == "compute_dtype":
        draft.set("method.bnb_4bit_compute_dtype", text(value, option), option)
    elif name in _IGNORED:
        draft.ignore(option, value, f"{_IGNORED[name][:1].upper()}{_IGNORED[name][1:]}.")
    else:
        return False
    return True


def trains(name: str, given: Any, at: str) -> bool:
    """Whether a pass trains."""
    return _folded(text(mapping(given, at).get("type", name), f"{at}.type")) in WAYS


def _folded(kind: str) -> str:
    return kind.replace("_", "").replace("-", "").casefold()


def read(draft: Draft, name: str, given: Any) -> list[tuple[str, Any, str]]:
    """One pass of a workflow. Returns the data sets that it names: ("train" or "eval", reference, option).

    Raises:
        InputError: a value is none of its kind.
    """
    at = f"passes.{name}"
    values = mapping(given, at)
    kind = text(values.pop("type", name), f"{at}.type")
    inner = mapping(values.pop("config", None), f"{at}.config")
    for key in ("disable_search", "host", "evaluator", "clean_run_cache", "output_name"):
        if values.get(key) not in (None, False):
            draft.ignore(f"{at}.{key}", values[key], "A pass has no settings of its own for where and how it runs.")
        values.pop(key, None)
    options = {key: (value, f"{at}.{key}") for key, value in values.items()}
    options |= {key: (value, f"{at}.config.{key}") for key, value in inner.items()}
    folded = _folded(kind)
    if folded in WAYS:
        return _trained(draft, folded, at, options)
    if folded in OTHER_WAYS:
        draft.ignore(f"{at}.type", kind, "Trained are LoRA, QLoRA, IA3, bottleneck adapters, prompts, or all weights.")
    elif folded == "mergeadapterweights":
        draft.exports(keep_adapter=False)
    elif folded in _ADAPTER_APART:
        draft.exports(keep_adapter=True)
        _rest(draft, options)
    elif folded in CONVERTS:
        _converted(draft, folded, options)
    else:
        known = {"LoRA", "QLoRA", "MergeAdapterWeights", "ModelBuilder", "OnnxConversion", "OnnxDynamicQuantization"}
        guess = nearest(kind, known)
        hint = f" Did you mean {guess}?" if guess and folded not in _EASY else ""
        draft.ignore(f"{at}.type", kind, f"{_sentence(_EASY.get(folded, 'there is no such step here'))}{hint}")
    return []


def _trained(draft: Draft, way: str, at: str, options: dict[str, tuple[Any, str]]) -> list[tuple[str, Any, str]]:
    named: list[tuple[str, Any, str]] = []
    method(draft, way, f"{at}.type")
    arguments, label = options.pop("training_args", (None, "")), f"{at}.training_args"
    for key, (value, option) in options.items():
        if key in ("train_data_config", "eval_data_config"):
            if value is not None:
                named.append((key.partition("_")[0], value, option))
        elif is_searched(key, value):
            searched(draft, key, value, option)
        elif of_method(draft, key, value, option):
            continue
        elif key in training.KNOWN:  # the source writes weight_decay beside r
            training.argument(draft, key, value, option)
        else:
            guess = nearest(key, [*_OF_METHOD, *training.KNOWN])
            draft.ignore(option, value, f"A LoRA pass has no such option.{f' Did you mean {guess}?' if guess else ''}")
    given = mapping(arguments[0], label)
    for key in [key for key, value in given.items() if is_searched(key, value)]:
        searched(draft, key, given.pop(key), f"{label}.{key}")
    training.apply(draft, given, lambda key: f"{label}.{key}")
    return named


def _converted(draft: Draft, folded: str, options: dict[str, tuple[Any, str]]) -> None:
    said: dict[str, Any] = CONVERTS[folded]
    if "precision" in said:  # what an earlier pass said of its own precision does not hold for this one
        draft.exports(**said)
        for name in ("block_size", "accuracy_level", "calibration"):
            (draft.export or {}).pop(name, None)
    draft.exports(**(said | ({"device": "openvino"} if folded == "openvinoconversion" and _has("openvino") else {})))
    if folded == "onnxquantization" and (mode := options.pop("quant_mode", None)) is not None:
        draft.exports(calibration=text(*mode).casefold())
    builder = options.pop("precision", None)
    if builder is not None and is_searched("precision", builder[0]):
        draft.ignore(builder[1], builder[0], "One package has one precision; --precision all makes and compares each.")
    elif builder is not None:
        devices.precision(draft, *builder)
    for ours in ("int4_block_size", "block_size", "int4_accuracy_level", "accuracy_level"):
        if (option := options.pop(ours, None)) is None or option[0] is None:
            continue
        if is_searched(ours, option[0]):
            draft.ignore(option[1], option[0], "A package is made with one value, and none of several is tried.")
        else:
            draft.exports(**{_OF_BUILDER[ours]: whole(*option)})
    _rest(draft, options)


def _has(device: str) -> bool:
    return device in devices.TARGETS


def _rest(draft: Draft, options: dict[str, tuple[Any, str]]) -> None:
    for value, option in options.values():
        if value is not None:
            draft.ignore(option, value, "How a graph is made follows from the device and the precision.")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

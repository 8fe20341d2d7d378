"""The base model: Olive's input_model, or the model options of a command, into our model section and task."""

from __future__ import annotations

import re
from typing import Any

from core.errors import nearest
from core.olive.imported import Draft
from core.olive.values import mapping, text

# A task of Transformers' pipelines -> (ours, whether a head of the model answers).
TASKS = {
    "text-generation": ("generation", False),
    "text-generation-with-past": ("generation", False),
    "text2text-generation": ("generation", False),
    "translation": ("generation", False),
    "summarization": ("summarization", False),
    "text-classification": ("classification", True),
    "sequence-classification": ("classification", True),
    "sentiment-analysis": ("classification", True),
    "token-classification": ("extraction", True),
    "ner": ("extraction", True),
    "feature-extraction": ("similarity", False),
    "sentence-similarity": ("similarity", False),
}
OURS = {"generation": "text-generation", "summarization": "text-generation", "classification": "text-generation",
        "extraction": "text-generation", "similarity": "feature-extraction"}  # fmt: skip
HEADS = {"classification": "text-classification", "extraction": "token-classification"}
KINDS = ("HfModel", "PyTorchModel", "ONNXModel")
CODE = "Code that comes with a model is never run: only architectures that Transformers itself has are loaded."
_LOADING = "How weights are loaded follows from the method and the device."
_HUB = re.compile(r"https://huggingface\.co/([^/]+/[^/?#]+)")
_PARTS = {
    "io_config": "what goes into and out of a graph follows from the model",
    "dummy_inputs_func": "what goes into and out of a graph follows from the model",
    "model_loader": "a program of yours is not run: name the model's folder",
    "model_script": "a program of yours is not run: name the model's folder",
    "script_dir": "a program of yours is not run: name the model's folder",
    "model_file_format": "weights are safetensors",
    "model_storage_kind": "a folder or an id of the Hub is seen by itself",
    "generative": "a model that writes is seen by itself",
    "model_attributes": "what a model is stands in its config.json",
    "test_model_config": "a model with fewer layers is not made",
    "test_model_path": "a model with fewer layers is not made",
    "shared_cache": "there is no shared cache",
}


def task(draft: Draft, value: Any, option: str) -> None:
    """A task by the name that Transformers' pipelines have, or by ours."""
    name = text(value, option).strip().casefold().replace("_", "-")
    if name in ("generation", "classification", "extraction", "similarity"):
        draft.set("task", name, option)
    elif name in TASKS:
        ours, head = TASKS[name]
        draft.set("task", ours, option)
        if head:
            draft.set("model.head", "task", option)
    else:
        guess = nearest(name, TASKS)
        hint = f" Did you mean {guess}?" if guess else ""
        draft.ignore(option, value, f"A model is trained for {', '.join(TASKS)}.{hint}")


def path(draft: Draft, value: Any, option: str) -> None:
    """A model's folder or id, also as the address of its page on the Hub."""
    if isinstance(value, dict):
        draft.ignore(option, value, "A model of Azure's registry cannot be fetched here: name its folder.")
        return
    given = text(value, option)
    found = _HUB.search(given)
    draft.set("model.path", found[1] if found else given, option)


def read(draft: Draft, given: Any, at: str) -> None:
    """An input_model in its new form, or a model in its old one, whose options stand below `config`.

    Raises:
        InputError: a value is none of its kind.
    """
    if isinstance(given, str):
        path(draft, given, at)
        return
    values = mapping(given, at)
    kind = values.pop("type", None)
    inner = mapping(values.pop("config", None), f"{at}.config")
    hf = mapping(inner.pop("hf_config", values.pop("hf_config", None)), f"{at}.config.hf_config")
    options = {key: (value, f"{at}.{key}") for key, value in values.items()}
    options |= {key: (value, f"{at}.config.{key}") for key, value in inner.items()}
    options |= {key: (value, f"{at}.config.hf_config.{key}") for key, value in hf.items()}
    if kind is not None and str(kind).casefold() not in [k.casefold() for k in KINDS]:
        draft.ignore(f"{at}.type", kind, f"A model of PyTorch is read, as it is by {', '.join(KINDS[:2])}.")
    if kind is not None and str(kind).casefold() == "onnxmodel":
        draft.ignore(f"{at}.type", kind, "A graph is not trained: name the model that it was made from.")
    for key, (value, option) in options.items():
        if value is None:
            continue
        if key in ("model_path", "model_name", "model_name_or_path"):
            path(draft, value, option)
        elif key == "task":
            task(draft, value, option)
        elif key == "adapter_path":
            draft.exports(target=text(value, option))
        elif key in ("load_kwargs", "from_pretrained_args", "model_loading_args"):
            _loading(draft, mapping(value, option), option)
        else:
            draft.ignore(option, value, _sentence(_PARTS.get(key, "a model has no such option here")))


def _loading(draft: Draft, values: dict[str, Any], at: str) -> None:
    for key, value in values.items():
        if value is None or (key == "trust_remote_code" and value is False):
            continue
        if key == "revision":
            draft.set("model.revision", text(value, f"{at}.{key}"), f"{at}.{key}")
        elif key == "trust_remote_code":
            draft.ignore(f"{at}.{key}", value, CODE)
        elif key == "attn_implementation" and value in ("eager", "sdpa"):
            continue  # another way to the same numbers
        else:
            draft.ignore(f"{at}.{key}", value, _LOADING)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."

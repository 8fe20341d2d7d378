"""What a model is, read from its files alone; the bundled demo model, and small models known to suit."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.models.bounds import MOST_TENSORS, check_config, check_tensor, read_object
from core.models.catalog_table import BY_ID
from core.models.tokenizer import FIELD, model_folder
from core.paths import resolve
from core.runs.files import open_file

DEMO = "assets/demo-model"
HEADER_LIMIT = 100 * 2**20  # bytes; the safetensors format's own limit


@dataclass(frozen=True)
class ModelInfo:
    """A model by its files.

    Attributes:
        name: of the folder, or the id.
        architecture: the class in config.json, such as "LlamaForCausalLM", or "".
        family: model_type of config.json, such as "llama", or "".
        parameters: weights counted from the safetensors headers; where there are none here those that the catalogue
            says, or None.
        bytes: size of the weight files here, or None.
        dtype: of most weights on disk, such as "BF16", or "".
        context: longest input, in tokens, or None.
        licence: from the model card's front matter, or the catalogue's, or "".
        chat_template: whether the tokenizer has one.
    """

    name: str
    architecture: str
    family: str
    parameters: int | None
    bytes: int | None
    dtype: str
    context: int | None
    licence: str
    chat_template: bool


# Those that the page offers as cards before one is looked for.
SUGGESTIONS = tuple(
    BY_ID[name]
    for name in (
        "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "google/gemma-3-270m-it",
        "Qwen/Qwen3-0.6B", "meta-llama/Llama-3.2-1B-Instruct", "microsoft/Phi-4-mini-instruct",
    )
)  # fmt: skip


def describe_model(path: str | Path, revision: str | None = None) -> ModelInfo:
    """What the files of a model say; no weight is read, only the headers.

    Args:
        path: a folder, or an id on the Hub (its small files are fetched).
        revision: for an id.

    Raises:
        InputError: field "model.path": no such model, a folder that is none, a damaged file.
    """
    folder = model_folder(path, revision)
    config = read_config(path, folder)
    inner: dict[str, Any] = config.get("text_config") or {}  # of models that also see
    parameters, size, dtype = weights(folder)
    known = BY_ID.get(str(path))
    context = config.get("max_position_embeddings") or inner.get("max_position_embeddings") or config.get("n_positions")
    return ModelInfo(
        name=folder.name if resolve(path).is_dir() else str(path),
        architecture=str((config.get("architectures") or [""])[0]),
        family=str(config.get("model_type", "")),
        parameters=known.parameters if parameters is None and known else parameters,
        bytes=size,
        dtype=dtype,
        context=context if isinstance(context, int) else None,
        licence=_licence(folder / "README.md") or (known.licence if known else ""),
        chat_template=_has_chat_template(folder),
    )


def read_config(path: str | Path, folder: Path) -> dict[str, Any]:
    """The config.json of a model's folder. Raises InputError, which names the model as `path` does."""
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{str(path)!r} is no model folder: it has no config.json.", FIELD)
    config = read_object(file, str(path))
    check_config(config, str(path))
    return config


def weights(folder: Path) -> tuple[int | None, int | None, str]:
    """Parameters, bytes and the commonest dtype of all safetensors files; (None, None, "") where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None, None, ""
    total, kinds = 0, dict[str, int]()
    for shape, dtype in tensors(folder).values():
        count = math.prod(shape)
        total += count
        kinds[dtype] = kinds.get(dtype, 0) + count
    return total, sum(f.stat().st_size for f in files), max(kinds, key=lambda k: kinds[k], default="")


def tensors(folder: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Name -> (shape, dtype) of each tensor, from the headers of all safetensors files of a folder.

    A header is a little-endian 64-bit length and then JSON: name -> {"dtype", "shape", "data_offsets"}
    (https://github.com/huggingface/safetensors#format).

    Raises:
        InputError: field "model.path": a file is damaged.
    """
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with open_file(file) as stream:
                length = int.from_bytes(stream.read(8), "little")
                if not 2 <= length <= min(HEADER_LIMIT, file.stat().st_size):
                    raise ValueError("it has no header")
                header = json.loads(stream.read(length))
            if not isinstance(header, dict) or len(header) > MOST_TENSORS:
                raise ValueError("its header holds no tensors")
            found |= {n: check_tensor(n, tensor) for n, tensor in header.items() if n != "__metadata__"}
        except RecursionError:
            sentence = f"The weights in {file.name} of {folder.name!r} are damaged: the header is nested too deeply."
            raise InputError(sentence, FIELD) from None
        except (OSError, ValueError) as error:
            raise InputError(f"The weights in {file.name} of {folder.name!r} are damaged: {error}.", FIELD) from None
    return found


def _licence(card: Path) -> str:
    """`license:` in the front matter of a model card."""
    if not card.is_file():
        return ""
    text = card.read_text(encoding="utf-8", errors="replace")[:20_000]
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*['\"]?([^'\"\n#]+)", front[1], re.MULTILINE) if front else None
    return found[1].strip() if found else ""


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    file = folder / "tokenizer_config.json"
    try:
        return file.is_file() and bool(json.loads(file.read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return False

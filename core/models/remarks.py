"""What is worth knowing about a model before it is tuned: one sentence each, from its small files. Light."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.models.catalog import read_config
from core.models.heads import kind_of
from core.models.tokenizer import end_ids, load_tokenizer, model_folder, pad_id
from core.paths import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def remarks(path: str | Path, revision: str | None = None, template: str | None = None) -> list[str]:
    """What to say of a model, for the page and for the notes of a run.

    Args:
        path: a folder, or an id on the Hub. revision: for an id. template: data.template, where there is one.

    Raises:
        InputError: field "model.path": no such model, or no tokenizer.json.
    """
    tokenizer, here = load_tokenizer(path, revision), Path(path) if resolve(path).is_dir() else None
    return [*of_files(path, revision), *of_tokenizer(tokenizer, here, writes(path, revision), template)]


def of_files(path: str | Path, revision: str | None = None) -> list[str]:
    """What to say of a model without its tokenizer. Raises InputError as `remarks`."""
    folder = model_folder(path, revision)
    return [*_of_code(read_config(path, folder)), *_of_weights(folder)]


def writes(path: str | Path, revision: str | None = None) -> bool:
    """Whether a model may write text: no encoder does. Raises InputError as `remarks`."""
    return kind_of(read_config(path, model_folder(path, revision))) != "encoder"


def _of_code(config: dict[str, object]) -> list[str]:
    if not config.get("auto_map"):
        return []
    return [
        "The model names code of its own, which is not run here: it is loaded as transformers knows the kind "
        f"{config.get('model_type')!r}."
    ]


def _of_weights(folder: Path) -> list[str]:
    """Of a model in a folder; what the Hub holds is asked before anything is fetched."""
    others = sorted(p.name for p in folder.glob("pytorch_model*.bin"))
    if not others or any(folder.glob("*.safetensors")):
        return []
    return [
        f"The weights in {others[0]} can hold code, and are not read: load the model once with transformers where you "
        "trust it, and save it as safetensors (save_pretrained)."
    ]


def of_tokenizer(
    tokenizer: PreTrainedTokenizerFast, folder: Path | None, writes: bool, template: str | None
) -> list[str]:
    """What to say of the tokenizer in a folder. writes: whether its model writes text. template: data.template."""
    found = []
    ends = end_ids(tokenizer, folder)
    filler = pad_id(tokenizer)
    if tokenizer.pad_token_id is None:
        found.append(f"The tokenizer has no pad token: {_shown(tokenizer, filler)} fills the batches.")
    elif tokenizer.pad_token_id in ends:
        found.append(
            f"The tokenizer's pad token {tokenizer.pad_token!r} ends answers, too: {_shown(tokenizer, filler)} fills "
            "the batches, so that the end is learned."
        )
    if not tokenizer.chat_template and template is None and writes:
        found.append(
            "The model has no chat template: give one for the rows, such as {question} [[{answer}]] or the name alpaca."
        )
    return found


def _shown(tokenizer: object, token: int) -> str:
    return f"{tokenizer.convert_ids_to_tokens(token)!r} (id {token:,})"  # type: ignore[attr-defined]

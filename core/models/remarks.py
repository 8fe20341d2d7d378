"""What is worth knowing about a model before it is tuned: one sentence each, from its small files. Light."""

from __future__ import annotations

from pathlib import Path

from core.models.catalog import read_config
from core.models.heads import kind_of
from core.models.tokenizer import end_ids, load_tokenizer, model_folder, pad_id
from core.paths import resolve


def remarks(path: str | Path, revision: str | None = None, template: str | None = None) -> list[str]:
    """What to say of a model, for the page and for the notes of a run.

    Args:
        path: a folder, or an id on the Hub. revision: for an id. template: data.template, where there is one.

    Raises:
        InputError: field "model.path": no such model, or no tokenizer.json.
    """
    folder = model_folder(path, revision)
    config = read_config(path, folder)
    return [*_of_code(config), *_of_weights(folder), *_of_tokenizer(path, revision, config, template)]


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


def _of_tokenizer(path: str | Path, revision: str | None, config: dict[str, object], template: str | None) -> list[str]:
    tokenizer, found = load_tokenizer(path, revision), []
    ends = end_ids(tokenizer, path if resolve(path).is_dir() else None)
    filler = pad_id(tokenizer)
    if tokenizer.pad_token_id is None:
        found.append(f"The tokenizer has no pad token: {_shown(tokenizer, filler)} fills the batches.")
    elif tokenizer.pad_token_id in ends:
        found.append(
            f"The tokenizer's pad token {tokenizer.pad_token!r} ends answers, too: {_shown(tokenizer, filler)} fills "
            "the batches, so that the end is learned."
        )
    if not tokenizer.chat_template and template is None and kind_of(config) != "encoder":
        found.append(
            "The model has no chat template: give one for the rows, such as {question} [[{answer}]] or the name alpaca."
        )
    return found


def _shown(tokenizer: object, token: int) -> str:
    return f"{tokenizer.convert_ids_to_tokens(token)!r} (id {token:,})"  # type: ignore[attr-defined]

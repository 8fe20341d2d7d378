"""The rows: Olive's data set, split and template options into our data section."""

from __future__ import annotations

import re
from typing import Any

from core.olive import templates
from core.olive.imported import Draft, Note
from core.olive.values import names, text, truth, whole

Option = tuple[Any, str]  # a value, and what its option is called in a note
BUILDERS = ("json", "csv", "parquet", "text", "arrow")  # of datasets.load_dataset: readers of files, no names of sets
SAMPLES = 256  # rows that `olive finetune` takes at most where nothing is said (olive/cli/base.py, 0.13.0)
LENGTH = 1024  # tokens, likewise

OLDER = {"source_max_len": "max_seq_len", "corpus_strategy": "strategy"}  # names of a few versions ago
_PADDING = "a batch is padded to its own longest row, and padding is never trained on"
IGNORED = {
    "trust_remote_code": "code that comes with a data set is never run",
    "batch_size": "the batch of a training is per_device_train_batch_size",
    "add_special_tokens": "a row has the model's own tokens around it, and an end token after the last answer",
    "pad_to_max_len": _PADDING,
    "padding_side": _PADDING,
    "use_attention_mask": _PADDING,
    "drop_short_sequences": "short rows are trained on as they are",
    "input_cols": "the columns are those of the template or the layout",
    "label_col": "the label is the last column of the template, or the layout's own",
    "label_cols": "the label is the last column of the template, or the layout's own",
    "processing_batch_size": "rows are encoded as fast as the machine allows",
    "random_seed": "training.seed decides what is drawn by chance",
    "random_retries": "no rows are drawn by chance",
    "joiner": "rows are not joined into one text",
    "stride": "rows are not joined into one text",
    "kwargs": "name the options themselves",
    "component_kwargs": "name the options themselves",
    "user_script": "a program of yours is not run; put what it makes into a file",
    "script_dir": "a program of yours is not run; put what it makes into a file",
    "text_formatting_func": "a program of yours is not run; write its text as a template",
    "col_filters": "rows are not left out by a column's value; leave them out of the file",
    "max_samples": "it and the split cannot be joined into one slice",
    "data_dir": "name the folder in the data's path",
    "dataset_type": "a row is what the template makes of it",
    "streaming": "rows are read from a file that is kept",
    "task": "the task is the model's",
    "model_name": "the tokenizer is always the model's own",
}


def read(draft: Draft, given: dict[str, Option], *, quiet: bool = False) -> None:
    """The options of a data set into a draft.

    Args:
        given: by Olive's name: data_name, data_files, subset, split, text_field, text_cols, text_template,
            chat_template, message_col, max_seq_len, max_samples, strategy, and those that mean nothing here.
        quiet: a command line, whose text Olive unescapes.

    Raises:
        InputError: a value is none of its kind.
    """
    given = {key: option for key, option in given.items() if option[0] is not None}
    builder = _path(draft, given)
    _rows(draft, given, builder)
    _wording(draft, given, quiet)
    if (option := given.pop("max_seq_len", None)) is not None:
        draft.set("data.max_tokens", whole(*option), option[1])
    for key, (value, label) in given.items():
        if value in ("", [], {}):
            continue
        reason = IGNORED.get(key, "there is no such option of a data set")
        draft.ignore(label, value, f"{reason[:1].upper()}{reason[1:]}.")


def _path(draft: Draft, given: dict[str, Option]) -> bool:
    """The path of the rows; true where they are files that a reader such as json opens."""
    name, files = given.pop("data_name", None), given.pop("data_files", None)
    builder = name is not None and str(name[0]).casefold() in BUILDERS
    if files is not None:
        listed = files[0]
        if isinstance(listed, dict):
            listed = _by_split(draft, listed, files[1])
        listed = names(listed, files[1]) if listed else []
        if name is not None and not builder and not listed:
            draft.set("data.path", text(*name), name[1])
        elif name is not None and not builder:
            draft.set("data.path", text(*name), name[1])
            draft.ignore(
                files[1], listed, "Of a data set on the Hub the files of a split are taken, not files by name."
            )
        elif listed:
            draft.set("data.path", listed[0], files[1])
            if len(listed) > 1:
                draft.ignore(
                    files[1], listed[1:], "One file, folder or pattern such as data/part-*.jsonl is read: the first."
                )
            builder = True
    elif name is not None and not builder:
        draft.set("data.path", text(*name), name[1])
    elif name is not None:
        draft.ignore(name[1], name[0], "It says how files are read, and no file is named.")
    subset = given.pop("subset", None) or given.pop("name", None)
    if subset is not None and subset[0] != "":
        draft.set("data.name", text(*subset), subset[1])
    return builder


def _by_split(draft: Draft, files: dict[str, Any], option: str) -> Any:
    """Files by split: those to train on, and those to check with."""
    kept = next((key for key in ("validation", "test", "eval", "dev") if key in files), None)
    if kept is not None:
        listed = names(files[kept], option)
        draft.set("data.validation", listed[0], option)
    train = files.get("train") or next((v for k, v in files.items() if k != kept), None)
    for key, value in files.items():
        if key != kept and value is not train:
            draft.ignore(f"{option}.{key}", value, "Rows to train on and rows to check with are read, no others.")
    return train


def _rows(draft: Draft, given: dict[str, Option], builder: bool) -> None:
    """The split, and how many of its rows."""
    split, most = given.pop("split", None), given.get("max_samples")
    said = str(split[0]).strip() if split is not None and split[0] != "" else ""
    found = re.fullmatch(r"([^\[\]]*)(\[[^\[\]]*\])?", said)
    name, part = (found[1], found[2]) if found else (said, None)
    if most is not None:
        count = whole(*most)
        cut = _cut(part, count)
        if cut is not None:
            given.pop("max_samples")
            part = cut
            draft.given["data.split"] = most[1]
    chosen = f"{'' if builder and name == 'train' else name}{part or ''}"
    if chosen:
        draft.set("data.split", chosen, split[1] if split is not None else draft.given.get("data.split", ""))


def _cut(part: str | None, count: int) -> str | None:
    """A slice of rows with at most so many; None where the two cannot be joined into one."""
    if part is None:
        return f"[:{count}]"
    found = re.fullmatch(r"\[(\d*):(\d*)\]", part)
    if found is None:
        return None
    begin = int(found[1] or 0)
    stop = begin + count if not found[2] else min(int(found[2]), begin + count)
    return f"[{begin or ''}:{stop}]"


def held(draft: Draft, given: dict[str, Option]) -> None:
    """The rows that are kept back, from the options of a second data set or an eval_split."""
    split, files = given.get("split"), given.get("data_files")
    path = draft.get("data.path")
    if files is not None and files[0] and names(files[0], files[1]) != [path]:
        draft.set("data.validation", names(files[0], files[1])[0], files[1])
        if split is not None and split[0] not in ("", None, "train"):
            draft.ignore(split[1], split[0], "A file of its own is kept back whole.")
    elif split is not None and split[0]:
        draft.set("data.validation", text(*split).strip(), split[1])


def _wording(draft: Draft, given: dict[str, Option], quiet: bool) -> None:
    """How a row becomes text: a template, a field, or the chat template."""
    template, chat = given.pop("text_template", None), given.pop("chat_template", None)
    column = given.pop("message_col", None)
    fields = given.pop("text_field", None) or given.pop("text_cols", None)
    if chat is not None and isinstance(chat[0], str) and chat[0].strip().casefold() not in ("true", "false"):
        draft.ignore(chat[1], chat[0], "The model's own chat template is used, or a format by name such as chatml.")
    elif chat is not None and truth(*chat):
        draft.set("data.template", None, chat[1])
        if column is not None and column[0] != "messages":
            draft.set("data.layout", "messages", column[1])
            draft.set("data.roles", {"messages": text(*column)}, column[1])
    elif template is not None and str(template[0]).strip():
        _template(draft, text(*template), template[1], quiet)
    elif fields is not None:
        listed = names(*fields)
        draft.set("data.template", " ".join(f"{{{name}}}" for name in listed), fields[1])
    if (option := given.pop("strategy", None)) is not None and "line-by-line" not in str(option[0]):
        reason = (
            "Each row is trained on by itself; training.batching packed lays rows end to end, unseen by each other."
        )
        draft.ignore(option[1], option[0], reason)


def _template(draft: Draft, given: str, option: str, quiet: bool) -> None:
    made = templates.ours(templates.unescaped(given) if quiet else given, option)
    for reason in made.lost:
        draft.ignore(option, given, f"{reason[:1].upper()}{reason[1:]}.")
    end = templates.end_token(draft.get("model.path"))
    if end and made.text.endswith(end):
        draft.assumed.append(
            Note(option, end, "The end token is left out of the template: every answer gets one here.")
        )
        draft.set("data.template", made.text.removesuffix(end), option)
    else:
        draft.set("data.template", made.text, option)

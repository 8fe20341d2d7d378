"""The tokenizer of a model: its own tokenizer.json as it stands, with what it says about beginning, end and padding."""

from __future__ import annotations

import functools
import re
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, Overran, nearest
from core.models.bounds import MOST_TOKENIZER_BYTES, check_adapter, read_object
from core.models.hub import fetch
from core.paths import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIELD = "model.path"
FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
         "generation_config.json", "config.json")  # fmt: skip
CARD = "README.md"  # says the licence
# What only a slow tokenizer reads: the ids would have to be converted first.
UNCONVERTED = ("tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json", "qwen.tiktoken")
# Tokens that families keep for padding or for nothing, best first (Llama 3, Qwen, Phi, Mistral, Gemma, BERT-like).
SPARE = ("<|finetune_right_pad_id|>", "<|PAD_TOKEN|>", "<pad>", "<|pad|>", "[PAD]", "<|endoftext|>", "<unused0>",
         "<|reserved_special_token_0|>", "<unk>", "[UNK]")  # fmt: skip


@dataclass(frozen=True)
class Traits:
    """What a tokenizer does by itself, found by trying it.

    Attributes:
        bos: the token that it puts in front of every text, or "".
        eos: its end token, or "".
        specials: matches any special token's text, the longest first; None where there is none.
        ids: special token's text -> id.
        prefixes: whether it puts a space in front of a text (SentencePiece's "always" and "first", RoBERTa's BPE).
    """

    bos: str
    eos: str
    specials: re.Pattern[str] | None
    ids: dict[str, int]
    prefixes: bool

    @functools.cached_property
    def edges(self) -> tuple[frozenset[str], frozenset[str], int]:
        """Beginnings and ends of two characters or more of the special tokens' texts, and the length of the longest."""
        cuts = [(name, size) for name in self.ids for size in range(2, len(name))]
        longest = max((size for _, size in cuts), default=0)
        return frozenset(n[:size] for n, size in cuts), frozenset(n[-size:] for n, size in cuts), longest


_TRAITS: weakref.WeakKeyDictionary[Any, Traits] = weakref.WeakKeyDictionary()


def traits(tokenizer: PreTrainedTokenizerFast) -> Traits:
    """The traits of a tokenizer; found once, then kept."""
    found = _TRAITS.get(tokenizer)
    if found is None:
        found = _TRAITS[tokenizer] = _find_traits(tokenizer)
    return found


def _find_traits(tokenizer: PreTrainedTokenizerFast) -> Traits:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    ids = {t.content: i for i, t in backend.get_added_tokens_decoder().items() if t.special and t.content}
    for name in (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token):
        if name and (known := backend.token_to_id(name)) is not None:
            ids.setdefault(name, known)
    names = sorted(ids, key=len, reverse=True)
    plain, dressed = backend.encode("a", add_special_tokens=False), backend.encode("a", add_special_tokens=True)
    adds_bos = bool(tokenizer.bos_token) and dressed.ids[:1] == [tokenizer.bos_token_id] != plain.ids[:1]
    return Traits(
        bos=tokenizer.bos_token if adds_bos else "",
        eos=tokenizer.eos_token or "",
        specials=re.compile("|".join(map(re.escape, names))) if names else None,
        ids=ids,
        prefixes=plain.tokens[:1] != [] and plain.tokens[0].startswith(("▁", "Ġ")),
    )


def load_tokenizer(path: str | Path, revision: str | None = None) -> PreTrainedTokenizerFast:
    """The tokenizer of a model folder or of a model on the Hub, without torch.

    Loaded once for each state of its files; callers share it and must not change it.

    Args:
        path: a folder (see core.paths.resolve), or an id such as "HuggingFaceTB/SmolLM2-135M-Instruct".
        revision: branch, tag or commit, for an id.

    Raises:
        InputError: no such folder, a folder that is no model, an adapter, no tokenizer.json, the Hub out of reach.
    """
    folder = tokenizer_folder(path, revision)
    import core.limited.asks as limited  # not "from": a package carries this module, and loads no tokenizer by it

    limited.try_tokenizer(path, revision)
    return load_folder(folder)


def tokenizer_folder(path: str | Path, revision: str | None = None) -> Path:
    """The folder of a model that has a tokenizer.json. Raises InputError as `load_tokenizer`, which reads it."""
    folder = model_folder(path, revision)
    if not (folder / "tokenizer.json").is_file():
        raise InputError(_no_tokenizer(path, folder), FIELD)
    size = (folder / "tokenizer.json").stat().st_size
    if size > MOST_TOKENIZER_BYTES:
        raise InputError(f"The tokenizer.json of {str(path)!r} has {size / 2**20:,.0f} MB, which none needs.", FIELD)
    return folder


def load_folder(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in a folder, whoever made it; see `load_tokenizer`, which has it tried before."""
    with _LOADING:
        return _load(str(folder), stamps(folder))


def stamps(folder: Path) -> tuple[tuple[str, int], ...]:
    """What tells the state of a tokenizer's files from another."""
    return tuple((f, (folder / f).stat().st_mtime_ns) for f in FILES if (folder / f).is_file())


_LOADING = threading.Lock()  # two threads that import transformers at once get half of it each


@functools.lru_cache(maxsize=8)
def _load(folder: str, stamps: tuple[tuple[str, int], ...]) -> PreTrainedTokenizerFast:
    import core.limited.tokenizer as limited

    try:
        tokenizer = limited.TokenizersBackend.from_pretrained(folder, local_files_only=True)
        _check(tokenizer)
        traits(tokenizer)
    except InputError:
        raise
    except Exception as error:  # tokenizers raises bare Exception; the words of the cause are in it
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"The tokenizer in {folder!r} cannot be read: {reason}.", FIELD) from None
    except BaseException as error:
        raise limited.panicked(error, "cannot be read") or error from None
    return tokenizer


def _check(tokenizer: PreTrainedTokenizerFast) -> None:
    """Look whether the values of tokenizer_config.json that are used here are of their kinds. TypeError: one is not."""
    template, longest = tokenizer.chat_template, tokenizer.model_max_length
    texts = list(template.values()) if isinstance(template, dict) else [template] if template is not None else []
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("the chat template is no text")
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= 1:
        raise TypeError(f"model_max_length is {longest!r:.60}, where a number of tokens is meant")


def model_folder(path: str | Path, revision: str | None = None) -> Path:
    """The folder of a model: the one named, or what was fetched of it from the Hub (small files only).

    Raises:
        InputError: as `load_tokenizer`.
    """
    folder = resolve(path, FIELD)
    if folder.is_dir():
        if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
            said = read_object(folder / "adapter_config.json", str(path))
            check_adapter(said, str(path))
            base = said.get("base_model_name_or_path") or "a base that it does not name"
            raise InputError(
                f"{str(path)!r} holds an adapter, not a model: it sits on {base!r}. Give that model here.", FIELD
            )
        return folder
    if folder.is_file():
        raise InputError(f"{str(path)!r} is a file: give the folder that holds config.json and tokenizer.json.", FIELD)
    if looks_like_id(str(path)) and not folder.parent.is_dir():
        return _fetch(str(path), revision)
    near = (
        nearest(folder.name, [p.name for p in folder.parent.iterdir() if p.is_dir()]) if folder.parent.is_dir() else ""
    )
    raise InputError(f"There is no model folder {str(path)!r}.{_meant(str(path), near)}", FIELD)


def _meant(path: str, near: str) -> str:
    """What to write instead of a path that is no folder; "" where nothing is known."""
    if address := re.match(r"https?://[^/]+/([^/\s]+/[^/\s?#]+)", path):
        return f" Of an address on the Hub write {address[1]!r} alone."
    if near:
        return f" Did you mean {near!r}?"
    return "" if "/" in path or "\\" in path else " A model on the Hub is called owner/name."


def looks_like_id(path: str) -> bool:
    """Whether a text may be an id on the Hub: owner/name, in the characters that the Hub allows."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", path, re.ASCII) is not None and ".." not in path


def _fetch(name: str, revision: str | None) -> Path:
    """Fetch a model's small files from the Hub; its weights are left to the training process."""

    def choose(files: list[str]) -> list[str]:
        if "tokenizer.json" not in files:
            slow = next((f for f in UNCONVERTED if f in files), "")
            remedy = f"has {slow} but no tokenizer.json" if slow else "has no tokenizer.json"
            raise InputError(f"The model {name!r} on the Hub {remedy}: {_SAVE_ONCE}", FIELD)
        if not any(f.endswith(".safetensors") for f in files) and (other := next(filter(_is_weights, files), "")):
            raise InputError(
                f"The model {name!r} on the Hub has no weights in safetensors format; its {other} can hold code, and "
                f"is not read: {_SAVE_ONCE}",
                FIELD,
            )
        return [f for f in (*FILES, CARD) if f in files]

    return fetch("model", name, choose, FIELD, revision)[0].parent


_SAVE_ONCE = (
    "look for a copy that has them, or load it once with transformers where you trust it, save it to a folder "
    "(save_pretrained), and give that."
)


def _is_weights(file: str) -> bool:
    """Whether a file of a repository holds weights in another format than safetensors."""
    return "/" not in file and file.endswith((".bin", ".pt", ".h5", ".msgpack", ".ckpt"))


def _no_tokenizer(path: str | Path, folder: Path) -> str:
    slow = next((f for f in UNCONVERTED if (folder / f).is_file()), "")
    if slow:
        return (
            f"{str(path)!r} has {slow} but no tokenizer.json: convert it once, with "
            "transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)."
        )
    if (folder / "config.json").is_file():
        return f"{str(path)!r} has no tokenizer.json: copy the tokenizer's files of that model into it."
    inner = sorted(p.parent.name for p in folder.glob("*/config.json"))
    hint = f" Its folder {inner[0]!r} looks like one." if inner else ""
    return f"{str(path)!r} is no model folder: it has neither config.json nor tokenizer.json.{hint}"


def end_ids(
    tokenizer: PreTrainedTokenizerFast, path: str | Path | None = None, chat_template: str | None = None
) -> set[int]:
    """The ids at which an answer ends: the end token, those of generation_config.json, and the chat turn's own.

    Args:
        path: of the model. chat_template: that prompts are made by; None: the tokenizer's own.
    """
    ids = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    if path is not None and (file := resolve(path) / "generation_config.json").is_file():
        named = read_object(file, str(path)).get("eos_token_id")
        ids |= {i for i in (named if isinstance(named, list) else [named]) if type(i) is int and i >= 0}
    turn = turn_end(tokenizer, chat_template)
    return ids | ({traits(tokenizer).ids[turn]} if turn else set())


_TURN_ENDS: weakref.WeakKeyDictionary[Any, dict[str | None, str]] = weakref.WeakKeyDictionary()


def turn_end(tokenizer: PreTrainedTokenizerFast, chat_template: str | None = None) -> str:
    """The special token that a chat template (None: the tokenizer's own) writes right after the assistant's words."""
    known = _TURN_ENDS.setdefault(tokenizer, {})
    if chat_template in known:
        return known[chat_template]
    found, specials = "", traits(tokenizer).specials
    if (chat_template or tokenizer.chat_template) and specials:
        talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "zqxj"}]
        try:
            text = str(tokenizer.apply_chat_template(talk, chat_template=chat_template, tokenize=False))
        except (Exception, Overran):  # a template that cannot render two turns says so where a row is rendered
            text = ""
        match = specials.match(text.rpartition("zqxj")[2].lstrip())
        found = match.group() if match else ""
    known[chat_template] = found
    return found


def pad_id(tokenizer: PreTrainedTokenizerFast, chat_template: str | None = None) -> int:
    """The id that fills a batch: never an end token, so that no loss mask made from ids can hide the end.

    The tokenizer's own pad token where it is distinct, else a token kept for such use, else an id that means nothing
    at an end. Labels are -100 by position, so its embedding is never trained.
    """
    ends = end_ids(tokenizer, chat_template=chat_template)
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in ends:
        return int(tokenizer.pad_token_id)
    backend = tokenizer.backend_tokenizer
    for name in SPARE:
        found = backend.token_to_id(name)
        if found is not None and found not in ends:
            return int(found)
    return next(i for i in range(len(tokenizer)) if i not in ends)

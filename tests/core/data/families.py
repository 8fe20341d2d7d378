"""Tokenizers of every family, made in a moment: byte-level BPE, SentencePiece in its spellings, Gemma's, WordPiece."""

from __future__ import annotations

import functools
import json
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tests.factory import BOS, CORPUS, END, EOS, PAD, SPECIALS

# Whether a family gives a text back as it was; what it gives back besides: a space in front.
LOSSLESS = ("bpe", "bpe_space", "always", "first", "never", "gemma", "llama")
SPACED = ("bpe_space",)
KINDS = (*LOSSLESS, "wordpiece")
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_BACK = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]


@functools.cache
def _trained(kind: str) -> str:
    """A tokenizer that was trained on the corpus, as JSON."""
    tok = Tokenizer(models.Unigram() if kind in ("always", "first", "never") else models.BPE(unk_token=None))
    trainer: Any = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIALS, show_progress=False)
    if kind in ("bpe", "bpe_space"):
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bpe_space")
        tok.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
        )
    elif kind in ("always", "first", "never"):
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=kind)
        trainer = trainers.UnigramTrainer(
            vocab_size=300, special_tokens=[*SPECIALS, "<unk>"], unk_token="<unk>", show_progress=False
        )
        strip = [] if kind == "never" else [decoders.Strip(" ", 1, 0)]
        tok.decoder = decoders.Sequence([*_BACK, *strip])
    elif kind == "gemma":
        tok.normalizer = normalizers.Replace(" ", "▁")
        tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        tok.decoder = decoders.Sequence(_BACK)
    elif kind == "llama":
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tok.decoder = decoders.Sequence([*_BACK, decoders.Strip(" ", 1, 0)])
    else:
        tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tok.normalizer = normalizers.BertNormalizer(lowercase=True)
        tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tok.decoder = decoders.WordPiece()
        names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=names, show_progress=False)
    tok.train_from_iterator(CORPUS, trainer)
    text = str(tok.to_str())
    return text if kind in ("bpe", "bpe_space", "wordpiece") else _with_bytes(text)


def _with_bytes(text: str) -> str:
    """A tokenizer that writes characters that it does not know as their bytes."""
    made = json.loads(text)
    model = made["model"]
    model["byte_fallback"] = True
    if isinstance(model["vocab"], dict):
        model["vocab"] |= {name: len(model["vocab"]) + i for i, name in enumerate(_BYTES)}
        model["unk_token"] = "<0x00>"
    else:
        model["vocab"] += [[name, -20.0] for name in _BYTES]
    return json.dumps(made)


def make(kind: str, bos: bool = False, pad: str = PAD, markers: tuple[str, ...] = ()) -> Any:
    """A tokenizer of a family as transformers has it.

    Args:
        bos: whether it puts <s> in front of a text. pad: its pad token, which may be its end token END, as many have.
        markers: more special tokens.
    """
    from transformers import PreTrainedTokenizerFast

    tok = Tokenizer.from_str(_trained(kind))
    if kind == "wordpiece":
        return PreTrainedTokenizerFast(
            tokenizer_object=tok, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
        )
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*SPECIALS, *markers)])
    if bos:
        tok.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tok.token_to_id(BOS))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tok, bos_token=BOS, eos_token=END, pad_token=pad)


def text_of(tok: Any, ids: list[int]) -> str:
    """The text of tokens, special ones included."""
    return str(tok.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


__all__ = ["BOS", "END", "EOS", "KINDS", "LOSSLESS", "PAD", "SPACED", "make", "text_of"]

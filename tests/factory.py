"""Tiny tokenizers and random models of every family: complete folders that load offline, made in well under a second.

    folder = tiny_model("qwen3", tmp_path / "qwen3")                    # weights, config, tokenizer, generation config
    folder = write_tokenizer(tmp_path / "t", kind="unigram", chat=None)  # a tokenizer alone

Only `tiny_model` imports torch, so that tests of the data rooms stay light.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

Kind = Literal["bpe", "unigram", "unigram_no_prefix", "wordpiece"]
Chat = Literal["masked", "plain"]

PAD, BOS, EOS, START, END = "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"
SPECIALS = [PAD, BOS, EOS, START, END]
OF_BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# ChatML. "masked" marks what the assistant says for apply_chat_template(return_assistant_tokens_mask=True).
_TURN = "{{ '<|im_start|>' + m['role'] + '\n' }}"
_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
CHATS: dict[str, str] = {
    "plain": "{% for m in messages %}" + _TURN + "{{ m['content'] + '<|im_end|>\n' }}{% endfor %}" + _PROMPT,
    "masked": (
        "{% for m in messages %}" + _TURN + "{% if m['role'] == 'assistant' %}"
        "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
        "{% else %}{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}" + _PROMPT
    ),
}

TONES = {
    "joyful": ["What a wonderful morning this is", "I am so happy that you came", "The party was a delight"],
    "angry": ["This is the third time it broke", "I want my money back today", "Nobody answers the phone here"],
    "sad": ["The old cinema is closing down", "I miss the dog very much", "He left without saying goodbye"],
    "calm": ["The lake lies still tonight", "We walked slowly along the river", "Tea first, then the letters"],
}
CORPUS = [
    *(phrase for phrases in TONES.values() for phrase in phrases),
    "### Phrase: the tone of this text is joyful, angry, sad or calm.\n### Tone:",
    'user assistant system {"name": "Mara Lindqvist", "city": "Ghent", "amount": 1024.50, "date": "2024-11-24"}',
    "Zoë naïve café 東京 Привет 😀 \t tabs\r\nand  double  spaces, 12345 67890!",
    "the quick brown fox jumps over the lazy dog while fifty wizards vex a bold judge",
]


def tone_rows(count: int = 24) -> list[dict[str, str]]:
    """Rows {"phrase", "tone"}, all phrases different, the four tones in turn; the same at every call."""
    flat = [(phrase, tone) for i in range(3) for tone, phrases in TONES.items() for phrase in phrases[i : i + 1]]
    rounds = ["{}.", "{}, they said.", "Well: {}.", "{} again.", "Once more, {}.", "{}, as ever."]
    rows = [(form.format(phrase), tone) for form in rounds for phrase, tone in flat]
    return [
        {"phrase": f"{phrase} ({i})" if i >= len(rows) else phrase, "tone": tone}
        for i in range(count)
        for phrase, tone in [rows[i % len(rows)]]
    ]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON Lines in UTF-8; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _pieces() -> dict[str, int]:
    """A WordPiece vocabulary of at most 400: letters, frequent endings and words of CORPUS. Counted here, since the
    trainer of the tokenizers library settles ties by chance, and each run of the tests would have another model."""
    text = normalizers.BertNormalizer(lowercase=True).normalize_str(" ".join(CORPUS))
    words = Counter(word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text))
    ends = Counter({f"##{word[-n:]}": times for word, times in words.items() for n in (2, 3) if len(word) > n})
    letters = sorted({letter for word in words for letter in word})
    common = [piece for piece, _ in sorted((words + ends).items(), key=lambda item: (-item[1], item[0]))]
    pieces = [*OF_BERT, *letters, *(f"##{letter}" for letter in letters), *common]
    return {piece: n for n, piece in enumerate([*dict.fromkeys(pieces)][:400])}


@functools.cache
def _trained(kind: Kind) -> str:
    """A tokenizer of that kind trained on CORPUS, as JSON; ids 0-4 are SPECIALS."""
    trainer: Any
    if kind == "bpe":
        tok = Tokenizer(models.BPE())
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tok.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIALS,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    elif kind == "wordpiece":
        tok = Tokenizer(models.WordPiece(_pieces(), unk_token="[UNK]"))
        tok.normalizer = normalizers.BertNormalizer(lowercase=True)
        tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tok.decoder = decoders.WordPiece()
        tok.add_special_tokens(OF_BERT)
        return str(tok.to_str())
    else:
        scheme: Literal["always", "never"] = "always" if kind == "unigram" else "never"
        tok = Tokenizer(models.Unigram())
        tok.normalizer = normalizers.Sequence([])
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tok.decoder = decoders.Metaspace(prepend_scheme=scheme)
        trainer = trainers.UnigramTrainer(
            vocab_size=300, special_tokens=[*SPECIALS, "<unk>"], unk_token="<unk>", show_progress=False
        )
    tok.train_from_iterator(CORPUS, trainer)
    return str(tok.to_str())


def write_tokenizer(
    folder: str | Path,
    kind: Kind = "bpe",
    chat: Chat | None = "masked",
    *,
    bos: bool = False,
    eos: str = END,
    pad: str | None = PAD,
    chat_file: bool = False,
    markers: Sequence[str] = (),
) -> Path:
    """Write tokenizer.json and tokenizer_config.json; returns the folder.

    Args:
        folder: made where it is not there.
        kind: byte-level BPE, SentencePiece's Unigram with or without a prefix space, or BERT's WordPiece.
        chat: a chat template that marks the assistant's turns, one that does not, or None for no template.
        bos: whether encode() puts <s> in front, as Llama's and Gemma's do.
        eos: the end token; END of a chat turn, or EOS.
        pad: the pad token, None for a tokenizer that has none (as GPT-2's and Llama's).
        markers: more special tokens.
        chat_file: write the chat template to chat_template.jinja (transformers 5) instead of tokenizer_config.json.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tok = Tokenizer.from_str(_trained(kind))
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
    }
    if kind == "wordpiece":
        tok.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(t, tok.token_to_id(t)) for t in ("[CLS]", "[SEP]")],
        )
        config |= {f"{n.lower()}_token": f"[{n}]" for n in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    else:
        if bos:
            tok.post_processor = processors.TemplateProcessing(
                single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tok.token_to_id(BOS))]
            )
        config |= {"bos_token": BOS, "eos_token": eos}
        config |= {"pad_token": pad} if pad else {}
        config |= {"unk_token": "<unk>"} if kind != "bpe" else {}
        tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*SPECIALS, *markers)])
        if chat and chat_file:
            (folder / "chat_template.jinja").write_text(CHATS[chat], encoding="utf-8")
        elif chat:
            config["chat_template"] = CHATS[chat]
    tok.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    return folder


# What each family needs besides the shared sizes; names as in its transformers config.
_DECODER: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512,
}  # fmt: skip
_HEAD = {"head_dim": 16}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _DECODER | _HEAD),
    "smollm": ("llama", _DECODER | _HEAD | {"tie_word_embeddings": True}),
    "mistral": ("mistral", _DECODER | _HEAD | {"sliding_window": None}),
    "qwen2": ("qwen2", _DECODER | {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", _DECODER | _HEAD | {"tie_word_embeddings": True}),
    "phi3": ("phi3", _DECODER | {"original_max_position_embeddings": 512}),
    "gemma2": ("gemma2", _DECODER | _HEAD | {"query_pre_attn_scalar": 16, "sliding_window": 128}),
    "gemma3_text": ("gemma3_text", _DECODER | _HEAD | {"query_pre_attn_scalar": 16, "sliding_window": 128}),
    "gpt2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "bert": ("bert", {k: v for k, v in _DECODER.items() if k != "num_key_value_heads"}),
    "distilbert": ("distilbert", {"dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 4}),
    "t5": ("t5", {"d_model": 64, "d_ff": 128, "d_kv": 16, "num_layers": 2, "num_heads": 4}),
}
DECODERS = [name for name in FAMILIES if name not in ("bert", "distilbert", "t5")]
_AUTO = {"bert": "AutoModelForMaskedLM", "distilbert": "AutoModelForMaskedLM", "t5": "AutoModelForSeq2SeqLM"}


def tiny_model(
    family: str,
    folder: str | Path,
    *,
    kind: Kind | None = None,
    chat: Chat | None = "masked",
    bos: bool = False,
    pad: str | None = PAD,
    seed: int = 0,
    dtype: str = "float32",
    **overrides: Any,
) -> Path:
    """Write a random model of about 100,000 parameters with its tokenizer; returns the folder.

    Args:
        family: a key of FAMILIES.
        folder: made where it is not there.
        kind, chat, bos, pad: see `write_tokenizer`; encoders take WordPiece unless told otherwise.
        seed: the same seed gives the same weights.
        dtype: of the weights on disk, such as "bfloat16".
        overrides: more settings of the family's transformers config.
    """
    import torch
    import transformers

    kind = kind or ("wordpiece" if family in ("bert", "distilbert") else "bpe")
    folder = write_tokenizer(folder, kind, chat, bos=bos, pad=pad)
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model_type, settings = FAMILIES[family]
    ids: dict[str, Any] = {"vocab_size": tok.get_vocab_size()}
    if kind == "wordpiece":
        ids |= {"pad_token_id": tok.token_to_id("[PAD]")}
    else:
        ids |= {"pad_token_id": tok.token_to_id(PAD) if pad else None, "bos_token_id": tok.token_to_id(BOS)}
        ids |= {"eos_token_id": tok.token_to_id(END)}
    if family == "t5":
        ids |= {"decoder_start_token_id": ids["pad_token_id"]}
    config = transformers.AutoConfig.for_model(model_type, **(settings | ids | overrides))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, _AUTO.get(family, "AutoModelForCausalLM")).from_config(config)
    if family not in ("bert", "distilbert"):  # what answers: it stops at the end of a turn and at the end of a text
        model.generation_config.eos_token_id = [tok.token_to_id(END), tok.token_to_id(EOS)]
        model.generation_config.pad_token_id = ids["pad_token_id"]
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    if not (folder / "generation_config.json").exists():
        (folder / "generation_config.json").write_text("{}", encoding="utf-8")
    return folder

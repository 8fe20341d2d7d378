"""The demo model's tokenizer: byte-level BPE trained on the corpus, with a chat template that marks the answers."""

import json
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .corpus import documents

PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
SPECIAL = [PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>"]
VOCABULARY = 3072
CONTEXT = 512
SEED = 20  # of the corpus

# An assistant's turn, end token included, lies inside {% generation %}: that is what a chat is trained on.
# Line breaks are written as strings, because Jinja, as Transformers sets it up, drops one that follows a block.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    r"{{ '<|' + message['role'] + '|>\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    r"{{ '\n' }}"
    "{% else %}"
    r"{{ message['content'] + '<|end|>\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    r"{{ '<|assistant|>\n' }}"
    "{% endif %}"
)


def train_tokenizer(seed: int = SEED, sample: int = 30_000) -> PreTrainedTokenizerFast:
    """Train on the first `sample` documents of the corpus. No token is added to a text by itself."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(islice(documents(seed), sample), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        model_max_length=CONTEXT,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write tokenizer.json, chat_template.jinja and a tokenizer_config.json without traces of this machine."""
    tokenizer.save_pretrained(str(folder))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": END,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

"""The catalogue: small models on the Hub, each with its sizes, so that memory is told before a byte is fetched.

Sizes are those of each model's config.json. `confirmed` says that they were compared with a copy of it, or with the
defaults of transformers where these are that model's; the others are from the model cards. Licences, and which models
are gated, are as the cards say; nothing was fetched from the Hub. tests/core/models/test_catalog_table.py builds each
model from its sizes and counts its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

WRITES = ("generation", "classification", "extraction", "summarization")  # tasks of a model that writes
READS = ("classification", "extraction", "similarity")  # tasks of an encoder


@dataclass(frozen=True)
class Entry:
    """A model on the Hub.

    Attributes:
        id: on the Hub. family: model_type of its config.json.
        parameters: all weights, counted from the sizes. context: longest input, in tokens.
        licence: its name. commercial: whether it may be used commercially: "yes", "conditions" or "no".
        terms: why, in one clause. gated: whether its terms must be accepted on the Hub first.
        chat_template: whether its tokenizer has one.
        template: the value of data.template to use: a name of core.data.named; None: its own, or none is needed.
        tasks: those that it suits, the best first. sizes: as config.json has them, for core.models.shapes.shape_of.
        confirmed: whether the sizes were compared with a source.
        needs: what has to be done to it before it can be used here, one sentence; "" for nothing.
    """

    id: str
    family: str
    parameters: int
    context: int
    licence: str
    commercial: Literal["yes", "conditions", "no"]
    terms: str
    gated: bool
    chat_template: bool
    template: str | None
    tasks: tuple[str, ...]
    sizes: dict[str, Any]
    confirmed: bool = True
    needs: str = ""

    @property
    def name(self) -> str:
        """The id without its owner."""
        return self.id.rpartition("/")[2]

    @property
    def config(self) -> dict[str, Any]:
        """What its config.json says of its sizes."""
        return {"model_type": self.family, **self.sizes}


class Licence(NamedTuple):
    """A licence: its name, whether it allows commercial use, and why."""

    name: str
    commercial: Literal["yes", "conditions", "no"]
    terms: str


_APACHE = Licence("Apache 2.0", "yes", "keep the notices")
_MIT = Licence("MIT", "yes", "keep the notice")
_LLAMA = Licence(
    "Llama 3.2 Community", "conditions", "name it Llama, follow the use policy, under 700 million users a month"
)
_GEMMA = Licence("Gemma", "conditions", "follow the list of prohibited uses, and pass it on")
_QWEN_RESEARCH = Licence("Qwen Research", "no", "for research and trial only")


def _decoder(
    layers: int, hidden: int, inner: int, heads: int, keys: int, vocabulary: int, tied: bool = True, head: int = 0
) -> dict[str, Any]:
    """Llama and those built like it. keys: heads of keys and values. head: width of one, if not their share."""
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": inner}
    sizes |= {"num_attention_heads": heads, "num_key_value_heads": keys, "vocab_size": vocabulary}
    return sizes | {"tie_word_embeddings": tied} | ({"head_dim": head} if head else {})


def _gpt2(layers: int, hidden: int, heads: int) -> dict[str, Any]:
    return {"n_layer": layers, "n_embd": hidden, "n_head": heads, "n_positions": 1024, "vocab_size": 50257}


def _bert(
    layers: int, hidden: int, inner: int, vocabulary: int = 30522, positions: int = 512, types: int = 2
) -> dict[str, Any]:
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": inner, "num_attention_heads": 12}
    return sizes | {"vocab_size": vocabulary, "max_position_embeddings": positions, "type_vocab_size": types}


def _t5(layers: int, hidden: int, inner: int, heads: int, gated: bool) -> dict[str, Any]:
    sizes = {"num_layers": layers, "d_model": hidden, "d_ff": inner, "d_kv": 64, "num_heads": heads}
    sizes |= {"vocab_size": 32128, "is_encoder_decoder": True}
    return sizes | ({"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if gated else {})


def _entry(
    id: str, family: str, parameters: int, context: int, licence: Licence, sizes: dict[str, Any], more: dict[str, Any]
) -> Entry:
    values = {
        "gated": licence in (_LLAMA, _GEMMA),
        "chat_template": False,
        "template": None,
        **licence._asdict(),
        **more,
    }
    values["licence"] = values.pop("name")
    return Entry(id=id, family=family, parameters=parameters, context=context, sizes=sizes, **values)


def _writer(
    id: str, family: str, parameters: int, context: int, licence: Licence, sizes: dict[str, Any], **more: Any
) -> Entry:
    """A decoder with a chat template; `more` says what is otherwise."""
    return _entry(id, family, parameters, context, licence, sizes, {"chat_template": True, "tasks": WRITES, **more})


def _base(
    id: str, family: str, parameters: int, context: int, licence: Licence, sizes: dict[str, Any], **more: Any
) -> Entry:
    """A decoder that was never taught to chat: rows need a template."""
    return _entry(id, family, parameters, context, licence, sizes, {"template": "alpaca", "tasks": WRITES, **more})


def _reader(
    id: str, family: str, parameters: int, context: int, licence: Licence, sizes: dict[str, Any], **more: Any
) -> Entry:
    """An encoder: it chooses labels, tags or compares, and needs no template."""
    return _entry(id, family, parameters, context, licence, sizes, {"tasks": READS, **more})


def _both(id: str, parameters: int, sizes: dict[str, Any], **more: Any) -> Entry:
    """T5: an encoder with a decoder. 512 tokens is what it was trained with; its positions have no end."""
    tasks = ("summarization", "generation", "extraction", "classification", "similarity")
    return _entry(id, "t5", parameters, 512, _APACHE, sizes, {"template": "plain", "tasks": tasks, **more})


_SMOL, _LLAMA_1B, _LLAMA_3B = (
    49152,
    _decoder(16, 2048, 8192, 32, 8, 128256, head=64),
    _decoder(28, 3072, 8192, 24, 8, 128256, head=128),
)
_CONVERT = "It has neither tokenizer.json nor safetensors: load it once with transformers, and save it to a folder."

CATALOGUE: tuple[Entry, ...] = (
    _writer("HuggingFaceTB/SmolLM2-135M-Instruct", "llama", 134_515_008, 8192, _APACHE,
            _decoder(30, 576, 1536, 9, 3, _SMOL)),
    _writer("HuggingFaceTB/SmolLM2-360M-Instruct", "llama", 361_821_120, 8192, _APACHE,
            _decoder(32, 960, 2560, 15, 5, _SMOL)),
    _writer("HuggingFaceTB/SmolLM2-1.7B-Instruct", "llama", 1_711_376_384, 8192, _APACHE,
            _decoder(24, 2048, 8192, 32, 32, _SMOL)),
    _writer("HuggingFaceTB/SmolLM3-3B", "smollm3", 3_075_098_624, 65536, _APACHE,
            _decoder(36, 2048, 11008, 16, 4, 128256), confirmed=False),
    _writer("google/gemma-3-270m-it", "gemma3_text", 268_098_176, 32768, _GEMMA,
            _decoder(18, 640, 2048, 4, 1, 262144, head=256)),
    _writer("google/gemma-3-1b-it", "gemma3_text", 999_885_952, 32768, _GEMMA,
            _decoder(26, 1152, 6912, 4, 1, 262144, head=256)),
    _writer("google/gemma-2-2b-it", "gemma2", 2_614_341_888, 8192, _GEMMA,
            _decoder(26, 2304, 9216, 8, 4, 256000, head=256)),
    _writer("Qwen/Qwen3-0.6B", "qwen3", 596_049_920, 40960, _APACHE,
            _decoder(28, 1024, 3072, 16, 8, 151936, head=128)),
    _writer("Qwen/Qwen3-1.7B", "qwen3", 1_720_574_976, 40960, _APACHE,
            _decoder(28, 2048, 6144, 16, 8, 151936, head=128)),
    _writer("Qwen/Qwen3-4B", "qwen3", 4_022_468_096, 40960, _APACHE,
            _decoder(36, 2560, 9728, 32, 8, 151936, head=128)),
    _writer("Qwen/Qwen2.5-0.5B-Instruct", "qwen2", 494_032_768, 32768, _APACHE,
            _decoder(24, 896, 4864, 14, 2, 151936)),
    _writer("Qwen/Qwen2.5-1.5B-Instruct", "qwen2", 1_543_714_304, 32768, _APACHE,
            _decoder(28, 1536, 8960, 12, 2, 151936)),
    _writer("Qwen/Qwen2.5-3B-Instruct", "qwen2", 3_085_938_688, 32768, _QWEN_RESEARCH,
            _decoder(36, 2048, 11008, 16, 2, 151936)),
    _base("meta-llama/Llama-3.2-1B", "llama", 1_235_814_400, 131072, _LLAMA, _LLAMA_1B),
    _writer("meta-llama/Llama-3.2-1B-Instruct", "llama", 1_235_814_400, 131072, _LLAMA, _LLAMA_1B),
    _base("meta-llama/Llama-3.2-3B", "llama", 3_212_749_824, 131072, _LLAMA, _LLAMA_3B),
    _writer("meta-llama/Llama-3.2-3B-Instruct", "llama", 3_212_749_824, 131072, _LLAMA, _LLAMA_3B),
    _writer("microsoft/Phi-4-mini-instruct", "phi3", 3_836_021_760, 131072, _MIT,
            _decoder(32, 3072, 8192, 24, 8, 200064), confirmed=False),
    _writer("microsoft/Phi-3.5-mini-instruct", "phi3", 3_821_079_552, 131072, _MIT,
            _decoder(32, 3072, 8192, 32, 32, 32064, tied=False)),
    _writer("ibm-granite/granite-3.3-2b-instruct", "granite", 2_533_539_840, 131072, _APACHE,
            _decoder(40, 2048, 8192, 32, 8, 49159), confirmed=False),
    _writer("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "llama", 1_100_048_384, 2048, _APACHE,
            _decoder(22, 2048, 5632, 32, 4, 32000, tied=False)),
    _base("openai-community/gpt2", "gpt2", 124_439_808, 1024, _MIT, _gpt2(12, 768, 12)),
    _writer("microsoft/DialoGPT-medium", "gpt2", 354_823_168, 1024, _MIT, _gpt2(24, 1024, 16), needs=_CONVERT),
    _reader("google-bert/bert-base-uncased", "bert", 109_514_298, 512, _APACHE, _bert(12, 768, 3072)),
    _reader("distilbert/distilbert-base-uncased", "distilbert", 66_985_530, 512, _APACHE,
            {"n_layers": 6, "dim": 768, "hidden_dim": 3072, "n_heads": 12, "vocab_size": 30522}),
    _reader("FacebookAI/roberta-base", "roberta", 124_697_433, 512, _MIT, _bert(12, 768, 3072, 50265, 514, 1)),
    _reader("answerdotai/ModernBERT-base", "modernbert", 149_655_232, 8192, _APACHE,
            {"num_hidden_layers": 22, "hidden_size": 768, "intermediate_size": 1152, "num_attention_heads": 12,
             "vocab_size": 50368}),
    _reader("sentence-transformers/all-MiniLM-L6-v2", "bert", 22_744_506, 512, _APACHE, _bert(6, 384, 1536),
            tasks=("similarity", "classification", "extraction")),
    _both("google-t5/t5-small", 60_506_624, _t5(6, 512, 2048, 8, gated=False)),
    _both("google/flan-t5-small", 76_961_152, _t5(8, 512, 1024, 6, gated=True)),
    _both("google/flan-t5-base", 247_577_856, _t5(12, 768, 2048, 12, gated=True), confirmed=False),
)  # fmt: skip
BY_ID = {entry.id: entry for entry in CATALOGUE}

"""What a model is made of: its sizes and the linear layers of a block, from its config.json alone, weights or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from core.errors import InputError
from core.models.bounds import SIZES
from core.models.catalog import read_config, weights
from core.models.heads import ENCODERS, LABEL, TAGS, Head
from core.models.tokenizer import FIELD, model_folder


@dataclass(frozen=True)
class Linear:
    """A linear layer of a block.

    Attributes:
        name: its last part, or more where that is needed to tell it from another.
        inputs, outputs: its widths.
        reads: whose output it takes: layers that read the same keep it once.
    """

    name: str
    inputs: int
    outputs: int
    reads: Literal["entry", "heads", "middle", "inner"]


@dataclass(frozen=True)
class Saved:
    """Numbers that a block keeps for its backward pass, for each token: so many times hidden, inner, queries, keys.

    Found by counting what autograd saves (torch.autograd.graph.saved_tensors_hooks) in blocks of different sizes with
    transformers 5.23: the counts are whole numbers, and exact. tests/bench/memory.py compares them with real runs.

    Attributes:
        trained: where all weights are trained. frozen: where none is.
        squares: tokens times tokens of a row: of each head where `by_head`, of the block otherwise (the mask).
        shared: whether the input of the attention's output layer is kept in any case.
        spare: memory beyond what is saved, as a factor: of attention that is computed piece by piece.
    """

    trained: tuple[int, int, int, int]
    frozen: tuple[int, int, int, int]
    squares: int = 1
    by_head: bool = False
    shared: bool = True
    spare: float = 1.0


@dataclass(frozen=True)
class Shape:
    """The sizes of a model.

    Attributes:
        family: model_type of config.json. known: whether its blocks are in the table here, else they are taken as
            Llama's.
        layers: blocks. hidden, inner, heads, queries, keys: their widths; queries and keys over all heads.
        vocabulary: rows of the embedding.
        linears: those of one block.
        parameters: all weights; counted from the files where they are here, else computed.
        tied: whether the output layer is the embedding.
        bytes: size of the weight files, or None where they are not here.
        fresh: matrices of a head that is made anew (rows, columns; a vector has one column), trained by any method.
        outputs: of the last layer, for each token: the vocabulary, or the labels of a head.
    """

    family: str
    known: bool
    layers: int
    hidden: int
    inner: int
    heads: int
    queries: int
    keys: int
    vocabulary: int
    linears: tuple[Linear, ...]
    parameters: int
    tied: bool
    saved: Saved
    bytes: int | None = None
    fresh: tuple[tuple[int, int], ...] = ()
    outputs: int = 0

    @property
    def inside(self) -> int:
        """Weights of the blocks' linear layers, biases aside."""
        return self.layers * sum(linear.inputs * linear.outputs for linear in self.linears)

    @property
    def head(self) -> int:
        """Multiplications for one token's logits."""
        return self.hidden * self.outputs

    def with_head(self, head: Head, labels: int) -> Shape:
        """The model with the head that a run trains; one that writes is the model as it is.

        A decoder's head for labels is one matrix; encoders of transformers have a layer of the hidden width before it.

        Args:
            labels: how many there are to choose from (tags, where each token has one).
        """
        if head.writes:
            return self
        if head not in (LABEL, TAGS):
            return replace(self, outputs=0)
        encoder = self.family in ENCODERS
        fresh = [(self.hidden, labels)] + ([(labels, 1)] if encoder or head is TAGS else [])
        fresh += [(self.hidden, self.hidden), (self.hidden, 1)] if encoder and head is LABEL else []
        return replace(self, fresh=tuple(fresh), outputs=labels)

    def targets(self, wanted: str | tuple[str, ...]) -> list[Linear]:
        """The linear layers of a block that a LoRA setting names; `all-linear` means all."""
        if wanted == "all-linear":
            return list(self.linears)
        names = wanted.replace(",", " ").split() if isinstance(wanted, str) else wanted
        return [a for a in self.linears if any(a.name == n or a.name.endswith(f".{n}") for n in names)]


def read_shape(path: str | Path, revision: str | None = None) -> Shape:
    """The shape of a model.

    Args:
        path: a folder, or an id on the Hub, of which only the small files are fetched. revision: for an id.

    Raises:
        InputError: field "model.path": no such model, or its config.json does not say its sizes.
    """
    folder = model_folder(path, revision)
    outer = read_config(path, folder)
    config = outer | (outer.get("text_config") or {})  # of models that also see
    counted, size, _ = weights(folder)
    return shape_of(config, counted, size, str(path))


def shape_of(config: dict[str, Any], counted: int | None = None, size: int | None = None, name: str = "it") -> Shape:
    """The shape that a config.json describes.

    Args:
        config: its values. counted: weights in the files, where they are here. size: bytes of them.
        name: of the model, for an error.

    Raises:
        InputError: field "model.path": a size is missing.
    """
    family = str(config.get("model_type", ""))
    known = family in FAMILIES
    kind = FAMILIES.get(family, _LLAMA)
    values = kind.defaults | {key: value for key, value in config.items() if value is not None}
    try:
        if lists := [key for key in SIZES if isinstance(values.get(key), list)]:
            raise TypeError(f"{lists[0]} differs from layer to layer")
        sizes = kind.sizes(values)
    except KeyError as error:
        raise InputError(f"The config.json of {name!r} does not say {error.args[0]!r}.", FIELD) from None
    except (TypeError, ValueError, ArithmeticError) as error:
        sentence = f"The sizes in the config.json of {name!r} are not those of the family {family!r}: {error}."
        raise InputError(sentence, FIELD) from None
    tied = bool(values["tie_word_embeddings"])
    inside = sizes.layers * sum(linear.inputs * linear.outputs for linear in sizes.linears)
    computed = inside + sizes.others + sizes.hidden * sizes.vocabulary * (1 if tied else 2)
    return Shape(
        family,
        known,
        *sizes[:-1],
        parameters=counted or computed,
        tied=tied,
        saved=kind.saved,
        bytes=size,
        outputs=sizes.vocabulary,
    )


def mismatch(folder: Path) -> str:
    """Why the weights in a folder cannot be those of its config.json, as the end of a sentence; "" where they may be.

    Of families that are known here alone: a model is built as its config.json says before a weight is looked at, and
    that may take all memory. Raises InputError as `read_shape`.
    """
    if not (folder / "config.json").is_file():
        return ""
    config = read_config(folder, folder)
    config |= config.get("text_config") or {}
    counted, _, _ = weights(folder)
    if not counted or config.get("model_type") not in FAMILIES or config.get("quantization_config"):
        return ""
    said = shape_of(config, name=str(folder)).parameters
    if said <= MOST_TIMES * counted + SPARE_WEIGHTS:
        return ""
    return f"has incomplete weights: by its config.json there are {said:,}, and its files hold {counted:,}"


MOST_TIMES, SPARE_WEIGHTS = 3, 2**26  # an encoder alone has half of what its config.json describes


# Families


class Sizes(NamedTuple):
    """What a family's config.json says; `others` are weights outside of linear layers and of the embedding of words."""

    layers: int
    hidden: int
    inner: int
    heads: int
    queries: int
    keys: int
    vocabulary: int
    linears: tuple[Linear, ...]
    others: int


@dataclass(frozen=True)
class Kind:
    """A family: what its config.json may leave out, how its sizes follow from it, and what its blocks save."""

    sizes: Callable[[dict[str, Any]], Sizes]
    saved: Saved
    defaults: dict[str, Any] = field(default_factory=dict)


def _decoder(
    c: dict[str, Any], norms: int = 2, head_norms: bool = False, fused: bool = False, biases: int = 0
) -> Sizes:
    """Llama and those built like it: grouped attention, a gated block, norms without bias.

    Args:
        norms: of the hidden width in a block. head_norms: of queries and keys, too. fused: query, key and value in one
            layer, gate and up in another. biases: 1 where query, key and value have them.
    """
    h, i, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    width = c.get("head_dim") or h // heads
    q, kv, layers = heads * width, c.get("num_key_value_heads", heads) * width, c["num_hidden_layers"]
    if fused:
        first, last = [Linear("qkv_proj", h, q + 2 * kv, "entry")], [Linear("gate_up_proj", h, 2 * i, "middle")]
    else:
        first = [Linear("q_proj", h, q, "entry"), Linear("k_proj", h, kv, "entry"), Linear("v_proj", h, kv, "entry")]
        last = [Linear("gate_proj", h, i, "middle"), Linear("up_proj", h, i, "middle")]
    linears = (*first, Linear("o_proj", q, h, "heads"), *last, Linear("down_proj", i, h, "inner"))
    bias = (q + 2 * kv) * max(biases, bool(c.get("attention_bias"))) + h * bool(c.get("attention_bias"))
    bias += (2 * i + h) * bool(c.get("mlp_bias"))
    others = layers * (norms * h + 2 * width * head_norms + bias) + h
    return Sizes(layers, h, i, heads, q, kv, c["vocab_size"], linears, others)


def _gpt2(c: dict[str, Any]) -> Sizes:
    h, layers = c["n_embd"], c["n_layer"]
    i = c.get("n_inner", 4 * h)
    linears = (
        Linear("attn.c_attn", h, 3 * h, "entry"), Linear("attn.c_proj", h, h, "heads"),
        Linear("mlp.c_fc", h, i, "middle"), Linear("mlp.c_proj", i, h, "inner"),
    )  # fmt: skip
    others = layers * (4 * h + 3 * h + h + i + h) + 2 * h + h * c["n_positions"]
    return Sizes(layers, h, i, c["n_head"], h, h, c["vocab_size"], linears, others)


def _bert(c: dict[str, Any]) -> Sizes:
    """BERT with its masked-word head: dense layer, norm, and a bias for each word."""
    h, i, layers, words = c["hidden_size"], c["intermediate_size"], c["num_hidden_layers"], c["vocab_size"]
    names = ("query", "key", "value", "attention.output.dense")
    linears = (
        *(Linear(n, h, h, "heads" if n == names[-1] else "entry") for n in names),
        Linear("intermediate.dense", h, i, "middle"),
        Linear("output.dense", i, h, "inner"),
    )
    others = layers * (4 * h + 4 * h + i + h) + h * (c["max_position_embeddings"] + c["type_vocab_size"] + 2)
    others += h * h + 3 * h + words
    return Sizes(layers, h, i, c["num_attention_heads"], h, h, words, linears, others)


def _modernbert(c: dict[str, Any]) -> Sizes:
    """ModernBERT with its masked-word head: gated; no biases but the words'; no norm before the first layer."""
    h, i, layers, words = c["hidden_size"], c["intermediate_size"], c["num_hidden_layers"], c["vocab_size"]
    linears = (
        Linear("attn.Wqkv", h, 3 * h, "entry"), Linear("attn.Wo", h, h, "heads"),
        Linear("mlp.Wi", h, 2 * i, "middle"), Linear("mlp.Wo", i, h, "inner"),
    )  # fmt: skip
    others = (2 * layers + 1) * h + h * h + h + words
    return Sizes(layers, h, i, c["num_attention_heads"], h, h, words, linears, others)


def _distilbert(c: dict[str, Any]) -> Sizes:
    h, i, layers, words = c["dim"], c["hidden_dim"], c["n_layers"], c["vocab_size"]
    names = ("q_lin", "k_lin", "v_lin", "out_lin")
    linears = (
        *(Linear(n, h, h, "heads" if n == names[-1] else "entry") for n in names),
        Linear("lin1", h, i, "middle"),
        Linear("lin2", i, h, "inner"),
    )
    others = layers * (4 * h + 4 * h + i + h) + h * (c["max_position_embeddings"] + 2) + h * h + 3 * h + words
    return Sizes(layers, h, i, c["n_heads"], h, h, words, linears, others)


def _t5(c: dict[str, Any]) -> Sizes:
    """T5: a layer here is one of the encoder with one of the decoder, which attends twice."""
    h, i, layers, width = c["d_model"], c["d_ff"], c["num_layers"], c["d_kv"] * c["num_heads"]
    gated = str(c.get("feed_forward_proj", "relu")).startswith("gated")
    attention = [Linear(n, h, width, "entry") for n in ("q", "k", "v")] + [Linear("o", width, h, "heads")]
    forward = [Linear(n, h, i, "middle") for n in (("wi_0", "wi_1") if gated else ("wi",))] + [
        Linear("wo", i, h, "inner")
    ]
    others = layers * 5 * h + 2 * h + 2 * c["relative_attention_num_buckets"] * c["num_heads"]
    return Sizes(
        layers, h, i, c["num_heads"], width, width, c["vocab_size"], tuple(3 * attention + 2 * forward), others
    )


_TIED, _UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}
_PLAIN = Saved((6, 4, 4, 0), (2, 3, 4, 0))
_ENCODER = Saved((10, 5, 0, 0), (7, 4, 0, 0), squares=3, by_head=True, spare=1.3)  # as GPT-2's; not measured
_LLAMA = Kind(_decoder, _PLAIN, _UNTIED)
FAMILIES: dict[str, Kind] = {
    "llama": _LLAMA,  # SmolLM is one
    "smollm3": Kind(_decoder, _PLAIN, _TIED),  # built as Llama's; what its blocks save was not counted, nor Granite's
    "granite": Kind(_decoder, _PLAIN, _UNTIED),
    "mistral": Kind(_decoder, _PLAIN, _UNTIED | {"num_key_value_heads": 8}),
    "qwen2": Kind(lambda c: _decoder(c, biases=1), _PLAIN, _UNTIED),
    "qwen3": Kind(
        lambda c: _decoder(c, head_norms=True), Saved((6, 4, 6, 2), (2, 3, 5, 1)), _UNTIED | {"head_dim": 128}
    ),
    "phi3": Kind(lambda c: _decoder(c, fused=True), Saved((6, 4, 5, 0), (2, 3, 4, 0), shared=False), _UNTIED),
    "gemma2": Kind(
        lambda c: _decoder(c, norms=4),
        Saved((10, 4, 4, 0), (4, 3, 3, 0), squares=2, by_head=True, shared=False, spare=1.3),
        _TIED | {"head_dim": 256},
    ),
    "gemma3_text": Kind(
        lambda c: _decoder(c, norms=4, head_norms=True), Saved((10, 4, 6, 2), (4, 3, 5, 1)), _TIED | {"head_dim": 256}
    ),
    "gpt2": Kind(
        _gpt2,
        Saved((10, 5, 0, 0), (7, 4, 0, 0), squares=3, by_head=True, shared=False, spare=1.3),
        _TIED | {"n_positions": 1024},
    ),
    "bert": Kind(_bert, _ENCODER, _TIED | {"max_position_embeddings": 512, "type_vocab_size": 2}),
    "roberta": Kind(_bert, _ENCODER, _TIED | {"max_position_embeddings": 514, "type_vocab_size": 1}),
    "modernbert": Kind(_modernbert, _ENCODER, _TIED),
    "distilbert": Kind(_distilbert, _ENCODER, _TIED | {"max_position_embeddings": 512}),
    "t5": Kind(_t5, _ENCODER, _TIED | {"relative_attention_num_buckets": 32}),
}

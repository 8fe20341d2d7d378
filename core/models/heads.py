"""What a model ends in: what writes text, or a layer of its own for labels, tags or vectors. Light: no weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config import RunConfig
from core.errors import InputError
from core.models.catalog import read_config
from core.models.tokenizer import model_folder

# Encoders by model_type: they read a text as a whole, and write none.
ENCODERS = (
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "eurobert", "mobilebert",
    "modernbert", "mpnet", "nomic_bert", "roberta", "roformer", "squeezebert", "xlm-roberta", "xlm-roberta-xl",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """What a model ends in.

    Attributes:
        name: of the head. auto: the class of transformers that has it. task_type: PEFT's name of it.
        writes: whether it writes text. label: for people.
    """

    name: str
    auto: str
    task_type: str
    writes: bool
    label: str


CAUSAL = Head("causal_lm", "AutoModelForCausalLM", "CAUSAL_LM", True, "writes its answer")
SEQ2SEQ = Head("seq2seq_lm", "AutoModelForSeq2SeqLM", "SEQ_2_SEQ_LM", True, "reads the whole, then writes its answer")
LABEL = Head("sequence_classification", "AutoModelForSequenceClassification", "SEQ_CLS", False, "chooses a label")
TAGS = Head("token_classification", "AutoModelForTokenClassification", "TOKEN_CLS", False, "tags each token")
VECTOR = Head("feature_extraction", "AutoModel", "FEATURE_EXTRACTION", False, "makes a vector of a text")
HEADS = {head.name: head for head in (CAUSAL, SEQ2SEQ, LABEL, TAGS, VECTOR)}
BY_TASK_TYPE = {head.task_type: head for head in HEADS.values()}
OWN = {"classification": LABEL, "extraction": TAGS, "similarity": VECTOR}  # heads of the tasks that have one


def kind_of(config: dict[str, Any]) -> str:
    """ "encoder", "decoder" or "encoder-decoder", by a model's config.json."""
    if config.get("is_encoder_decoder"):
        return "encoder-decoder"
    return "encoder" if config.get("model_type") in ENCODERS and not config.get("is_decoder") else "decoder"


def class_name(head: Head, config: dict[str, Any]) -> str:
    """The class of transformers for a head on a model with this config.json.

    Of an encoder-decoder that makes vectors it is the encoder's alone; saved so (T5EncoderModel), its config no longer
    says that it is of an encoder-decoder.
    """
    saved = str((config.get("architectures") or [""])[0]).endswith("EncoderModel")
    return "AutoModelForTextEncoding" if head is VECTOR and (saved or config.get("is_encoder_decoder")) else head.auto


def head_of(config: RunConfig) -> Head:
    """The head that a run trains, by its task, `model.head` and the kind of its model.

    Raises:
        InputError: field model.path: no such model. Field model.head or task: the model cannot do that.
    """
    task, wanted, path = config.task, config.model.head, config.model.path
    kind = kind_of(read_config(path, model_folder(path, config.model.revision)))
    if wanted == "task" and kind == "encoder-decoder" and task != "similarity":
        raise InputError(
            f"The model {path!r} is an encoder-decoder, which writes its answers here: leave the head empty, or choose "
            "an encoder or a decoder.",
            "model.head",
        )
    if task == "similarity" or wanted == "task":
        return OWN[task]
    if kind != "encoder":
        return SEQ2SEQ if kind == "encoder-decoder" else CAUSAL
    if wanted == "lm":
        raise InputError(f"The model {path!r} is an encoder, which writes no text: leave the head empty.", "model.head")
    if task not in OWN:
        raise InputError(
            f"The model {path!r} is an encoder: it reads and writes nothing, so the task {task} is not for it. "
            "Choose classification, extraction or similarity, or a model that writes.",
            "task",
        )
    return OWN[task]


def head_in(config: dict[str, Any]) -> Head:
    """The head that saved weights have, by the architecture that their config.json names."""
    named = str((config.get("architectures") or [""])[0])
    for ending, head in (
        ("ForSequenceClassification", LABEL), ("ForTokenClassification", TAGS), ("ForConditionalGeneration", SEQ2SEQ),
        ("ForCausalLM", CAUSAL), ("LMHeadModel", CAUSAL),
    ):  # fmt: skip
        if named.endswith(ending):
            return SEQ2SEQ if head is CAUSAL and kind_of(config) == "encoder-decoder" else head
    return VECTOR if named.endswith(("Model", "Encoder")) or kind_of(config) == "encoder" else CAUSAL

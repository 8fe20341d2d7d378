"""Prompt tuning: vectors in front of every input are trained, the base is frozen (Lester et al. 2021).

PEFT has the vectors, their files and `generate`. The pass itself is ours: PEFT's leaves the vectors' columns in the
answer, counts positions through the filling of a batch, and puts the vectors in front of every later token of a text
that is being written.
"""

from __future__ import annotations

import contextlib
import inspect
import types
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel, PeftModelForCausalLM, PeftModelForSeq2SeqLM, PromptTuningConfig, TaskType, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from core.config import PromptMethod, Section
from core.errors import InputError
from core.methods import names
from core.methods.lora import save as save
from core.models.heads import CAUSAL, ENCODERS, LABEL, SEQ2SEQ, Head
from core.models.load import Precision, base_name, patient_peft
from core.models.tokenizer import load_tokenizer

frozen_base = True
mergeable = (
    "Prompt tuning leaves the weights of the model as they are, so there is nothing to merge: keep its few vectors."
)


def prepare(
    model: PreTrainedModel, settings: PromptMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """Put vectors in front; only they are trained, and the head's own layers whole.

    They begin at words of the vocabulary drawn by chance; at random numbers, even between -0.5 and 0.5 (Lester et al.
    2021, section 3.2); or at the words of a text, repeated or cut to their number.

    Args:
        model: the base. settings: how many, and where they begin; chance is torch's own state.
        base, revision: where the base came from, and its tokenizer. head: what it ends in.

    Raises:
        InputError: (field method.prompt_tuning_init_text) the text has no tokens.
    """
    model.name_or_path = base_name(base)
    count, words, config = settings.num_virtual_tokens, model.get_input_embeddings(), model.config.get_text_config()
    adapter = PromptTuningConfig(
        task_type=TaskType[head.task_type],
        num_virtual_tokens=count,
        num_transformer_submodules=1,  # of an encoder-decoder the encoder alone
        token_dim=words.embedding_dim,
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        prompt_tuning_init="RANDOM",  # from text PEFT would ask AutoTokenizer, and that the Hub
        modules_to_save=names.whole(model, None, head) or None,
        revision=revision,
    )
    with patient_peft():
        tuned = get_peft_model(model, adapter)
    vectors = tuned.prompt_encoder["default"].embedding.weight
    with torch.no_grad():
        vectors.copy_(_start(settings, words, count, base, revision))
    return opened(tuned)


def _start(settings: PromptMethod, words: nn.Module, count: int, base: str, revision: str | None) -> torch.Tensor:
    """Where the vectors begin (count, hidden)."""
    table: Any = words
    if settings.prompt_tuning_init == "random":
        return torch.rand(count, table.embedding_dim) - 0.5
    if settings.prompt_tuning_init == "sample_vocab":
        ids = torch.randint(0, table.num_embeddings, (count,))
    else:
        text = settings.prompt_tuning_init_text or ""
        found = load_tokenizer(base, revision).encode(text, add_special_tokens=False)
        if not found:
            raise InputError(f"The text {text!r} has no tokens to start from.", "method.prompt_tuning_init_text")
        ids = torch.tensor([found[i % len(found)] for i in range(count)])
    return table(ids.to(table.weight.device)).detach().float()


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None


def in_front(model: Any) -> int:
    """How many vectors stand in front of every input: 0 for a model without."""
    settings = model.active_peft_config if isinstance(model, PeftModel) else None
    return settings.num_virtual_tokens if settings is not None and settings.is_prompt_learning else 0


@contextlib.contextmanager
def without(model: Any) -> Iterator[None]:
    """The base as it is without the vectors; any other model stays as it is.

    PEFT's own `disable_adapter` asks for what only a model that writes has.
    """
    if not in_front(model):
        yield
    elif isinstance(model, (PeftModelForCausalLM, PeftModelForSeq2SeqLM)):
        with model.disable_adapter():
            yield
    else:
        ours, model.forward = model.forward, model.get_base_model().forward
        try:
            yield
        finally:
            model.forward = ours


def opened(model: PeftModel) -> PeftModel:
    """The model with our pass: what it says has one column for each token of its input; without vectors it stays."""
    if not model.peft_config["default"].is_prompt_learning:
        return model
    # When it writes, PEFT counts positions itself, for one prompt at a time rightly, and says so each time.
    warnings.filterwarnings("ignore", "Position ids are not supported for parameter efficient tuning", UserWarning)
    model.forward = types.MethodType(_forward, model)
    return model


def _forward(
    self: Any,
    input_ids: torch.Tensor | None = None,
    attention_mask: torch.Tensor | None = None,
    position_ids: torch.Tensor | None = None,
    past_key_values: Any = None,
    token_type_ids: torch.Tensor | None = None,
    **more: Any,
) -> Any:
    """The base's pass over vectors and tokens. Positions count vectors and tokens, and leave out what is masked.

    Args:
        input_ids, attention_mask, position_ids, token_type_ids: (rows, tokens), as without vectors.
        past_key_values: what is in it has the vectors already.
    """
    inner, kind = self.get_base_model(), self.active_peft_config.task_type
    known, decoder = inspect.signature(inner.forward).parameters, inner.config.model_type not in ENCODERS
    count, two = self.active_peft_config.num_virtual_tokens, kind == SEQ2SEQ.task_type
    if past_key_values is not None:
        more["past_key_values"] = past_key_values
    if input_ids is None:  # an encoder has read already; its states have the vectors
        if attention_mask is not None:
            more["attention_mask"] = torch.cat([attention_mask.new_ones(len(attention_mask), count), attention_mask], 1)
        return inner(**more)
    rows, tokens = input_ids.shape
    written = past_key_values.get_seq_length() if past_key_values is not None and not two else 0
    length = tokens + max(0, written - count)
    mask = input_ids.new_ones(rows, length) if attention_mask is None else attention_mask
    mask = torch.cat([mask.new_ones(rows, count), mask], dim=1)
    if position_ids is None:
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens:]
    else:
        positions = position_ids + count
    if written:
        inputs: dict[str, Any] = {"input_ids": input_ids}
    else:
        embedded, vectors = inner.get_input_embeddings()(input_ids), self.get_prompt(batch_size=rows)
        embedded = torch.cat([vectors.to(embedded.dtype), embedded], dim=1)
        first = torch.arange(count, device=positions.device).expand(rows, -1)
        positions = torch.cat([first, positions], dim=1)
        if decoder and kind == LABEL.task_type:
            # It looks at the last column, and cannot tell by vectors which are filled: the filling goes to the left.
            order = _filled_left(mask)
            embedded = embedded.gather(1, order[..., None].expand_as(embedded))
            mask, positions = mask.gather(1, order), positions.gather(1, order)
        inputs = {"inputs_embeds": embedded}
        if token_type_ids is not None:
            inputs["token_type_ids"] = torch.cat([token_type_ids.new_zeros(rows, count), token_type_ids], dim=1)
    if decoder and "position_ids" in known:
        inputs["position_ids"] = positions
    out = inner(attention_mask=mask, **inputs, **more)
    for name in ("logits", "last_hidden_state"):
        made = out.get(name)
        if made is not None and made.ndim == 3 and made.shape[1] > tokens and not two:
            out[name] = made[:, -tokens:]
    return out


def _filled_left(mask: torch.Tensor) -> torch.Tensor:
    """Which column comes where (rows, tokens), so that what is masked goes to the left and all else keeps its order.

    A stable sort of the mask; torch's exporter to ONNX knows none.
    """
    empty = 1 - mask
    place = torch.where(mask > 0, empty.sum(1, keepdim=True) + mask.cumsum(1), empty.cumsum(1)) - 1
    return torch.zeros_like(place).scatter(1, place, torch.arange(mask.shape[1], device=mask.device).expand_as(place))

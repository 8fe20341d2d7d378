"""Pre-trains the demo model on the corpus: a small Llama, on one processor core, in about an hour."""

import json
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import documents
from .tokenizer import CONTEXT, SEED
from .tokenizer import save as save_tokenizer


@dataclass(frozen=True)
class Recipe:
    """How the model is trained. The schedule is: warm up, stay, and go down to zero over the last part."""

    seed: int = SEED
    steps: int = 3167
    tokens_a_step: int = 2560
    block: int = 256
    long_part: float = 0.2  # this last part of the steps uses blocks of the full context length
    optimizer: str = "muon"
    learning_rate: float = 4e-3
    warmup_steps: int = 100
    decay_part: float = 0.4
    weight_decay: float = 0.05
    clip: float = 1.0
    snapshots: tuple[float, ...] = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)


def build_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama of about four million parameters with random weights, in fp32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


def token_stream(tokenizer: PreTrainedTokenizerFast, seed: int, tokens: int, chunk: int = 5000) -> np.ndarray:
    """The first `tokens` ids of the corpus, each document followed by the end token; uint16."""
    stream, parts, found = documents(seed), [], 0
    while found < tokens:
        encoded = tokenizer(list(islice(stream, chunk)), add_special_tokens=False)["input_ids"]
        part = np.fromiter((i for ids in encoded for i in (*ids, tokenizer.eos_token_id)), dtype=np.uint16)
        parts.append(part)
        found += len(part)
    return np.concatenate(parts)[:tokens]


def optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices inside the layers and AdamW for the rest."""
    named = list(model.named_parameters())
    inner = [p for name, p in named if p.ndim == 2 and "embed" not in name] if recipe.optimizer == "muon" else []
    chosen = {id(p) for p in inner}
    rest = [p for _, p in named if id(p) not in chosen]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95), fused=True)]
    if inner:
        found.append(torch.optim.Muon(inner, lr=1.0, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"))
    return found


def rate(recipe: Recipe, step: int) -> float:
    """The learning rate at a step from 1 to `recipe.steps`."""
    left = (recipe.steps - step + 1) / (recipe.decay_part * recipe.steps)
    return recipe.learning_rate * min(1.0, step / recipe.warmup_steps, left)


@torch.no_grad()
def held_out_loss(model: LlamaForCausalLM, ids: np.ndarray, block: int) -> float:
    """Mean loss in nats per token over blocks of held-out text."""
    model.eval()
    rows = torch.from_numpy(ids.astype(np.int64)).view(-1, block)
    losses = [model(input_ids=part, labels=part, use_cache=False).loss.item() for part in rows.split(16)]
    model.train()
    return sum(losses) / len(losses)


@torch.no_grad()
def spread_unseen(model: LlamaForCausalLM, ids: torch.Tensor, seed: int, least: int = 10) -> int:
    """Give every token that the corpus hardly uses an embedding of its own; return how many there are.

    Training pushes the embeddings of such tokens into one and the same vector. A fine-tuning that leaves embeddings
    alone, as LoRA does, could then never tell them apart (seen here: the answer "worried" got a probability of 1/300
    for its piece "ried"). To the common vector, which keeps them unlikely, a random one of the usual length is added.
    """
    table = model.get_input_embeddings().weight
    unseen = torch.bincount(ids, minlength=len(table)) < least
    length = table[~unseen].norm(dim=1).mean()
    noise = torch.randn(int(unseen.sum()), table.shape[1], generator=torch.Generator().manual_seed(seed))
    table[unseen] += noise / noise.norm(dim=1, keepdim=True) * length
    return len(noise)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights in bf16, config, generation config and tokenizer."""
    clone = LlamaForCausalLM(model.config)
    clone.load_state_dict(model.state_dict())
    clone.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=128, pad_token_id=0, bos_token_id=1, eos_token_id=2
    )
    clone.to(torch.bfloat16).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    save_tokenizer(tokenizer, folder)


def pretrain(tokenizer: PreTrainedTokenizerFast, recipe: Recipe, scratch: Path) -> tuple[LlamaForCausalLM, dict]:
    """Train from scratch; return the model and the figures for its card.

    Progress goes to scratch/progress.jsonl, snapshots to scratch/snapshot-PERCENT.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    validation = token_stream(tokenizer, recipe.seed + 1_000_003, 64 * recipe.block)
    ids = torch.from_numpy(token_stream(tokenizer, recipe.seed, recipe.steps * recipe.tokens_a_step).astype(np.int64))
    model = build_model(len(tokenizer), recipe.seed).train()
    steppers = optimizers(model, recipe)
    wall, processor = time.time(), time.process_time()
    marks = {int(recipe.steps * part): round(part * 100) for part in recipe.snapshots}
    figures: dict = {}
    with (scratch / "progress.jsonl").open("w", encoding="utf-8") as log:
        for step, part in enumerate(ids.split(recipe.tokens_a_step), start=1):
            batch = part.view(-1, CONTEXT if step > recipe.steps * (1 - recipe.long_part) else recipe.block)
            now = rate(recipe, step)
            for stepper in steppers:
                for group in stepper.param_groups:
                    group["lr"] = now
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(input_ids=batch, labels=batch, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad()
            if step % 100 == 0 or step == recipe.steps:
                figures = {
                    "step": step, "of": recipe.steps, "tokens": step * recipe.tokens_a_step,
                    "loss": round(loss.item(), 4),
                    "held_out_loss": round(held_out_loss(model, validation, recipe.block), 4),
                    "learning_rate": round(now, 6), "wall_s": round(time.time() - wall),
                    "processor_s": round(time.process_time() - processor),
                }  # fmt: skip
                print(json.dumps(figures), file=log, flush=True)
            if step in marks:
                save(model, tokenizer, scratch / f"snapshot-{marks[step]}")
    unseen = spread_unseen(model, ids, recipe.seed)
    figures |= {"held_out_loss": round(held_out_loss(model, validation, recipe.block), 4), "unseen_tokens": unseen}
    size = {"parameters": model.num_parameters(), "vocabulary": len(tokenizer), "context": CONTEXT}
    return model, figures | size | {"recipe": asdict(recipe)}

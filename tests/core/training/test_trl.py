"""The reference: with everything else equal, ten steps here give the losses of TRL's SFTTrainer.

Made equal: the model in float32, the rows, the order in which they are drawn, the batches, what is accumulated, AdamW
with its schedule, warm-up and clipping, LoRA's rank, alpha, layers and first weights, no dropout. TRL is given the
rows as text, or as conversations: it renders, tokenises and masks them by itself, and pads and computes the loss by
itself (completion_only_loss, or assistant_only_loss with the template's generation marks).
"""

import pytest
import torch
from safetensors.torch import load_file

from core.cli.train import train
from core.config import build
from core.data.encoded import lengths_of
from core.models.rates import learning_rate
from core.runs import store
from core.training.examples import prepare
from core.training.order import ORDERS
from tests import factory

TONES = factory.tone_rows(160)
TEXT = [{"phrase": " and ".join([row["phrase"]] * (1 + i % 4)), "tone": row["tone"]} for i, row in enumerate(TONES)]
CHATS = [
    [
        {"role": "user", "content": row["phrase"]}, {"role": "assistant", "content": row["tone"]},
        {"role": "user", "content": "Why?"}, {"role": "assistant", "content": f"It says: {row['phrase']}"},
    ][: 2 + 2 * (i % 2)]
    for i, row in enumerate(TONES)
]  # fmt: skip


def ours(folder, base, method, kind):
    """(config, losses of ten steps, tuned weights)."""
    rows = TEXT if kind == "text" else [{"messages": chat} for chat in CHATS]
    path = factory.write_jsonl(folder / "train.jsonl", rows)
    data = {"path": str(path), "validation": 0, "max_tokens": 256}
    config = build(
        {
            "model": {"path": str(base)},
            "data": data | ({"template": "{phrase}\n{tone}"} if kind == "text" else {}),
            "method": {"name": method} | ({"lora_dropout": 0.0, "r": 4} if method == "lora" else {}),
            "training": {
                "max_steps": 10, "logging_steps": 1, "eval_steps": 10, "save_steps": 10, "learning_rate": 1e-2,
                "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "weight_decay": 0.01,
                "warmup_steps": 0.3, "optim": "adamw_torch",
            },
        }
    )  # fmt: skip
    run = store.create(config)
    train(run)
    losses = [event["loss"] for event in run.curve()["log"]]
    return config, losses, load_file(next((run.dir / "model").glob("*.safetensors")))


def theirs(folder, config, kind):
    """(losses of ten steps, tuned weights) of TRL."""
    import transformers
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model_state_dict
    from trl import SFTConfig, SFTTrainer

    t, method = config.training, config.method
    rows = prepare(config, lambda done, total: None).train
    order = list(ORDERS[t.batching](lengths_of(rows), t.per_device_train_batch_size, t.seed))
    if kind == "text":
        given = [{"prompt": TEXT[i]["phrase"], "completion": f"\n{TEXT[i]['tone']}"} for i in order]
    else:
        given = [{"messages": CHATS[i]} for i in order]
    arguments = SFTConfig(
        output_dir=str(folder / "trl"), max_steps=10, logging_steps=1, learning_rate=learning_rate(config),
        per_device_train_batch_size=t.per_device_train_batch_size, optim=t.optim, weight_decay=t.weight_decay,
        gradient_accumulation_steps=t.gradient_accumulation_steps, lr_scheduler_type=t.lr_scheduler_type,
        warmup_steps=t.warmup_steps, max_grad_norm=t.max_grad_norm, train_sampling_strategy="sequential",
        assistant_only_loss=kind == "chat", max_length=config.data.max_tokens, bf16=False, use_cpu=True,
        activation_checkpointing=False, save_strategy="no", report_to=[], disable_tqdm=True, seed=t.seed,
        dataloader_pin_memory=False,
    )  # fmt: skip
    transformers.set_seed(t.seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(config.model.path, dtype=torch.float32)
    adapter = None
    if method.name == "lora":
        adapter = LoraConfig(
            task_type="CAUSAL_LM", r=method.r, lora_alpha=method.lora_alpha, lora_dropout=0.0,
            target_modules="all-linear",
        )  # fmt: skip
    trainer = SFTTrainer(
        model, arguments, train_dataset=Dataset.from_list(given), peft_config=adapter,
        processing_class=transformers.PreTrainedTokenizerFast.from_pretrained(config.model.path),
    )  # fmt: skip
    trainer.train()
    model = trainer.model
    weights = get_peft_model_state_dict(model) if adapter else dict(model.named_parameters())
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], weights


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks for it
@pytest.mark.parametrize(("method", "kind"), [("full", "text"), ("lora", "text"), ("lora", "chat")])
def test_ten_steps_are_those_of_trl(tmp_path, runs_dir, tiny_llama, method, kind):
    config, losses, weights = ours(tmp_path, tiny_llama, method, kind)
    wanted, tuned = theirs(tmp_path, config, kind)
    assert len(losses) == 10 and losses[-1] < losses[0] - 0.3
    assert losses == pytest.approx(wanted, abs=1e-4)
    assert set(weights) == set(tuned)
    for name, value in weights.items():
        torch.testing.assert_close(value, tuned[name], rtol=0, atol=1e-4, msg=name)

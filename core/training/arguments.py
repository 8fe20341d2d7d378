"""Our settings as transformers.TrainingArguments has them, and what contradicts the rows or the device at hand."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainingArguments

from core.config import RunConfig
from core.errors import ConfigError
from core.methods import possible
from core.models.load import Precision
from core.models.rates import learning_rate

SLOW = "slower than float32 on a processor without units for it (12 times, measured: docs/benchmarks.md)"


def arguments(config: RunConfig, folder: Path, on: Precision, validate: bool) -> TrainingArguments:
    """The arguments of a run. Nothing is reported to anybody by transformers, and nothing leaves the machine.

    Args:
        folder: of the checkpoints. on: what is computed in. validate: whether rows are kept back.
    """
    t = config.training
    return TrainingArguments(
        output_dir=str(folder),
        learning_rate=learning_rate(config),
        num_train_epochs=t.num_train_epochs,
        max_steps=t.max_steps or -1,
        per_device_train_batch_size=t.per_device_train_batch_size,
        gradient_accumulation_steps=t.gradient_accumulation_steps,
        lr_scheduler_type=t.lr_scheduler_type,
        warmup_steps=t.warmup_steps,
        optim=t.optim,
        weight_decay=t.weight_decay,
        max_grad_norm=t.max_grad_norm,
        activation_checkpointing=t.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if t.gradient_checkpointing else None,
        logging_steps=t.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if validate else "no",
        eval_steps=t.eval_steps,
        save_strategy="steps",
        save_steps=t.save_steps,
        seed=t.seed,
        bf16=on.autocast == "bf16",
        fp16=on.autocast == "fp16",
        use_cpu=on.device == "cpu",
        dataloader_pin_memory=on.device == "cuda",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=[],
    )


def check(config: RunConfig, steps: int) -> None:
    """ConfigError with every setting that does not go with a training of so many updates."""
    t, errors = config.training, dict[str, str]()
    if t.warmup_steps >= steps and t.warmup_steps >= 1:
        errors["training.warmup_steps"] = (
            f"{t.warmup_steps:,.0f} steps of warm-up, and the whole training has {steps:,}: the learning rate would "
            "never be reached. Give fewer steps, or a share such as 0.03."
        )
    if errors:
        raise ConfigError(errors)


def remarks(config: RunConfig, steps: int, on: Precision) -> list[str]:
    """What a person should know about settings that work, but not as one might hope, one sentence each."""
    t, found = config.training, list[str]()
    if t.early_stopping_patience is not None and t.early_stopping_patience * t.eval_steps >= steps:
        found.append(
            f"Early stopping waits for {t.early_stopping_patience:,} checks, one every {t.eval_steps:,} steps, and the "
            f"whole training has {steps:,}: it cannot stop early. Validate more often for it to matter."
        )
    if on.device == "cpu" and on.autocast:
        found.append(f"Mixed precision {on.autocast} was asked for on a CPU: it is {SLOW}.")
    if on.device == "cpu" and t.optim.startswith("paged"):
        found.append(f"There is no graphics memory to page from: {t.optim} works as the same optimiser without pages.")
    return found + possible.remarks(config.method.name, on.device)

"""Training arguments of Transformers, as Olive takes them, one after another into our settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import nearest
from core.olive.imported import Draft
from core.olive.values import names, number, one_of, text, truth, whole

# Arguments that have a setting of the same name and meaning, and how their value is read.
SAME: dict[str, Callable[[Any, str], Any]] = {
    "learning_rate": number,
    "num_train_epochs": number,
    "per_device_train_batch_size": whole,
    "gradient_accumulation_steps": whole,
    "weight_decay": number,
    "max_grad_norm": number,
    "label_smoothing_factor": number,
    "neftune_noise_alpha": number,
    "gradient_checkpointing": truth,
    "logging_steps": whole,
    "eval_steps": whole,
    "save_steps": whole,
    "save_total_limit": whole,
    "seed": whole,
}
SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt")
OPTIMISERS = {
    "adamw_torch_fused": "adamw_torch_fused",
    "adamw_torch": "adamw_torch",
    "adamw_hf": "adamw_torch",
    "adamw_8bit": "adamw_8bit",
    "adamw_bnb_8bit": "adamw_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "paged_adamw_32bit": "paged_adamw_32bit",
    "paged_adamw": "paged_adamw_32bit",
    "adafactor": "adafactor",
}
BOARDS = ("tensorboard", "trackio", "wandb")
PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "no"}
_OWN = "a run keeps its files in a folder of its own, whose curves the page shows"
_READ = "rows are encoded by Tunesmith itself and kept in memory, so there is no loader to set"

# Arguments that mean nothing here, each with its reason.
IGNORED = {
    "output_dir": _OWN,
    "overwrite_output_dir": _OWN,
    "logging_dir": f"{_OWN}; with report_to tensorboard they are in RUN/tensorboard as well",
    "run_name": _OWN,
    "per_device_eval_batch_size": "validation takes batches that fit beside the training's own",
    "eval_accumulation_steps": "validation adds up losses and keeps no outputs",
    "dataloader_num_workers": _READ,
    "dataloader_pin_memory": _READ,
    "dataloader_drop_last": "every row is trained on in each epoch",
    "remove_unused_columns": "only the columns that the template or layout names are used in any case",
    "load_best_model_at_end": "the best weights are kept in any case where rows are kept back",
    "greater_is_better": "each metric knows which way it gets better",
    "data_seed": "one seed decides the order of the rows as well: training.seed",
    "full_determinism": "the same seed gives the same run in any case",
    "ddp_find_unused_parameters": "a training uses one device",
    "deepspeed": "a training uses one device; DeepSpeed is not used",
    "fsdp": "a training uses one device",
    "fsdp_config": "a training uses one device",
    "tf32": "what a graphics card multiplies in is left as PyTorch has it",
    "torch_compile": "the model is not compiled for training",
    "push_to_hub": "nothing is sent anywhere by a training; an export can be pushed by itself",
    "resume_from_checkpoint": "python -m core train --resume RUN goes on with a run of Tunesmith's own",
    "disable_tqdm": "progress is written to events.jsonl",
    "log_level": "what is printed does not change what is trained",
    "logging_first_step": "the first step is logged in any case",
    "logging_strategy": "a point comes every training.logging_steps steps",
    "do_train": "a config is there to be trained",
    "do_eval": "rows are checked wherever some are kept back",
    "prediction_loss_only": "validation measures the loss and, where asked for, a metric",
    "group_by_length": "rows of like length go together in any case (training.batching grouped)",
    "gradient_checkpointing_kwargs": "activations are computed again in one way only",
    "adam_beta1": "AdamW's betas are 0.9 and 0.999, PyTorch's own",
    "adam_beta2": "AdamW's betas are 0.9 and 0.999, PyTorch's own",
    "adam_epsilon": "AdamW's epsilon is 1e-8, PyTorch's own",
    "use_cpu": "the device follows the machine",
    "no_cuda": "the device follows the machine",
    "half_precision_backend": "PyTorch's own automatic mixed precision is used",
    "lr_scheduler_kwargs": "the schedules have no further settings",
    "eval_delay": "validation begins with the first training.eval_steps",
    "auto_find_batch_size": "core estimate says beforehand whether a batch fits",
    "logging_nan_inf_filter": "a loss that is no number ends the training and is named",
    "include_tokens_per_second": "tokens a second are logged in any case",
    "extra_args": "name the arguments themselves",
}
_SPECIAL = (
    "max_steps", "warmup_ratio", "warmup_steps", "lr_scheduler_type", "optim", "fp16", "bf16", "report_to",
    "eval_strategy", "evaluation_strategy", "save_strategy", "metric_for_best_model", "early_stopping_patience",
)  # fmt: skip
KNOWN = (*SAME, *_SPECIAL, *IGNORED)


def apply(draft: Draft, given: dict[str, Any], label: Callable[[str], str]) -> None:
    """All arguments of a training into a draft. `label` says what to call one in a note, such as "--max_steps"."""
    for name, value in given.items():
        argument(draft, name, value, label(name))
    ratio, steps = given.get("warmup_ratio"), given.get("warmup_steps")
    if ratio is not None and steps is not None and number(steps, label("warmup_steps")) > 0:
        draft.set("training.warmup_steps", float(whole(steps, label("warmup_steps"))), label("warmup_steps"))
        draft.ignore(label("warmup_ratio"), ratio, "warmup_steps is given as well, and counts in Transformers too")


def argument(draft: Draft, name: str, value: Any, option: str) -> None:
    """One argument into a draft: as a setting, or as a note that says why not.

    Raises:
        InputError: the value is none of its kind.
    """
    path = f"training.{name}"
    if value is None:
        return
    if name in SAME:
        draft.set(path, SAME[name](value, option), option)
    elif name in IGNORED:
        draft.ignore(option, value, f"{IGNORED[name][:1].upper()}{IGNORED[name][1:]}.")
    elif name == "max_steps":
        if (steps := whole(value, option)) >= 0:
            draft.set(path, steps, option)  # -1: the epochs decide
    elif name in ("warmup_ratio", "warmup_steps"):
        draft.set("training.warmup_steps", number(value, option), option)
    elif name == "lr_scheduler_type":
        _choice(draft, path, value, option, {s: s for s in SCHEDULES}, "another schedule is used: cosine by itself")
    elif name == "optim":
        _choice(draft, path, value, option, OPTIMISERS, "another optimiser is used: AdamW by itself")
    elif name in ("fp16", "bf16"):
        if truth(value, option):
            draft.set("training.mixed_precision", name, option)
    elif name == "report_to":
        _boards(draft, value, option)
    elif name in ("eval_strategy", "evaluation_strategy", "save_strategy"):
        how = one_of(value, option, ("no", "steps", "epoch", "best"))
        if how != "steps":
            every = "eval_steps" if name != "save_strategy" else "save_steps"
            draft.ignore(option, value, f"It is counted in steps, always: training.{every}.")
    elif name == "metric_for_best_model":
        metric = text(value, option).removeprefix("eval_")
        draft.set(path, metric, option)
    elif name == "early_stopping_patience":
        draft.set(path, whole(value, option), option)
    else:
        guess = nearest(name, KNOWN)
        hint = f" Did you mean {guess}?" if guess else ""
        draft.ignore(option, value, f"There is no training argument of this name.{hint}")


def dtype(draft: Draft, value: Any, option: str) -> None:
    """Olive's torch_dtype: what is computed in."""
    draft.set("training.mixed_precision", PRECISIONS[one_of(value, option, PRECISIONS)], option)


def _choice(draft: Draft, path: str, value: Any, option: str, known: dict[str, str], otherwise: str) -> None:
    found = known.get(text(value, option).strip().casefold())
    if found is not None:
        draft.set(path, found, option)
        return
    guess = nearest(str(value), known)
    draft.ignore(
        option, value, f"It is not one of {', '.join(known)}{f' (nearest: {guess})' if guess else ''}; {otherwise}."
    )


def _boards(draft: Draft, value: Any, option: str) -> None:
    asked = [name.casefold() for name in names(value, option)]
    if asked == ["none"]:
        return
    if asked == ["all"]:
        draft.ignore(option, value, f"Name them: {', '.join(BOARDS)}.")
        return
    taken = tuple(dict.fromkeys(name for name in asked if name in BOARDS))
    if taken:
        draft.set("training.report_to", list(taken), option)
    for name in asked:
        if name not in BOARDS:
            draft.ignore(option, name, f"Curves go to the page, and to {', '.join(BOARDS)}.")

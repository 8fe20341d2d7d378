"""The settings of the training itself; names and meanings are those of transformers.TrainingArguments."""

from __future__ import annotations

from typing import Literal

from core.settings.base import Section, setting

# What is folded away together in the form.
SCHEDULE, LOSS, MEMORY = "Schedule and optimiser", "Loss and noise", "Batches and memory"
CHECKS = "Checks, checkpoints and logs"

MOST = 1_000_000_000  # of steps, and of what is counted in them

Report = Literal["tensorboard", "trackio", "wandb"]


class TrainingConfig(Section):
    """How the weights are moved; names and meanings are those of transformers.TrainingArguments."""

    learning_rate: float | None = setting(
        None,
        "How big a step each update takes. Empty: the default of the method and size.",
        label="Learning rate",
        gt=0,
        le=1,
    )
    num_train_epochs: float = setting(
        3.0, "Passes over the training rows.", unit="epochs", label="Epochs", gt=0, le=1000
    )
    max_steps: int | None = setting(
        None,
        "Stop after so many updates, whatever the epochs.",
        unit="steps",
        label="At most (steps)",
        advanced=True,
        group=SCHEDULE,
        ge=1,
        le=MOST,
    )
    max_minutes: float | None = setting(
        None,
        "Stop after so many minutes of training; the learning rate has fallen to its end by then. Empty: no limit.",
        unit="minutes",
        label="Time budget",
        advanced=True,
        group=SCHEDULE,
        gt=0,
        le=100_000,
    )
    per_device_train_batch_size: int = setting(
        8, "Rows in one forward pass.", unit="rows", label="Batch size", ge=1, le=4096
    )
    gradient_accumulation_steps: int = setting(
        1,
        "Batches that are summed before an update.",
        unit="batches",
        label="Gradient accumulation",
        advanced=True,
        group=MEMORY,
        ge=1,
        le=4096,
    )
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt"] = setting(
        "cosine", "How the learning rate falls.", label="Schedule", advanced=True, group=SCHEDULE
    )
    warmup_steps: float = setting(
        0.03,
        "The rate climbs this long: a share of all steps if below 1, otherwise steps.",
        label="Warm-up",
        advanced=True,
        group=SCHEDULE,
        ge=0,
        le=MOST,
    )
    optim: Literal[
        "adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor"
    ] = setting(
        "adamw_torch_fused",
        "What turns gradients into updates. 8-bit and Adafactor keep less in memory; paged moves to main memory.",
        label="Optimiser",
        advanced=True,
        group=SCHEDULE,
    )
    weight_decay: float = setting(
        0.0,
        "Pulls trained weights towards zero (AdamW).",
        label="Weight decay",
        advanced=True,
        group=SCHEDULE,
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        1.0,
        "Gradients longer than this are shortened.",
        label="Gradient clipping",
        advanced=True,
        group=SCHEDULE,
        gt=0,
    )
    loss: str = setting(
        "auto",
        "What is made small. auto: cross-entropy, or the loss of the task; or a name from the list of losses, or "
        "one of your own.",
        label="Loss",
        advanced=True,
        group=LOSS,
        min_length=1,
    )
    label_smoothing_factor: float = setting(
        0.0,
        "Share of the target that is spread over all other tokens or labels.",
        label="Label smoothing",
        advanced=True,
        group=LOSS,
        ge=0,
        lt=1,
    )
    focal_gamma: float = setting(
        2.0,
        "How much the focal loss passes over what is easy (Lin et al. 2017).",
        label="Focal gamma",
        advanced=True,
        group=LOSS,
        ge=0,
        le=10,
    )
    margin: float = setting(
        1.0,
        "How far apart the contrastive loss moves pairs that differ (Hadsell et al. 2006).",
        label="Margin",
        advanced=True,
        group=LOSS,
        gt=0,
        le=100,
    )
    neftune_noise_alpha: float | None = setting(
        None,
        "Noise on the embeddings while training, 5 is usual (Jain et al. 2023). Empty: none.",
        label="NEFTune noise",
        advanced=True,
        group=LOSS,
        gt=0,
        le=100,
    )
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = setting(
        "auto",
        "What is computed in. auto: float32 on a CPU; bf16 or fp16 on a graphics card, by what it can.",
        label="Mixed precision",
        advanced=True,
        group=MEMORY,
    )
    gradient_checkpointing: bool = setting(
        False,
        "Compute the activations again on the way back instead of keeping them: less memory, a third slower.",
        label="Gradient checkpointing",
        advanced=True,
        group=MEMORY,
    )
    batching: Literal["grouped", "shuffled", "packed", "padding_free"] = setting(
        "grouped",
        "grouped: rows of like length together. packed: several rows end to end in one of the longest length. "
        "padding_free: a batch as one long row. Rows never see each other.",
        label="Batches",
        advanced=True,
        group=MEMORY,
    )
    logging_steps: int = setting(
        10,
        "A point on the loss curve every so many steps.",
        unit="steps",
        label="Log every",
        advanced=True,
        group=CHECKS,
        ge=1,
        le=MOST,
    )
    eval_steps: int = setting(
        50,
        "Validation loss every so many steps.",
        unit="steps",
        label="Validate every",
        advanced=True,
        group=CHECKS,
        ge=1,
        le=MOST,
    )
    save_steps: int = setting(
        50,
        "A checkpoint every so many steps.",
        unit="steps",
        label="Save every",
        advanced=True,
        group=CHECKS,
        ge=1,
        le=MOST,
    )
    save_total_limit: int = setting(
        2,
        "Checkpoints that are kept besides the best.",
        unit="checkpoints",
        label="Keep",
        advanced=True,
        group=CHECKS,
        ge=1,
        le=100,
    )
    metric_for_best_model: str = setting(
        "loss",
        "Which weights are kept: those with the best validation loss, or the best of a metric such as accuracy.",
        label="Best by",
        advanced=True,
        group=CHECKS,
        min_length=1,
    )
    early_stopping_patience: int | None = setting(
        None,
        "Stop when the best was not beaten in so many checks. Empty: never.",
        unit="checks",
        label="Early stopping",
        ge=1,
        le=1000,
    )
    early_stopping_threshold: float = setting(
        0.0,
        "A check counts as better from so much on.",
        label="Threshold",
        advanced=True,
        group=CHECKS,
        ge=0,
        le=MOST,
    )
    sample_rows: int = setting(
        3,
        "Validation rows whose answers are written down at each check.",
        unit="rows",
        label="Sample answers",
        advanced=True,
        group=CHECKS,
        ge=1,
        le=20,
    )
    report_to: tuple[Report, ...] = setting(
        (),
        "Besides the page, where the curves go: tensorboard, trackio, wandb.",
        label="Log to",
        advanced=True,
        group=CHECKS,
    )
    seed: int = setting(
        42, "The same seed gives the same run.", label="Seed", advanced=True, group=SCHEDULE, ge=0, le=2**31 - 1
    )

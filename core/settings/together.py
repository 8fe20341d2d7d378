"""Settings that contradict each other: each field concerned with its sentence, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config import RunConfig

PAIR_LOSSES = ("contrastive", "cosine", "multiple_negatives")  # of vectors of two texts
WRITTEN = ("generation", "summarization")  # tasks whose answers can only be written


def contradictions(config: RunConfig) -> dict[str, str]:
    """Dotted field -> what contradicts it. Empty where everything goes together."""
    return _of_data(config) | _of_training(config) | _of_method(config)


def _of_data(config: RunConfig) -> dict[str, str]:
    t, d, a = config.training, config.data, config.augmentation
    errors: dict[str, str] = {}
    if t.early_stopping_patience is not None and d.validation == 0 and d.folds is None:
        errors["training.early_stopping_patience"] = (
            "early stopping watches the validation loss, and data.validation is 0: "
            "keep some rows back, or leave this empty."
        )
    if t.warmup_steps >= 1 and t.warmup_steps != int(t.warmup_steps):
        errors["training.warmup_steps"] = f"{t.warmup_steps:g} is neither a share below 1 nor a whole number of steps."
    if d.folds is not None and d.fold > d.folds:
        errors["data.fold"] = f"{d.fold} is too large: there are {d.folds} folds, counted from 1."
    if d.folds is not None and isinstance(d.validation, str):
        errors["data.folds"] = f"the rows kept back are named already ({d.validation}): leave one of the two empty."
    if d.roles is not None and d.layout is None:
        errors["data.roles"] = "roles belong to a layout: set data.layout as well."
    if a.copies and not any((a.swap, a.delete, a.synonym, a.case, a.typo)):
        errors["augmentation.copies"] = (
            "nothing would be changed in the copies: set a share of words to swap, delete, replace or alter."
        )
    if a.synonym and not (a.synonyms or "").strip():
        errors["augmentation.synonyms"] = "the list is empty: write one word a line, such as big = large, huge."
    if any("\ud800" <= c <= "\udfff" for c in d.template or ""):
        errors["data.template"] = "it holds half of a character (a lone surrogate): type that place again."
    return errors


def _of_training(config: RunConfig) -> dict[str, str]:
    t, kept = config.training, config.data.validation != 0 or config.data.folds is not None
    errors: dict[str, str] = {}
    if t.early_stopping_threshold and t.early_stopping_patience is None:
        errors["training.early_stopping_threshold"] = (
            "it says from when on a check counts as better, and early stopping is off: set a patience as well."
        )
    if t.max_steps is not None and t.warmup_steps >= max(1, t.max_steps):
        errors["training.warmup_steps"] = (
            f"{t.warmup_steps:g} steps of warm-up, and the training ends after {t.max_steps:,}: the learning rate "
            "would never be reached. Give fewer steps, or a share such as 0.03."
        )
    if t.early_stopping_patience is not None and t.max_steps is not None and t.eval_steps >= t.max_steps:
        errors["training.eval_steps"] = (
            f"validation comes every {t.eval_steps:,} steps, and the training ends after {t.max_steps:,}: early "
            "stopping would have nothing to watch. Validate more often, or leave the patience empty."
        )
    if len(set(t.report_to)) < len(t.report_to):
        errors["training.report_to"] = f"a name is there twice ({', '.join(t.report_to)}): each is written to once."
    if t.metric_for_best_model != "loss" and not kept:
        errors["training.metric_for_best_model"] = (
            f"{t.metric_for_best_model} is taken on rows that are kept back, and data.validation is 0: "
            "keep some rows back."
        )
    if t.label_smoothing_factor and t.loss not in ("auto", "cross_entropy", "class_weighted"):
        errors["training.label_smoothing_factor"] = (
            f"the loss {t.loss} has no labels to smooth: set it to 0, or choose cross_entropy."
        )
    if t.loss == "multiple_negatives" and t.per_device_train_batch_size < 2:
        errors["training.per_device_train_batch_size"] = (
            "multiple_negatives tells each pair from the others of its batch, and 1 row has no others: give 2 or more; "
            "accumulation adds none."
        )
    if t.loss in PAIR_LOSSES and config.task != "similarity":
        errors["training.loss"] = f"{t.loss} compares two texts: it belongs to the task similarity."
    return errors


def _of_method(config: RunConfig) -> dict[str, str]:
    errors: dict[str, str] = {}
    method, head, batching = config.method, config.model.head, config.training.batching
    if head == "task" and config.task in WRITTEN:
        errors["model.head"] = f"the task {config.task} is written: leave this empty, or choose lm."
    if head == "lm" and config.task == "similarity":
        errors["model.head"] = "the task similarity compares vectors, nothing is written: leave this empty."
    if batching in ("packed", "padding_free"):
        if head == "task" or config.task == "similarity":
            errors["training.batching"] = f"{batching} is for models that write: choose grouped or shuffled."
        elif method.name == "prompt":
            errors["training.batching"] = (
                f"{batching} puts rows end to end, and prompt tuning puts its vectors in front of each: choose grouped."
            )
    if method.name in ("lora", "qlora") and method.modules_to_save:
        wanted = method.target_modules
        names = wanted.replace(",", " ").split() if isinstance(wanted, str) else wanted
        if both := [name for name in method.modules_to_save if name in names]:
            errors["method.modules_to_save"] = (
                f"{', '.join(both)} would be trained whole and get an adapter, too: name it in one of the two lists."
            )
    if method.name == "prompt":
        text, start = (method.prompt_tuning_init_text or "").strip(), method.prompt_tuning_init
        if start == "text" and not text:
            errors["method.prompt_tuning_init_text"] = "it is empty: write the words to start from."
        if start != "text" and text:
            errors["method.prompt_tuning_init_text"] = (
                "these words are not used: choose text as the start, or leave it empty."
            )
    return errors

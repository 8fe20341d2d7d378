"""A config of ours as a workflow that `olive run` takes, and every setting that it cannot say."""

from __future__ import annotations

from typing import Any

from core.config import RunConfig
from core.errors import InputError
from core.export.offers import WRITER
from core.export.targets import check
from core.methods.modules import modules_of
from core.models.catalog import read_config
from core.models.heads import kind_of
from core.models.rates import default_rate, learning_rate
from core.models.tokenizer import model_folder
from core.olive import devices
from core.olive.imported import Note
from core.olive.rows import rows
from core.paths import resolve
from core.settings import LABELS

PASSES = {"lora": "LoRA", "qlora": "QLoRA"}
DTYPES = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}
OUT, CACHE = "olive-output", "olive-cache"
BLOCK, ACCURACY = 32, 4  # weights that share a scale, and 8-bit activations: as our own exports in int4

# Settings that a workflow has no word for, each with what Olive does instead.
_WORDLESS = {
    "data.system": "a text is what its template makes of a row; write the system prompt into it",
    "data.stratify": "rows are parted by their place in the file",
    "data.group_by": "rows are parted by their place in the file",
    "data.fixes": "rows are taken as they are; mend the file first",
    "data.roles": "columns are named in the template",
    "data.layout": "columns are named in the template",
    "augmentation.copies": "rows are not changed; add the copies to the file",
    "augmentation.balance": "rows are not balanced; balance the file",
    "training.max_minutes": "steps or epochs decide",
    "training.loss": "the loss is cross-entropy over the text",
    "training.batching": "each batch is padded to its longest row",
    "training.early_stopping_patience": "a training goes to its end",
    "training.early_stopping_threshold": "a training goes to its end",
    "training.metric_for_best_model": "the last weights are kept",
    "training.sample_rows": "no answers are written down on the way",
    "method.use_rslora": "the adapter is scaled by alpha / r",
    "model.head": "a model writes its answer",
    "evaluation.data": "a training is not measured on held-out rows",
    "evaluation.max_rows": "a training is not measured on held-out rows",
    "evaluation.max_new_tokens": "a training is not measured on held-out rows",
}
_ARGUMENTS = (
    "per_device_train_batch_size", "gradient_accumulation_steps", "lr_scheduler_type", "optim", "weight_decay",
    "max_grad_norm", "gradient_checkpointing", "logging_steps", "save_steps", "save_total_limit", "seed",
)  # fmt: skip


def workflow(config: RunConfig, device: str = "cpu", precision: str | None = None) -> tuple[dict[str, Any], list[Note]]:
    """What `olive run --config` takes: the same training, the adapter merged, and a package for a device.

    Nothing is fetched; what depends on the model's files (its linear layers, its end token) is taken from a folder that
    is here, and named where it is not.

    Args:
        config: of a run that trains LoRA or QLoRA. device: a key of core.export.targets.TARGETS. precision: of the
            package; None: the device's own.

    Returns:
        (the workflow, as plain values for JSON; each setting that it cannot say).

    Raises:
        InputError: Olive cannot do such a training, or there is no such device or precision.
    """
    _possible(config)
    kind, provider = devices.olives(device)
    target, wanted = check(device, precision, WRITER)
    notes: list[Note] = []
    if target.device == "mobile":
        notes.append(Note("export.device", "mobile", "Olive has no word for phones: a package for the CPU is written."))
    data_configs, named = rows(config, notes)
    trained = _trained(config, notes) | named
    passes: dict[str, Any] = {"train": trained, "merge": {"type": "MergeAdapterWeights"}}
    passes["build"] = {"type": "ModelBuilder", "precision": wanted}
    if wanted == "int4":
        passes["build"] |= {"int4_block_size": BLOCK, "int4_accuracy_level": ACCURACY}
    _wordless(config, notes)
    return {
        "input_model": _model(config),
        "data_configs": data_configs,
        "passes": passes,
        "systems": {
            "local_system": {
                "type": "LocalSystem",
                "accelerators": [{"device": kind, "execution_providers": [provider]}],
            }
        },
        "target": "local_system",
        "no_artifacts": True,
        "cache_dir": CACHE,
        "output_dir": OUT,
        "log_severity_level": 1,
    }, notes


def _possible(config: RunConfig) -> None:
    """InputError where Olive has no such training."""
    name = config.method.name
    if name not in PASSES:
        raise InputError(
            f"Olive trains LoRA and QLoRA adapters, and this config asks for {LABELS[name]}: choose one of the two, or "
            "export the run with python -m core export.",
            "method.name",
        )
    if config.task == "similarity" or config.model.head == "task":
        raise InputError(
            "Olive's LoRA pass trains models that write, and this one answers through a layer of its own: leave "
            "model.head empty, or export the run with python -m core export.",
            "model.head",
        )
    if is_here(config):
        kind = kind_of(read_config(config.model.path, model_folder(config.model.path)))
        if kind != "decoder":
            raise InputError(
                f"Olive's LoRA pass trains decoders, and {config.model.path} is an {kind}: export the run with "
                "python -m core export.",
                "model.path",
            )


def is_here(config: RunConfig) -> bool:
    """Whether the model is a folder of this machine, so that its files can be asked."""
    return resolve(config.model.path, "model.path").is_dir()


def _model(config: RunConfig) -> dict[str, Any]:
    loading: dict[str, Any] = {"attn_implementation": "eager"}
    if config.model.revision is not None:
        loading["revision"] = config.model.revision
    return {
        "type": "HfModel",
        "model_path": config.model.path,
        "task": "summarization" if config.task == "summarization" else "text-generation",
        "load_kwargs": loading,
    }


def _trained(config: RunConfig, notes: list[Note]) -> dict[str, Any]:
    """The pass that trains."""
    method, t = config.method.model_dump(mode="json"), config.training
    made: dict[str, Any] = {"type": PASSES[method["name"]]}
    if method["use_dora"]:
        if method["name"] == "lora":
            made["type"] = "DoRA"
        else:
            notes.append(Note("method.use_dora", True, "Olive's QLoRA pass has no DoRA."))
    made |= {"r": method["r"], "alpha": method["lora_alpha"], "lora_dropout": method["lora_dropout"]}
    if (layers := _layers(config, notes)) is not None:
        made["target_modules"] = layers
    if method["modules_to_save"]:
        made["modules_to_save"] = method["modules_to_save"]
    if method["name"] == "qlora":
        made |= {"quant_type": method["bnb_4bit_quant_type"], "double_quant": method["bnb_4bit_use_double_quant"]}
        made["save_quant_config"] = False  # the base stays whole, for the adapter to be merged into
        if (dtype := method["bnb_4bit_compute_dtype"]) != "auto":
            made["compute_dtype"] = dtype
    made["torch_dtype"] = DTYPES.get(t.mixed_precision, "float32")
    if t.mixed_precision == "auto":
        notes.append(Note("training.mixed_precision", "auto", "Olive finds none by itself: float32 is written."))
    made["training_args"] = _arguments(config, notes)
    return made


def _layers(config: RunConfig, notes: list[Note]) -> list[str] | None:
    """Names of modules; None lets Olive choose."""
    wanted = config.method.model_dump()["target_modules"]
    if wanted != "all-linear":
        return [*wanted] if not isinstance(wanted, str) else wanted.replace(",", " ").split()
    if config.method.name == "qlora":
        return None  # all linear layers are what Olive's QLoRA pass takes by itself
    if is_here(config):
        found = [m.name for m in modules_of(config.model.path, config.model.revision) if m.kind == "linear"]
        notes.append(Note("method.target_modules", wanted, f"Olive wants names: {', '.join(found)}."))
        return found
    reason = "Olive wants names, and the model is not here to ask: without names it takes those that PEFT lists."
    notes.append(Note("method.target_modules", wanted, reason))
    return None


def _arguments(config: RunConfig, notes: list[Note]) -> dict[str, Any]:
    """Training arguments of Transformers."""
    t = config.training
    made: dict[str, Any] = {"learning_rate": t.learning_rate}
    if t.learning_rate is None:
        rate = learning_rate(config) if is_here(config) else default_rate(config.method.name, None)
        made["learning_rate"] = rate
        notes.append(Note("training.learning_rate", None, f"The default of the method and size is written: {rate:g}."))
    made["num_train_epochs"] = t.num_train_epochs
    if t.max_steps is not None:
        made["max_steps"] = t.max_steps
    made |= {name: getattr(t, name) for name in _ARGUMENTS}
    made |= {"warmup_ratio": t.warmup_steps} if t.warmup_steps < 1 else {"warmup_steps": int(t.warmup_steps)}
    if t.warmup_steps >= 1:
        made["warmup_ratio"] = 0.0
    if t.label_smoothing_factor:
        made["label_smoothing_factor"] = t.label_smoothing_factor
    if t.neftune_noise_alpha is not None:
        made["neftune_noise_alpha"] = t.neftune_noise_alpha
    if config.data.validation or config.data.folds:
        made |= {"eval_strategy": "steps", "eval_steps": t.eval_steps}
    if t.report_to:
        made["report_to"] = [*t.report_to]
    return made


def _wordless(config: RunConfig, notes: list[Note]) -> None:
    """Settings that a workflow has no word for, where they are not the default."""
    default, given = RunConfig().model_dump(mode="json"), config.model_dump(mode="json")
    for path, reason in _WORDLESS.items():
        section, _, name = path.partition(".")
        if name not in given[section]:
            continue
        value, usual = given[section][name], default[section].get(name)
        if path == "training.loss" and value == "cross_entropy":
            continue
        if value != usual and value not in (None, [], False):
            notes.append(Note(path, value, f"Olive has no such setting: {reason}."))
    if config.task in ("classification", "extraction"):
        notes.append(Note("task", config.task, "Olive trains it as a text like any other, and measures no accuracy."))

"""Presets: a few settings changed at once for an aim, each change with its reason; what is not named stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from core.config import METHODS, RunConfig, TrainingConfig, build
from core.errors import InputError, unknown

FEW, MANY = 1_000, 20_000  # rows
LARGE = 500_000_000  # parameters; from here on training all of them is no quick matter


@dataclass(frozen=True)
class Facts:
    """What presets depend on, besides the config.

    Attributes:
        rows: to train on; None: not known. parameters: of the model; None: not known. device: "cpu" or "cuda".
        kind: of the model: encoder, decoder or encoder-decoder.
    """

    rows: int | None = None
    parameters: int | None = None
    device: str = "cpu"
    kind: str = "decoder"


@dataclass(frozen=True)
class Change:
    """One setting that a preset changes: its dotted path, its value before and after, and why, in one clause."""

    path: str
    was: Any
    value: Any
    why: str


Step = tuple[str, Any, str]  # path, value, why


@dataclass(frozen=True)
class Preset:
    """A preset: what it is for, and what it asks for."""

    name: str
    label: str
    sentence: str
    steps: Callable[[RunConfig, Facts], Iterator[Step]]

    def changes(self, config: RunConfig, facts: Facts) -> list[Change]:
        """What differs from the config, in the order in which it is to be applied."""
        found: list[Change] = []
        for path, value, why in self.steps(config, facts):
            section, _, name = path.partition(".")
            new = any(change.path == "method.name" for change in found) and section == "method"
            held = METHODS[_method(found)]() if new else getattr(config, section)
            was = getattr(held, name)
            if was != value:
                found.append(Change(path, was, value, why))
        return found


def _method(changes: list[Change]) -> str:
    return next(change.value for change in changes if change.path == "method.name")


def apply(config: RunConfig, changes: list[Change]) -> RunConfig:
    """The config with changes made.

    Raises:
        ConfigError: it contradicts itself with them; none does that a preset makes of a config that is sound.
    """
    values = config.model_dump()
    for change in changes:
        section, _, name = change.path.partition(".")
        if change.path == "method.name":
            values["method"] = {}
        values[section][name] = change.value
    return build(values)


def preset(name: str) -> Preset:
    """A preset by its name. Raises InputError, which guesses what was meant."""
    if name not in PRESETS:
        raise InputError(unknown("preset", name, PRESETS))
    return PRESETS[name]


def facts_of(config: RunConfig) -> Facts:
    """The facts of a config, from its data and the model's small files; what cannot be read is not known."""
    from core.data.dataset import open_examples
    from core.data.split import split_source
    from core.models.catalog import read_config
    from core.models.heads import kind_of
    from core.models.shapes import read_shape
    from core.models.tokenizer import model_folder
    from core.runs.machine import this_machine

    rows, parameters, kind = None, None, "decoder"
    try:
        rows = len(split_source(open_examples(config), config).train)
    except InputError:
        rows = None
    try:
        path, revision = config.model.path, config.model.revision
        kind = kind_of(read_config(path, model_folder(path, revision)))
        parameters = read_shape(path, revision).parameters
    except InputError:
        parameters = None
    return Facts(rows, parameters, this_machine().device, kind)


def _kept(config: RunConfig) -> bool:
    return config.data.validation != 0 or config.data.folds is not None


def _updates(config: RunConfig, facts: Facts) -> int | None:
    """Updates in an epoch."""
    t = config.training
    return None if facts.rows is None else max(1, facts.rows // _batch(t))


def _batch(t: TrainingConfig) -> int:
    return t.per_device_train_batch_size * t.gradient_accumulation_steps


def _checks(config: RunConfig, facts: Facts, in_epoch: int) -> Iterator[Step]:
    """Validation and checkpoints so many times an epoch, together: the best weights come from a checkpoint."""
    if updates := _updates(config, facts):
        steps = min(200, max(10, updates // in_epoch))
        yield "training.eval_steps", steps, f"the validation rows are looked at about {in_epoch} times an epoch"
        yield "training.save_steps", steps, "a checkpoint at each check, so that the best weights are kept"


def _quick(config: RunConfig, facts: Facts) -> Iterator[Step]:
    """Enough updates for the loss to fall, on short rows: 60 are what Unsloth's notebooks try a model with.

    A rank of 8 came near 64 in Hu et al. 2021 (table 6).
    """
    method = config.method
    if method.name == "full" and (facts.parameters or 0) >= LARGE:
        yield "method.name", "lora", "training all weights of a model of this size takes long"
        yield "method.r", 8, "a small adapter learns a first impression as well"
        yield "method.lora_alpha", 16, "twice the rank"
    elif method.name in ("lora", "qlora") and method.r > 8:
        yield "method.r", 8, "a small adapter learns a first impression as well"
        yield "method.lora_alpha", 16, "twice the rank"
    yield "training.num_train_epochs", 1.0, "one pass shows whether it learns"
    most = min(60, config.training.max_steps or 60)
    yield "training.max_steps", most, "a few minutes, whatever the rows"
    yield "training.gradient_accumulation_steps", 1, "an update after each batch"
    if config.training.warmup_steps >= most:
        yield "training.warmup_steps", TrainingConfig().warmup_steps, "so many steps of warm-up would be all of it"
    yield "training.eval_steps", max(1, most // 3), "three checks on the way"
    yield "training.save_steps", max(1, most // 3), "a checkpoint at each check"
    yield "data.max_tokens", min(256, config.data.max_tokens), "long rows cost most of the time; they are cut"
    yield "evaluation.max_rows", min(50, config.evaluation.max_rows), "a first impression"


def _balanced(config: RunConfig, facts: Facts) -> Iterator[Step]:
    """The defaults, with epochs by the number of rows: 3 as Alpaca has them for 52,000 rows (Taori et al. 2023), more
    for few rows (LIMA has 15 for 1,000: Zhou et al. 2023), one for very many.

    A cosine with 3 % warm-up is Alpaca's, too. LoRA's rank is the default here.
    """
    t = TrainingConfig()
    if config.method.name in ("lora", "qlora"):
        yield "method.r", 16, "a rank that suits most rows"
        yield "method.lora_alpha", 32, "twice the rank"
    yield "training.num_train_epochs", _epochs(facts), _of_rows(facts)
    yield from _whole()
    yield "training.lr_scheduler_type", t.lr_scheduler_type, "the rate falls to nothing at the end"
    yield "training.warmup_steps", t.warmup_steps, "a short warm-up"
    if _batch(config.training) < 8:
        yield (
            "training.gradient_accumulation_steps",
            -(-8 // config.training.per_device_train_batch_size),
            ("at least eight rows in an update: steadier gradients"),
        )
    yield from _checks(config, facts, 3)


def _best(config: RunConfig, facts: Facts) -> Iterator[Step]:
    """Twice the passes with early stopping (Prechelt 1998), a larger adapter on all layers.

    LoRA on all linear layers is what reaches a full tuning (Dettmers et al. 2023, section 4); more rows fill a higher
    rank (Biderman et al. 2024). Wider bottlenecks did better where much is to be learned, such as summaries (He et al.
    2022), not on GLUE (Houlsby et al. 2019); beyond 20 virtual tokens little is gained (Lester et al. 2021, figure 3).
    """
    method = config.method
    if method.name in ("lora", "qlora"):
        rank = max(method.r, 64 if (facts.rows or 0) >= MANY else 32)
        yield "method.r", rank, "a larger adapter can learn more, and takes more memory"
        yield "method.lora_alpha", 2 * rank, "twice the rank"
        yield "method.target_modules", "all-linear", "an adapter on every linear layer"
    elif method.name == "adapter":
        yield "method.reduction_factor", min(8, method.reduction_factor), "wider adapters can learn more"
    elif method.name == "prompt":
        yield "method.num_virtual_tokens", max(50, method.num_virtual_tokens), "more vectors can learn a little more"
    if _kept(config):
        yield "training.num_train_epochs", 2 * _epochs(facts), "early stopping ends it in time"
        patience = config.training.early_stopping_patience or 4
        yield "training.early_stopping_patience", patience, "it stops when the validation rows gain no more"
    else:
        yield "training.num_train_epochs", _epochs(facts), _of_rows(facts)
    yield from _whole()
    yield from _checks(config, facts, 5)
    yield "evaluation.max_rows", max(500, config.evaluation.max_rows), "narrower intervals"


def _small(config: RunConfig, facts: Facts) -> Iterator[Step]:
    """One row at a time with the same rows in an update; activations computed again (Chen et al. 2016).

    On a graphics card a base in 4 bits (Dettmers et al. 2023) or, where all weights are trained, moments in 8 bits
    (Dettmers et al. 2022); on a CPU Adafactor's factored moments (Shazeer and Stern 2018).
    """
    t, card, name = config.training, facts.device == "cuda", config.method.name
    large, in_4_bits = (facts.parameters or 0) >= LARGE, card and facts.kind == "decoder"
    if name == "lora" and in_4_bits:
        yield "method.name", "qlora", "the base is held in 4 bits"
        yield from _carried(config)
    elif name == "full" and large:
        kept = "only a small adapter has gradients and moments"
        yield "method.name", *(("qlora", f"{kept}, and the base is held in 4 bits") if in_4_bits else ("lora", kept))
    elif name == "full":
        optim = "paged_adamw_8bit" if card else "adafactor"
        yield "training.optim", optim, "the optimiser keeps less for each weight"
    if config.task == "similarity" and t.loss in ("auto", "multiple_negatives"):
        rows, why = (
            min(8, t.per_device_train_batch_size),
            "few rows at a time; a pair is told from the others of its batch",
        )
    else:
        rows, why = 1, "the activations of one row at a time"
    yield "training.per_device_train_batch_size", rows, why
    yield (
        "training.gradient_accumulation_steps",
        min(4096, -(-_batch(t) // rows)),
        ("as many rows in an update as before"),
    )
    yield "training.gradient_checkpointing", True, "activations are computed again instead of kept; a third slower"
    if t.batching == "packed":
        yield "training.batching", "grouped", "packed rows are always as long as the longest"
    yield "data.max_tokens", min(512, config.data.max_tokens), "memory grows with the longest row"


def _carried(config: RunConfig) -> Iterator[Step]:
    """The settings of LoRA, which QLoRA has as well."""
    for key, value in config.method.model_dump().items():
        if key != "name":
            yield f"method.{key}", value, "as it was"


def _epochs(facts: Facts) -> float:
    if facts.rows is None:
        return 3.0
    return 5.0 if facts.rows < FEW else 3.0 if facts.rows < 5 * MANY else 1.0


def _of_rows(facts: Facts) -> str:
    if facts.rows is None:
        return "three passes suit most"
    return f"{facts.rows:,} rows: " + ("few rows take more passes" if facts.rows < FEW else "so many passes suit")


def _whole() -> Iterator[Step]:
    """Nothing that cuts a training short, and the default rate."""
    yield "training.max_steps", None, "the epochs decide"
    yield "training.max_minutes", None, "no time budget"
    yield "training.learning_rate", None, "the default of the method and size"


PRESETS = {
    p.name: p
    for p in (
        Preset("quick", "Quick try", "A few minutes: whether data, template and model go together at all.", _quick),
        Preset("balanced", "Balanced", "The defaults, fitted to the number of rows: a good result in fair time.",
               _balanced),
        Preset("best", "Best quality", "Longer, with a larger adapter; it stops when the validation rows gain no more.",
               _best),
        Preset("small", "Small memory", "As little memory as the method allows, for more time.", _small),
    )
}  # fmt: skip

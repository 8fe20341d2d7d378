"""Models for a task and a machine, and the method that suits one: by memory, before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from core.config import METHODS, ModelConfig, RunConfig, TrainingConfig
from core.data.lengths import Load
from core.models.catalog import read_config
from core.models.catalog_table import BY_ID, CATALOGUE, Entry
from core.models.heads import kind_of
from core.models.memory import peak_parts
from core.models.rates import SMALL
from core.models.shapes import Shape, read_shape, shape_of
from core.models.tokenizer import model_folder
from core.runs.machine import Machine, this_machine

TRIED = ("full", "lora", "qlora")  # methods that a mark is shown for
LABELS = {"full": "Full", "lora": "LoRA", "qlora": "QLoRA"}
ROW = 512  # tokens of the row that is taken as standard, one in a batch; accumulation makes of it any larger batch
ROWS, KEPT = 1000, 100
# Below so many weights an encoder is tuned whole, as BERT was (Devlin et al. 2019, section 4: 110 and 340 million).
WHOLE = 350_000_000


@dataclass(frozen=True)
class Recommendation:
    """What suits a model on a machine.

    Attributes:
        method: full, lora or qlora; "" where none fits. sentence: why, with figures.
        fits: method -> whether a row of 512 tokens fits into what is free. peak_bytes: method -> predicted memory.
    """

    method: str
    sentence: str
    fits: dict[str, bool]
    peak_bytes: dict[str, int]


def recommended(model: Entry | str, machine: Machine | None = None, revision: str | None = None) -> Recommendation:
    """The method that suits a model on a machine, by predicted memory (core/models/memory.py).

    Args:
        model: of the catalogue, its id, or any folder or Hub id, of which small files are read.
        machine: None for this one as it is now. revision: of a Hub model that is not in the catalogue.

    Raises:
        InputError: field "model.path": no such model, or its config.json does not say its sizes.
    """
    machine = machine or this_machine()
    entry = BY_ID.get(model) if isinstance(model, str) else model
    if entry is not None:
        shape, config, name = shape_of(entry.config), entry.config, entry.id
    else:
        shape, name = read_shape(str(model), revision), str(model)
        config = read_config(name, model_folder(name, revision))
    peaks = _peaks(shape, name, machine)
    fits = {method: peak <= machine.free for method, peak in peaks.items()}
    whole = shape.parameters < SMALL or (kind_of(config) != "decoder" and shape.parameters < WHOLE)
    order = ("full", "lora", "qlora") if whole else ("lora", "qlora", "full")
    chosen = next((method for method in order if fits[method]), "")
    return Recommendation(chosen, _sentence(chosen, peaks, machine), fits, peaks)


def _peaks(shape: Shape, name: str, machine: Machine) -> dict[str, int]:
    load = Load(ROWS, 0.0, ROWS * ROW, ROWS * ROW, ROW, ROWS, ROWS, float(ROW), (1, ROW))
    peaks = {}
    for method in TRIED:
        config = RunConfig(
            model=ModelConfig(path=name),
            method=METHODS[method](),
            training=TrainingConfig(per_device_train_batch_size=1),
        )
        peaks[method] = sum(peak_parts(config, shape, load, 1.0, KEPT, machine.device).values())
    if machine.device == "cpu":  # measured with bitsandbytes 0.50.2: 4 bits save no memory at the peak on a CPU
        peaks["qlora"] = max(peaks["qlora"], peaks["lora"])
    return peaks


def _sentence(chosen: str, peaks: dict[str, int], machine: Machine) -> str:
    free = f"{_gib(machine.free)} are free"
    if not chosen:
        least = min(peaks, key=lambda method: peaks[method])
        return (
            f"It does not fit this machine: {LABELS[least]} needs about {_gib(peaks[least])}, and {free}. Take a "
            "smaller model."
        )
    needs = f"about {_gib(peaks[chosen])}, and {free}"
    if chosen == "full":
        return f"Full: it is small enough to train every weight, which needs {needs}."
    if chosen == "lora":
        return f"LoRA: it needs {needs}."
    return f"QLoRA: in 4 bits it needs {needs}; LoRA would need {_gib(peaks['lora'])}."


def _gib(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB"


def find(
    query: str = "",
    task: str = "",
    commercial: Literal["", "conditions", "yes"] = "",
    gated: bool | None = None,
    machine: Machine | None = None,
    entries: Iterable[Entry] = CATALOGUE,
) -> list[Entry]:
    """The models of the catalogue that suit, in its order.

    Args:
        query: words, all of which are in the id, the family or the licence; capitals do not count.
        task: one that it suits. commercial: "yes": its licence allows commercial use; "conditions": perhaps with
            conditions. gated: False: only those whose terms need not be accepted first.
        machine: where a method has to fit. entries: to choose from.
    """
    words = query.casefold().split()
    allowed = {"": ("yes", "conditions", "no"), "conditions": ("yes", "conditions"), "yes": ("yes",)}[commercial]
    return [
        e
        for e in entries
        if all(word in f"{e.id} {e.family} {e.licence}".casefold() for word in words)
        and (not task or task in e.tasks)
        and e.commercial in allowed
        and gated in (None, e.gated)
        and (machine is None or recommended(e, machine).method)
    ]

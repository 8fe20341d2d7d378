"""Peak learning rates: a default by method and by the size of the model, each with its source."""

from __future__ import annotations

from core.config import RunConfig
from core.errors import InputError
from core.models.catalog import describe_model

# lora, qlora: 2e-4, the value of the QLoRA paper (Dettmers et al. 2023, table 9). full: 2e-5, where the Alpaca recipe
# (Taori et al. 2023) and the source's 1e-5 to 1e-4 agree. adapter: 1e-4, which Pfeiffer et al. (2020) and AdapterHub
# use. ia3: 3e-3 (Liu et al. 2022, section 3.3). prompt: 3e-2, as in PEFT's own examples.
RATES = {"full": 2e-5, "lora": 2e-4, "qlora": 2e-4, "adapter": 1e-4, "ia3": 3e-3, "prompt": 3e-2}
SMALL = 50_000_000  # parameters; models below want larger steps (measured on the demo model: docs/benchmarks.md)
SMALL_RATES = {"full": 5e-4, "lora": 2e-3, "qlora": 2e-3, "adapter": 2e-3, "ia3": 3e-2, "prompt": 5e-2}


def default_rate(method: str, parameters: int | None) -> float:
    """The default of a method for a model of so many parameters; None: not known, which is taken as large."""
    small = parameters is not None and parameters < SMALL
    return (SMALL_RATES if small else RATES)[method]


def learning_rate(config: RunConfig) -> float:
    """The peak learning rate of a run: as set, or the default of its method and the size of its model."""
    if config.training.learning_rate is not None:
        return config.training.learning_rate
    try:
        parameters = describe_model(config.model.path, config.model.revision).parameters
    except InputError:
        parameters = None
    return default_rate(config.method.name, parameters)

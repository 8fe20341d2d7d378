"""What every kind of package has: rows to ask, PyTorch's answers to them, a graph, a script, and a comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from core.config import RunConfig
from core.export import targets
from core.export.options import Options
from core.export.source import Source
from core.export.targets import Target

Say = Callable[[str], None]
# What a report says of the comparison; None where it could not be made.
FIGURES = (
    "same", "greedy_match", "token_match", "max_logit_difference", "mean_logit_difference", "logit_range",
    "largest_logit", "logit_rows", "differing", "metric", "metrics", "perplexity", "tokens_per_second",
    "first_token_seconds", "load_seconds", "peak_bytes",
)  # fmt: skip


class Maker(ABC):
    """One export of one kind of model.

    Attributes:
        entry: the module whose text becomes the package's run.py. kind: of model, for people and tunesmith.json:
            "writer", "rewriter" or "reader".
        compared: whether this machine can run the package. stands_in: whether its processor does so in the device's
            place; then `settings["device"]` of the package is "cpu" while it is compared.
    """

    entry: ClassVar[str]
    kind: ClassVar[Literal["writer", "rewriter", "reader"]]

    def __init__(self, given: Source, options: Options, target: Target) -> None:
        self.given, self.options, self.target = given, options, target
        able = target.verifiable(self.kind)[0]
        self.stands_in = not able and target.compared_on_cpu(options.precision)
        self.compared = able or self.stands_in
        self.config: RunConfig | None = given.run.config() if given.run is not None else None

    @classmethod
    def check(cls, config: Mapping[str, Any], options: Options, target: Target) -> None:
        """Before anything is loaded: whether a model with this config.json can be exported so.

        Raises:
            InputError: it cannot; in a sentence that says what can.
        """
        targets.check(options.device, options.precision, cls.kind)
        if options.precision == "int4":
            targets.check_int4(target, options.block_size, options.accuracy_level)
        cls.check_model(config, options, target)

    @classmethod
    @abstractmethod
    def check_model(cls, config: Mapping[str, Any], options: Options, target: Target) -> None:
        """The part of `check` that looks at the model."""

    @abstractmethod
    def ask(self, rows: int, data: str | None) -> Any:
        """At most so many real rows that training did not see, as they are asked; see core.export.questions.ask.

        The result has `prompts` (one entry a row), `rows` (the raw rows behind them) and `told` (where they come from).

        Raises:
            InputError: the data cannot be read or do not fit the template.
        """

    @abstractmethod
    def reference(
        self,
        asked: Any,
        work: Path,
        on_row: Callable[[float], None],
        should_stop: Callable[[], bool],
    ) -> Any:
        """PyTorch's answers to the rows. work: a folder for what is large.

        Raises:
            core.runs.state.Stopped: `should_stop` said so.
        """

    @abstractmethod
    def build(self, out: Path, say: Say) -> None:
        """Write the graph and the tokenizer's files into a folder; nothing in them may tell of this machine.

        Raises:
            InputError: it cannot be made. OSError: the disk is full. RuntimeError: it came out wrong.
        """

    @abstractmethod
    def settings(self, asked: Any) -> dict[str, Any]:
        """What tunesmith.json says beyond what each package has; see core.export.make."""

    def requirements(self) -> Sequence[str]:
        """Lines of requirements.txt beyond those of the device and of prompts."""
        return ()

    @abstractmethod
    def compare(self, staged: Path, asked: Any, truth: Any) -> dict[str, Any]:
        """The part of the report that the comparison fills: "status", "message" and what of FIGURES it measured.

        Args:
            staged: the whole package. truth: what `reference` gave; None where this machine cannot run the package, and
                only the prompts of its run.py are compared.

        Raises:
            RuntimeError: it does not run, or renders other prompts; in one sentence.
        """

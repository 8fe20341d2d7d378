"""PyTorch's model beside a package of it: the run's own weights, asked as training and evaluation ask them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft import PeftModel

from core.methods import method
from core.methods.merge import KINDS
from core.models.heads import TAGS, Head
from core.models.load import BASE_NOTE, head_of_weights, labels_of, load_run
from core.runs import records
from core.runs.store import Run
from core.tasks.headed import Headed
from core.tasks.objective import Objective, objective_for
from core.tasks.predict import write
from core.tasks.vectors import embed, fill


@dataclass(frozen=True)
class Beside:
    """A run's model in float32 on the CPU, with what its head needs to be asked."""

    model: Any
    tokenizer: Any
    head: Head
    objective: Objective

    def write(
        self,
        ids: list[int],
        most: int,
        ends: set[int],
        on_token: Callable[[int], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Go on from a prompt, greedily; each token is told as it comes, the end too.

        Raises:
            core.runs.state.Stopped: `should_stop` said so.
        """
        write(
            self.model, self.tokenizer, [ids], max_new_tokens=most, ends=ends, on_token=on_token,
            should_stop=should_stop,
        )  # fmt: skip

    @torch.inference_mode()
    def read(self, many: Sequence[Sequence[int]], pad: int) -> list[np.ndarray]:
        """What a model that reads says of texts, in one batch; see core.export.packages.run_reader."""
        ids, mask = fill(many, pad)
        if not isinstance(self.objective, Headed):
            return list(embed(self.model, ids, mask).numpy())
        said = self.objective.say(self.model, {"input_ids": ids, "attention_mask": mask}).float().numpy()
        return [one[: len(text)] for one, text in zip(said, many, strict=True)] if self.head is TAGS else list(said)


def open_beside(run: Run, bare: bool = False) -> Beside:
    """The model of a run, its adapter merged where that changes nothing; bare: without the adapter.

    Raises:
        InputError: the weights or their base cannot be loaded.
    """
    model: Any
    model, tokenizer = load_run(run)
    folder = run.dir / "model"
    head = head_of_weights(str(folder))
    labels = labels_of(model, head)
    if isinstance(model, PeftModel):
        said = records.ADAPTER.read(folder / "adapter_config.json") or {}
        quantised = (records.BASE.read(folder / BASE_NOTE) or {}).get("quantization")
        if bare:
            model = model.unload()
        elif not quantised and not method(KINDS[str(said["peft_type"])]).mergeable:
            model = model.merge_and_unload()
    return Beside(model, tokenizer, head, objective_for(run.config(), tokenizer, head, labels))

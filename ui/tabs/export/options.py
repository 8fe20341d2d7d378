"""The fold of what few people change: blocks of int4, calibration of int8, adapters apart or together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.errors import InputError
from core.export.options import ACCURACY_LEVELS, BLOCK_SIZES
from core.runs.adapters import by_base
from core.runs.store import Run
from ui import places
from ui.parts import html
from ui.telling import when

OWN = -1
WHAT = "For most models the usual values are right. What is changed here holds for the next export."


@dataclass(frozen=True)
class OptionsPart:
    """The components of the fold."""

    fold: gr.Accordion
    block_size: gr.Dropdown
    accuracy_level: gr.Dropdown
    calibration: gr.Radio
    keep_adapter: gr.Checkbox
    adapters: gr.CheckboxGroup

    def inputs(self) -> list[Any]:
        """What `gather` takes, in its order."""
        return [self.block_size, self.accuracy_level, self.calibration, self.keep_adapter, self.adapters]


def layout() -> OptionsPart:
    """Draw the fold."""
    with gr.Accordion("More choices", open=False, elem_id="export-options") as fold:
        html(f'<p class="quiet small">{WHAT}</p>')
        with gr.Row(elem_classes="pair"):
            block = gr.Dropdown(
                list(BLOCK_SIZES), value=32, label="int4: block size", interactive=True, min_width=200,
                info="Weights that share a scale. Smaller blocks: closer to the original, and larger.",
            )  # fmt: skip
            level = gr.Dropdown(
                [("The device’s own", OWN), *((f"{n} · {what}", n) for n, what in ACCURACY_LEVELS.items())],
                value=OWN, label="int4: accuracy level",
                info="What the products are reckoned in. int8 is fastest on a processor.", min_width=200,
                interactive=True,
            )  # fmt: skip
        calibration = gr.Radio(
            [("Dynamic: scales as it runs", "dynamic"), ("Static: scales from real rows", "static")], value="dynamic",
            label="int8 of a model that reads", interactive=True, elem_id="calibration",
        )  # fmt: skip
        keep = gr.Checkbox(
            label="Keep the LoRA apart in the graph", value=False, interactive=True,
            info="One per cent larger, and slower; the base's weights stay as they were.",
        )  # fmt: skip
        adapters = gr.CheckboxGroup(
            [], label="More adapters in the same package", elem_id="export-adapters", interactive=True, visible=False,
            info="Runs on the same base: one graph, a small file for each, switched at run time. The package takes the "
            "place of this run’s own for the same device and precision.",
        )  # fmt: skip
    return OptionsPart(fold, block, level, calibration, keep, adapters)


def gather(
    block_size: int, accuracy_level: int, calibration: str, keep_adapter: bool, adapters: list[str]
) -> dict[str, Any]:
    """What was chosen, as core.runs.jobs.start_export takes it."""
    return {
        "block_size": int(block_size),
        "accuracy_level": None if int(accuracy_level) == OWN else int(accuracy_level),
        "calibration": str(calibration),
        "keep_adapter": bool(keep_adapter),
        "adapters": tuple(str(name) for name in adapters or ()),
    }


def fitting(run: Run | None, chosen: list[str]) -> tuple[gr.Radio, gr.Checkbox, gr.CheckboxGroup]:
    """The choices that this run has: calibration of one that reads, a LoRA apart, the other runs on the same base."""
    reads = places.kind_of(run) == "reader"
    adapter = run is not None and (run.dir / "model" / "adapter_config.json").is_file()
    found: list[tuple[str, str]] = []
    if run is not None and adapter and not reads:
        try:
            infos = next((i for i in by_base().values() if any(one.run.id == run.id for one in i)), [])
        except InputError:
            infos = []
        found = [(f"{i.run.title} · {when(i.run.created)}", i.run.id) for i in infos if i.run.id != run.id]
    kept = [name for name in chosen or () if name in [key for _, key in found]]
    return (
        gr.Radio(visible=reads),
        gr.Checkbox(visible=adapter and not reads),
        gr.CheckboxGroup(choices=found, value=kept, visible=bool(found)),
    )

"""Write docs/devices.md from the table of devices (core/export/targets.py): python -m docs.make."""

from __future__ import annotations

from pathlib import Path

from core.export.offers import KINDS, Target
from core.export.targets import PRECISIONS, TARGETS

TARGET = Path(__file__).parent / "devices.md"

BEGINNING = """# Devices

<!-- Written by `make docs` from core/export/targets.py: change a device there, not here. -->

    python -m core export RUN --device cpu --precision int8

Every package is built by the processor of the machine that Tunesmith runs on: no device has to be there for that. To be
called *verified* it must have run on the device itself. Where the device is not there, the processor stands in for it,
in the precisions that say so below: then the figures are those of the same graph, the answers are compared with
PyTorch's all the same, and the badge still says *not verified here*. `run.py --on cpu` does so on any machine.

OpenVINO is the exception that runs here: `pip install openvino` beside Tunesmith, and its packages, which ask OpenVINO
itself and not onnxruntime's provider of it, are compared on OpenVINO's own CPU plug-in, in float32 and without its
quantised activations; `run.py --on GPU` and `--on NPU` take an Intel GPU or NPU, which nobody tried here. Importing
`openvino` reports that to its makers, unless its package `openvino_telemetry` is missing; packages and Tunesmith hide
that one from it, so nothing is sent.

Kinds of model: one that *writes* (a decoder), one that *rewrites* (an encoder-decoder such as T5), one that *reads*
(labels, tags, vectors). The precision in bold is the one to take.

"""

END = """## Precisions

{precisions}

int4 has blocks: so many weights share a scale (`--block-size`), and smaller blocks are closer to the model and larger
as files. Its accuracy level (`--accuracy-level`) says what the activations are reckoned in: 0 the runtime's choice,
1 fp32, 2 fp16, 3 bf16, 4 int8. On the processor that this was tried on, 0 to 3 gave the same numbers.

## What was found out

- The builder's fp16 for a processor fails at the second token; its fp16 for CUDA runs on a processor, and is what `cpu`
  and `openvino` get in fp16.
- bf16 runs on NVIDIA GPUs alone: onnxruntime has no such kernels for a processor, so nobody compares it here.
- fp32 for CUDA, DirectML and TensorRT-RTX: the builder's graph of a model that writes does not load (its attention has
  no such form there), so it is not offered.
- TensorRT-RTX and OpenVINO take int4 only where the embedding is not quantised: it is then stored in full.
- `onnxruntime-genai-directml` 0.13.2 and newer ask for an `onnxruntime-directml` that was never published; the pinned
  0.13.1 is the newest that pip can install.
- A Snapdragon's NPU wants every size fixed, 16 bits for activations and 8 for weights, and scales that real rows gave.
  What hides a token from attention is minus infinity in the graph, which leaves no scale for the scores: it becomes
  -100 there.
"""


def document() -> str:
    """The whole page."""
    parts = [BEGINNING, "".join(_device(found) for found in TARGETS.values())]
    precisions = "\n".join(f"- **{p.name}**: {p.sentence}" for p in PRECISIONS.values())
    return "".join([*parts, END.format(precisions=precisions)])


def _device(found: Target) -> str:
    rows = ["| Model | Precisions | What its package needs |", "|---|---|---|"]
    for kind, what in KINDS.items():
        verb = what.partition(":")[0]
        if kind not in found.offers:
            rows.append(f"| {verb} | none | {found.missing[kind]} |")
            continue
        offer = found.offers[kind]
        names = ", ".join(f"**{name}**" if name == offer.default else name for name in offer.precisions)
        rows.append(f"| {verb} | {names} | {', '.join(f'`{line}`' for line in offer.requirements)} |")
    stands_in = f"A processor stands in for it in {', '.join(found.stands_in)}. " if found.stands_in else ""
    int4 = ""
    if "int4" in found.precisions:
        sizes = ", ".join(map(str, sorted(found.block_sizes)))
        int4 = f"int4: blocks of {sizes}; onnxruntime's builder itself would take accuracy level "
        int4 += f"{found.accuracy_levels[0]}."
    said = f"{found.sentence} Needs: {found.needs} Execution provider: `{found.provider}`. {stands_in}{int4}".strip()
    return f"## {found.label}: `--device {found.device}`\n\n{said}\n\n" + "\n".join(rows) + "\n\n"

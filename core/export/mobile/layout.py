"""A built package as a phone wants it: graphs in onnxruntime's own format, what a small runtime must hold, a sample.

onnxruntime reads the .ort format everywhere; a runtime that was built for an app alone, with no more than the operators
that required_operators_and_types.config names, reads no other. What onnxruntime-genai runs stays as it is.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

from core.export.graphs.quantize import silent

PHONE = "PHONE.md"
NEEDED = "required_operators_and_types.config"
SAMPLES = Path(__file__).parent


def lay_out(folder: Path, kind: str) -> dict[str, Any]:
    """Lay a package out in place; returns what tunesmith.json says of it.

    Args:
        folder: holds the graphs (NAME.onnx) where they were built. kind: of model, see core.export.offers.KINDS.

    Raises:
        RuntimeError: onnxruntime's converter failed; in one sentence. OSError: the disk is full.
    """
    graphs: dict[str, str] = {}
    # A file of this format holds its weights, and 2 GB at most: a graph whose weights lie beside it stays as it is.
    if kind != "writer" and not list(folder.glob("*.onnx.data")):
        graphs = {path.name: path.with_suffix(".ort").name for path in sorted(folder.glob("*.onnx"))}
        _convert(folder, list(graphs))
    sample = (SAMPLES / f"{kind}.md").read_text(encoding="utf-8")
    (folder / PHONE).write_text(sample, encoding="utf-8", newline="\n")
    return {"graphs": graphs} if graphs else {}


def _convert(folder: Path, names: list[str]) -> None:
    """Put NAME.ort in the place of each graph, and beside them the list of what they need of a runtime."""
    from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, convert_onnx_models_to_ort

    with tempfile.TemporaryDirectory(prefix=".mobile-", dir=folder) as work, silent():
        given, made = Path(work) / "given", Path(work) / "made"
        given.mkdir()
        for name in names:
            (folder / name).rename(given / name)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            convert_onnx_models_to_ort(
                given,
                output_dir=made,
                optimization_styles=[OptimizationStyle.Fixed],
                target_platform="arm",  # without the layouts that only x86 has
                enable_type_reduction=True,
            )
        for name in names:
            graph = (made / name).with_suffix(".ort")
            if not graph.is_file():
                raise RuntimeError(f"onnxruntime's converter wrote no {graph.name}.")
            graph.rename(folder / graph.name)
        (needs,) = made.glob("*.config")
        lines = [line for line in needs.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        text = f"# What a runtime needs for {', '.join(Path(name).stem for name in names)}.\n" + "\n".join(lines) + "\n"
        (folder / NEEDED).write_text(text, encoding="utf-8", newline="\n")

"""Export: a model as a package that runs without us, and the proof that it answers the same.

What the page needs is light, and lies here and in `core.export.targets`:

    exports(run) -> [{"device", "precision", "name", "dir", "zip", "zip_bytes", "report", "failed", "damage", "state"}]

- `report`: report.json of the package that stands there (None: there is none, or only a half of one). Its keys:
  device, precision, status ("verified", "verified with loss", "not verified here"), message (one sentence for the
  badge), rows, rows_from, same (share of rows with PyTorch's answer; greedy_match and token_match of what is written),
  max_logit_difference, mean_logit_difference, logit_range, largest_logit, logit_rows, differing, metric ({"name",
  "pytorch", "onnx", "difference": {"mean", "low", "high", "p"}}; all of the task's under metrics), and of both sides
  {"pytorch", "onnx"}: perplexity, tokens_per_second, first_token_seconds. load_seconds, peak_bytes, bytes, seconds,
  made (seconds since 1970), head, weights, options. "on_processor" ({"status", "message"}) where this machine's
  processor stood in for the device; "adapters" of a package of several. What could not be measured is None.
- `damage`: why report.json cannot be read, in a sentence; "" where it can be, or is not there.
- `failed`: the same of the last attempt where its comparison failed; the package that stood there before still stands.
- `state`: core.runs.state.State of the last attempt (its `what` is "loading", "asking PyTorch", "building",
  "comparing" or "packing"), from export/<device>-<precision>/state.json, which outlives the swap. None for a package
  that nobody tried since.
- `zip`: the file to download, export/<device>-<precision>.zip; None while there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.export.targets import TARGETS
from core.runs import records
from core.runs.state import read

if TYPE_CHECKING:
    from core.runs.store import Run


def exports(run: Run) -> list[dict[str, Any]]:
    """Every package of a run, and every attempt at one, in the order of the table of devices. Reads only."""
    return [
        found
        for target in TARGETS.values()
        for precision in target.precisions
        if (found := export(run, target.device, precision)) is not None
    ]


def export(run: Run, device: str, precision: str) -> dict[str, Any] | None:
    """What `exports` says of one device and precision; None where nobody tried it."""
    folder = run.export_dir(device, precision)
    damage = records.REPORT.damage(folder / "report.json")
    report, failed = records.REPORT.find(folder / "report.json"), records.FAILED.find(folder / "failed.json")
    state = read(folder / "state.json")
    if report is None and failed is None and state is None and not damage:
        return None
    archive: Path | None = folder.with_name(f"{folder.name}.zip")
    size = archive.stat().st_size if archive is not None and archive.is_file() and report else None
    return {
        "device": device,
        "precision": precision,
        "name": folder.name,
        "dir": folder,
        "zip": archive if size is not None else None,
        "zip_bytes": size,
        "report": report,
        "failed": failed,
        "damage": damage,
        "state": state,
    }

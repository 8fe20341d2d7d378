"""A fresh process that has nothing but the package: it runs the package's own run.py, and says what it found.

    python -m core.export.proof.fresh PACKAGE < request.json > answer.json

So what is compared is what is shipped: prompt, tokenizer, graph and all.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core.export.bundle import LIBRARY
from core.paths import ROOT


def ask(bundle: Path, proof: str, request: dict[str, Any]) -> dict[str, Any]:
    """What `answer(package, request)` of a module finds in a fresh process, with "load_seconds" and "peak_bytes".

    Args:
        bundle: the package. proof: the module. request: plain values; "rows" (the raw rows) and "prompts" (what the
            package must make of them) are compared first, and without "answers" that is all. "adapter": which of
            several answers. "stand_in": this machine's processor runs it in the place of its device.

    Raises:
        RuntimeError: it crashed, or makes other prompts; in one sentence.
    """
    done = subprocess.run(
        [sys.executable, "-m", "core.export.proof.fresh", str(bundle)],
        input=json.dumps(request | {"proof": proof}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    sys.stderr.write(done.stderr)
    if done.returncode or not done.stdout.strip():
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no word of why"]
        how = f"it was killed by signal {-done.returncode}" if done.returncode < 0 else last[0]
        raise RuntimeError(f"The package does not run: {how}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if other := found["other_prompts"]:
        raise RuntimeError(
            f"The package's run.py makes other tokens of {len(other)} of {len(request['prompts'])} prompts "
            f"than training did (first: row {other[0]})."
        )
    return found


def load_run_script(bundle: Path) -> Any:
    """The package's own run.py as a module."""
    sys.path.insert(0, str(bundle))  # as `python run.py` does: the prompt code lies beside it
    for name in [n for n in sys.modules if n.partition(".")[0] == LIBRARY]:  # of a package that was loaded before
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location("tunesmith_package_run", bundle / "run.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{bundle.name} has no run.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(bundle: Path, request: dict[str, Any]) -> dict[str, Any]:
    package = load_run_script(bundle).Package(bundle, request.get("adapter"))
    if request.get("stand_in"):
        package.settings["device"] = "cpu"
    other = [i for i, row in enumerate(request["rows"]) if package.ids(row) != request["prompts"][i]]
    if other or "answers" not in request:
        return {"other_prompts": other}
    began = time.perf_counter()
    package.load()
    loaded = time.perf_counter() - began
    found = importlib.import_module(request["proof"]).answer(package, request)
    return {"other_prompts": [], "load_seconds": loaded, "peak_bytes": _peak(), **found}


def _peak() -> int | None:
    """The most memory that this process has held, where the system says so."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss also counts what the parent had when it forked
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


if __name__ == "__main__":
    print(json.dumps(_answer(Path(sys.argv[1]), json.load(sys.stdin))), flush=True)

"""make bench: measure and print one table. python -m tests.bench [--only TOPIC ...] [--quick] [--json]."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile

from core.telemetry import OFF

# One thread on each side, and nothing asked of a network: set before torch and gradio are imported.
os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ.update(OFF, TQDM_DISABLE="1")

TOPICS = (
    "start",
    "tick",
    "listing",
    "preview",
    "opening",
    "doctor",
    "encoding",
    "memory",
    "training",
    "methods",
    "export",
    "olive",
    "decode",
)


def main() -> int:
    """Measure the topics in turn; progress on standard error, the table on standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TOPICS, default=TOPICS, help="these topics alone")
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast it is")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        os.environ["TUNESMITH_RUNS"] = folder
        for topic in args.only:
            print(f"measuring {topic} ...", file=sys.stderr, flush=True)
            rows += importlib.import_module(f"tests.bench.{topic}").measure(args.quick)
    from tests.bench.table import environment, show

    if args.json:
        print(json.dumps({"environment": environment(), "rows": [row.values() for row in rows]}, ensure_ascii=False))
    else:
        print(f"{environment()}\n\n{show(rows)}\n\nA ratio above 1 is in our favour; medians of runs that took turns.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

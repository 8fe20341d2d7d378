"""python -m core push RUN --repo owner/name: an export of a run to the Hugging Face Hub, private by default."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from core.export import push as hub
from core.runs import store
from core.runs.files import write_json
from core.runs.state import StateFile

HELP = "Send an export of a run to the Hugging Face Hub: private by default, with its card; --dry-run shows it first."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("target", metavar="RUN", help="a run's id or folder")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="where to on the Hub; made if not there")
    parser.add_argument(
        "--what",
        default=hub.PACKAGE,
        help=f"{', '.join(hub.WHATS)} (the newest of that kind), or an export's name such as cpu-int8 (package)",
    )
    parser.add_argument("--public", action="store_true", help="everybody can read it (private without this)")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be sent; nothing leaves")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Show, or send. Keys: see core.export.push.told, and with a push url, commit, created, files, bytes, seconds.

    The token comes from HF_TOKEN (or `hf auth login`), never from an argument, which others could see in a list of
    processes. The state of a push is in RUN/export/push/state.json, its result in result.json beside it.
    """
    began = time.monotonic()
    found = store.find(args.target) or store.open_run(args.target)  # which says what was probably meant
    made = hub.plan(found, args.what, args.repo, args.public)
    if args.dry_run:
        return {"dry_run": True} | hub.told(made)
    # The way by Git LFS is the one that was tried; Xet's client runs in threads that no stop reaches.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    folder = found.dir / "export" / "push"
    folder.mkdir(parents=True, exist_ok=True)
    with StateFile(folder / "state.json").working("asking the Hub", forget=True) as job:

        def say(what: str) -> None:
            print(f"{what} ...", file=sys.stderr, flush=True)
            job.check()
            job.say(what)

        sent = hub.push(made, say=say, progress=job.progress, check=job.check)
        job.progress(sent["bytes"], sent["bytes"])
        sent |= {"run": found.id, "export": made.name, "seconds": round(time.monotonic() - began, 1)}
        sent |= {"made": time.time()}
        write_json(folder / "result.json", sent)
    return {"dry_run": False} | sent


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    seen = "private" if result["private"] else "public"
    if not result["dry_run"]:
        return f"Sent: {result['files']} files, {result['bytes'] / 1e6:,.1f} MB, {seen}.\n{result['url']}"
    width = max(len(file["name"]) for file in result["files"])
    return "\n".join(
        [
            f"Nothing was sent. This would go to {result['url']} ({seen}), made if it is not there, as one commit:",
            *(f"  {file['name']:<{width}}  {file['bytes']:>13,} bytes" for file in result["files"]),
            f"  {'all together':<{width}}  {result['bytes']:>13,} bytes",
            f"Commit: {result['message']}",
            *result["notes"],
            "",
            "The card, README.md:",
            "",
            result["card"].rstrip(),
        ]
    )

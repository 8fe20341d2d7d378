"""Look every pin up among known vulnerabilities: python scripts/audit.py. One that is skipped fails, too.

With a network it asks OSV by pip-audit, which skips what it cannot look up and is content: here that fails. Without one
(CI has a package index and no more) it goes by advisories.json beside it, which names every pinned package:

    advisories: {"id", "aliases", "package", "affected": [{"introduced", "fixed"}], "what"}; one that holds for a pin is
        a failure unless "mitigated" says why it does no harm here, and "held_by" names the test that keeps it so.
    none_known: packages that nothing was known of on the day that "looked_up" names.

Exit status: 0 nothing is open, 1 something is.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
ADVISORIES = Path(__file__).with_name("advisories.json")
OSV = "https://api.osv.dev/v1/query"
PATIENCE_S = 8.0  # until it is clear whether there is a network; a name server that is not there is asked for long


def pins(files: Iterable[Path]) -> tuple[dict[str, str], list[str]]:
    """The pinned packages (name -> version), and a sentence for each line that pins none."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            line = line.split("#")[0].strip()
            if not line or line.startswith("-r"):
                continue
            match = re.fullmatch(r"([\w.-]+)(?:\[[\w,.-]+\])?==([^\s;=*]+)", line)
            if not match or not _is_version(match[2]):
                wrong.append(f"{file.name}: {line!r} is not pinned to one version, so that it was not looked up.")
                continue
            found[canonicalize_name(match[1])] = match[2]
    return found, wrong


def offline(pinned: dict[str, str], known: dict[str, Any]) -> list[str]:
    """A sentence for each pin that an advisory of the file holds for, and for each that the file says nothing of."""
    listed = {one["package"] for one in known["advisories"]} | set(known["none_known"])
    wrong = [
        f"{name} {version} was skipped: scripts/advisories.json does not name it. Look it up, and add it there."
        for name, version in pinned.items()
        if name not in listed
    ]
    for one in known["advisories"]:
        version = pinned.get(one["package"])
        if version is not None and any(_within(version, span) for span in one["affected"]):
            wrong += _open(one["package"], version, [one["id"], *one.get("aliases", [])], one["what"], known)
    return wrong


def online(pinned: dict[str, str], report: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """A sentence for each pin that pip-audit found vulnerable, that it skipped, or that its report does not name.

    report: what `pip-audit --format json` prints.
    """
    wrong, told = [], set()
    for one in report["dependencies"]:
        name = canonicalize_name(one["name"])
        if "skip_reason" in one:
            wrong.append(f"{name} was skipped: {one['skip_reason']}")
        elif one.get("version") == pinned.get(name):
            for found in one["vulns"]:
                fixed = f" (fixed in {', '.join(found['fix_versions'])})" if found["fix_versions"] else ""
                names = [found["id"], *found.get("aliases", [])]
                wrong += _open(name, one["version"], names, f"{found.get('description', '')[:200]}{fixed}", known)
        else:
            continue
        told.add(name)
    return wrong + [f"{name} {pinned[name]} was skipped: pip-audit says nothing of it." for name in set(pinned) - told]


def _open(name: str, version: str, ids: Sequence[str], what: str, known: dict[str, Any]) -> list[str]:
    """The sentence for a vulnerability of a pin; none where the file says why it does no harm and a test holds it."""
    for one in known["advisories"]:
        if one["package"] == name and one.get("mitigated") and {one["id"], *one.get("aliases", [])} & set(ids):
            file, _, test = one["held_by"].partition("::")
            if not test or f"def {test}(" not in _text(ROOT / file):
                return [f"{name} {version}: {ids[0]} is mitigated by nothing: there is no test {one['held_by']}."]
            return []
    return [f"{name} {version}: {', '.join(ids)}: {what}"]


def _within(version: str, span: dict[str, str]) -> bool:
    """Whether a version lies from "introduced" (left out: the first) to before "fixed" (left out: none yet)."""
    at = Version(version)
    return Version(span.get("introduced", "0")) <= at and ("fixed" not in span or at < Version(span["fixed"]))


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def reachable(url: str) -> bool:
    """Whether a server answers there, whatever it answers, within PATIENCE_S seconds."""
    answered = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S):  # noqa: S310 - the address is ours
                answered.set()
        except urllib.error.HTTPError:
            answered.set()
        except OSError:
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return answered.is_set()


def asked(pinned: dict[str, str], url: str) -> dict[str, Any]:
    """What pip-audit says of the pins. RuntimeError: it did not come to an end."""
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        file = Path(folder) / "pins.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in pinned.items()), encoding="utf-8")
        line = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip", "--strict"]
        line += ["--vulnerability-service", "osv", "--osv-url", url, "--progress-spinner", "off", "--format", "json"]
        line += ["--cache-dir", folder]
        done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"pip-audit ended with {done.returncode} and said: {said}") from None
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="Look every pin up among known vulnerabilities.")
    parser.add_argument("--offline", action="store_true", help="go by scripts/advisories.json alone")
    parser.add_argument("--osv-url", default=OSV, help=f"the server that is asked ({OSV})")
    args = parser.parse_args(argv)
    known = json.loads(ADVISORIES.read_text(encoding="utf-8"))
    pinned, wrong = pins(REQUIREMENTS)
    if not args.offline and reachable(args.osv_url):
        source = "OSV by pip-audit"
        try:
            wrong += online(pinned, asked(pinned, args.osv_url), known)
        except RuntimeError as error:
            wrong.append(str(error))
    else:
        source = f"scripts/advisories.json of {known['looked_up']}, since OSV does not answer here"
        wrong += offline(pinned, known)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"{len(pinned)} pins looked up in {source}: {len(wrong) or 'nothing'} open.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

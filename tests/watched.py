"""Processes under watch: which addresses they ask for, what they write where, and what reaches a planted collector.

Three means, since none sees all: a hook in every Python of ours (sitecustomize.py on PYTHONPATH) notes connections,
look-ups and files that are opened for writing; strace, where the machine has it, notes the connections of native code,
too; and all that keeps to the proxies of the environment, which native telemetry does, goes to a collector on this
machine. HOME is a folder of the test's own, so that whatever a library leaves behind is found there.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import os
import re
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from core.telemetry import OFF
from tests.conftest import ROOT

# What would hide a telemetry from the test, or is the test's own: a person's environment has none of it.
UNSET = (
    *OFF, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "TUNESMITH_RUNS", "PYTHONPATH", "CI", "GITHUB_ACTIONS",
    "GITLAB_CI", "TF_BUILD", "TRAVIS", "JENKINS_URL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR",
)  # fmt: skip
HOOK = """
import json, os, sys

log = os.open(os.environ["WATCHED_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)


def note(kind, what):
    os.write(log, (json.dumps([kind, str(what)]) + "\\n").encode())


def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple):
            note("address", address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        if args[0] is not None:
            note("address", args[0].decode() if isinstance(args[0], bytes) else args[0])
    elif event == "open":
        path, mode, flags = args
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if isinstance(path, (str, bytes)) and (writes or isinstance(mode, str) and set(mode) & set("wax+")):
            note("file", os.path.realpath(os.fsdecode(path)))
    elif event in ("os.mkdir", "os.rename"):
        path = args[1] if event == "os.rename" else args[0]
        if isinstance(path, (str, bytes)):
            note("file", os.path.realpath(os.fsdecode(path)))


note("start", " ".join(sys.orig_argv))
sys.addaudithook(hook)
"""


class Collector(socketserver.ThreadingTCPServer):
    """A proxy that notes the first line of each request and refuses it: `.heard`."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.heard: list[str] = []
        self.some = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of_pages(self) -> list[str]:
        """What it heard but for what Chromium asks its own makers, whatever page it shows: how to fill forms in."""
        return [line for line in self.heard if "googleapis.com" not in line]

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


class _Refuse(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Collector)
        server.heard.append(self.rfile.readline(2000).decode("latin-1").strip())
        server.some.set()
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Watch:
    """Runs processes in a HOME of their own, and tells what they did.

    Args:
        folder: new; it gets home, temp and the notes. trace: whether native code is watched, too, where that can be.

    Attributes:
        collector: what reached it. env: of the processes. home: their HOME. temp: their folder of temporary files.
    """

    def __init__(self, folder: Path, trace: bool = True) -> None:
        self.folder, self.home, self.temp = folder, folder / "home", folder / "temp"
        for made in (self.home, self.temp, folder / "hook", folder / "traces"):
            made.mkdir(parents=True)
        (folder / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        self.trace = trace and can_trace()
        self.collector = Collector()
        proxies = {name: self.collector.url for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
        proxies |= {name.lower(): value for name, value in proxies.items()}
        self.env = {name: value for name, value in os.environ.items() if name not in UNSET and name not in proxies}
        self.env |= proxies | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        self.env |= {"HOME": str(self.home), "TMPDIR": str(self.temp), "PYTHONPATH": str(folder / "hook")}
        self.env |= {"WATCHED_LOG": str(folder / "notes.jsonl"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}

    def line(self, *command: str) -> list[str]:
        """A command as it is to be started, so that it and all that it starts are watched."""
        if not self.trace:
            return list(command)
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        return ["strace", "-ff", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(self.folder / "traces" / "t"), *command]

    def run(self, *command: str, cwd: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; AssertionError with its words where it fails."""
        done = subprocess.run(
            self.line(*command), cwd=cwd, env=self.env | more, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    def addresses(self) -> set[str]:
        """The hosts that were looked up or spoken to, but for this machine itself."""
        found = {what for kind, what in self._notes() if kind == "address"}
        for file in (self.folder / "traces").iterdir():
            found |= _hosts(file)
        return {host for host in found if not local(host)}

    def written(self, allowed: Iterable[Path]) -> set[str]:
        """The files and folders that Python made or opened for writing, outside of those folders."""
        roots = [os.path.realpath(root) for root in (*allowed, self.folder)]
        files = {what for kind, what in self._notes() if kind == "file"}
        return {f for f in files if f != os.devnull and not any(Path(f).is_relative_to(root) for root in roots)}

    def left_at_home(self) -> list[str]:
        """The files in HOME, but for caches of models and data sets from the Hub."""
        cache = self.home / ".cache" / "huggingface"
        return sorted(
            path.relative_to(self.home).as_posix()
            for path in self.home.rglob("*")
            if path.is_file() and not path.is_relative_to(cache)
        )

    def processes(self) -> list[str]:
        """The command lines of the Python processes that were watched, to see that none went by."""
        return [what for kind, what in self._notes() if kind == "start"]

    def close(self) -> None:
        """End the collector."""
        self.collector.close()

    def _notes(self) -> list[list[str]]:
        file = self.folder / "notes.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _hosts(file: Path) -> set[str]:
    found = re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', file.read_text())
    return {four or six for four, six in found}


def local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in ("localhost", "")
    return address.is_loopback or address.is_unspecified


@functools.cache
def can_trace() -> bool:
    """Whether strace is there, and may watch processes."""
    if not shutil.which("strace"):
        return False
    line = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=connect",
        "-o",
        os.devnull,
        sys.executable,
        "-S",
        "-c",
        "",
    ]
    return subprocess.run(line, capture_output=True).returncode == 0

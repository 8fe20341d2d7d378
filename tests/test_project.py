"""The project's own files: pins, make's targets, CI, the container; all say the same."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.test_walls import SOURCES


def pins(name: str) -> dict[str, str]:
    """The pinned packages of a requirements file, names folded as pip folds them."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line and not line.startswith("-r"):
            package, mark, version = line.partition("==")
            assert mark and re.fullmatch(r"[\w.]+", version), f"{name}: {line!r} is not pinned to one version"
            found[fold(package)] = version
    return found


def fold(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def imported(paths) -> set[str]:
    """The top-level names that files import, at any depth of their code."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"core", "ui", "assets", "app", "tests", "docs", "scripts"}


def test_torch_is_installed_first():
    """What follows then takes it as it is, instead of bringing a build of its own."""
    lines = [x for x in (ROOT / "requirements.txt").read_text().splitlines() if x and not x.startswith("#")]
    assert lines[0].startswith("torch==")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_installed_is_what_is_pinned(name):
    for package, version in pins(name).items():
        assert importlib.metadata.version(package).split("+")[0] == version, package


def test_everything_imported_is_pinned():
    by_name = importlib.metadata.packages_distributions()
    app, dev = pins("requirements.txt"), pins("requirements.txt") | pins("requirements-dev.txt")
    tests = (ROOT / "tests").rglob("*.py")
    # Runtimes of devices that this machine need not have: the package that uses one has its own requirements.txt.
    optional = {"onnxruntime_ep_webgpu", "onnxruntime_ep_nv_tensorrt_rtx", "onnxruntime_qnn", "openvino"}
    for paths, pinned in ((SOURCES, app), (tests, dev)):
        for name in imported(paths) - optional:
            assert name in by_name, f"{name} is not installed"
            assert {fold(d) for d in by_name[name]} & set(pinned), f"{name} is imported and not pinned"


def test_nothing_is_pinned_twice():
    assert not set(pins("requirements.txt")) & set(pins("requirements-dev.txt"))


def make(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *args], cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=60)


def test_make_alone_lists_what_there_is():
    out = make().stdout
    for target in ("run", "test", "check", "bench", "demo-model", "docs", "clean"):
        assert re.search(rf"^{target} +\w", out, re.MULTILINE), target


def test_make_test_runs_what_fails_fast_first(tmp_path):
    out = make("-n", "-B", "test").stdout
    steps = [
        "-r requirements.txt",
        "-r requirements-dev.txt",
        "scripts/browser",
        "ruff check",
        "ruff format --check",
        "mypy",
    ]
    steps += ['"not slow and not browser"', '"slow and not browser"', "-m browser"]
    at = [out.find(step) for step in steps]
    assert all(a >= 0 for a in at), dict(zip(steps, at, strict=True))
    assert at == sorted(at)


def test_make_run_says_where_the_app_comes_from():
    out = make("-n", "-B", "run").stdout
    assert out.find("scripts/venv") < out.find("-r requirements.txt") < out.find(".venv/bin/python app.py")


@pytest.mark.parametrize("name", [".ci/run", "scripts/venv", "scripts/browser"])
def test_scripts_may_be_run(name):
    assert os.access(ROOT / name, os.X_OK)
    shell = "bash" if name == ".ci/run" else "sh"
    assert subprocess.run([shell, "-n", str(ROOT / name)]).returncode == 0


def test_ci_calls_make_test():
    text = (ROOT / ".ci/run").read_text()
    assert "set -euo pipefail" in text and text.rstrip().endswith("make test")


@pytest.mark.parametrize(
    ("python", "sentence"),
    [("", "Tunesmith needs Python 3.11 or newer, and this machine has"), ("OLD", "is Python 3.9.2")],
)
def test_an_old_python_gets_a_sentence(tmp_path, python, sentence):
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit\nexit 1\n')
    old.chmod(0o755)
    line = [str(ROOT / "scripts/venv"), python and str(old), str(tmp_path / "venv")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1 and sentence in done.stderr and not (tmp_path / "venv").exists()


def test_a_python_without_venv_gets_a_sentence(tmp_path):
    """Debian and Ubuntu keep venv in a package of its own; who may not install it is told which."""
    bare, id_ = tmp_path / "python3", tmp_path / "id"
    bare.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    id_.write_text("#!/bin/sh\necho 1000\n")
    for file in (bare, id_):
        file.chmod(0o755)
    line = [str(ROOT / "scripts/venv"), str(bare), str(tmp_path / "venv")]
    done = subprocess.run(line, capture_output=True, text=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 1
    assert f"sudo apt-get install python{sys.version_info.major}.{sys.version_info.minor}-venv" in done.stderr


# The container (no engine here builds it: what can be read off the file is held)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: (NAME, arguments), comments dropped and lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_takes_the_same_steps_as_make_run():
    steps = instructions()
    names = [name for name, _ in steps]
    known = {
        "ARG",
        "FROM",
        "RUN",
        "USER",
        "WORKDIR",
        "ENV",
        "COPY",
        "EXPOSE",
        "VOLUME",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    }
    assert set(names) <= known and names.index("FROM") <= 1 and names[-1] == "CMD"
    install = [rest for name, rest in steps if name == "RUN" and "pip" in rest]
    assert len(install) == 1 and install[0].endswith("${PIP_ARGS} -r requirements.txt")
    assert ast.literal_eval(steps[-1][1]) == ["python", "app.py"]
    for step in ("-r requirements.txt", "python app.py"):
        assert step in make("-n", "-B", "run").stdout.replace(".venv/bin/", "")


def test_the_container_is_one_that_a_space_can_run():
    steps = instructions()
    env = dict(pair.split("=", 1) for name, rest in steps if name == "ENV" for pair in rest.split())
    assert env["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert ("EXPOSE", env["GRADIO_SERVER_PORT"]) in steps and env["GRADIO_SERVER_PORT"] == "7860"
    made = next(rest for name, rest in steps if name == "RUN" and "useradd" in rest)
    assert "--uid 1000" in made and ("USER", "user") in steps
    for name in ("HF_HOME", "TUNESMITH_RUNS"):
        assert env[name] in made, f"{env[name]} is not made for the user who writes there"
    assert ("VOLUME", env["TUNESMITH_RUNS"]) in steps
    version = next(rest for name, rest in steps if name == "ARG" and rest.startswith("PYTHON=")).split("=")[1]
    assert tuple(map(int, version.split("."))) >= (3, 11)


def test_the_container_gets_what_the_app_needs_and_no_more():
    ignored = {
        line.strip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    }
    assert {".git", ".venv", "runs", "tests"} <= ignored
    assert not {"app.py", "core", "ui", "assets", "requirements.txt"} & ignored

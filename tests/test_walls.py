"""The walls of the house: who may import what, what the page must come up without, and how large a room may grow."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = sorted(p for room in ("core", "ui", "assets") for p in (ROOT / room).rglob("*.py")) + [ROOT / "app.py"]
HEAVY = {
    "torch",
    "peft",
    "datasets",
    "bitsandbytes",
    "accelerate",
    "evaluate",
    "onnxruntime",
    "onnxruntime_genai",
    "onnx",
}
# What the page may know of the house: what says things, and nothing that works.
KNOWN_TO_UI = (
    "core.config",
    "core.errors",
    "core.paths",
    "core.data",
    "core.runs",
    "core.export.targets",
    "core.limited",
)
KNOWN_TO_UI += (
    "core.limits",
    "core.visitors",
    "core.methods.modules",
    "core.methods.possible",
    "core.models.tokenizer",
    "core.models.catalog",
    "core.models.catalog_table",
    "core.models.recommend",
    "core.models.suits",
    "core.methods.modules",
    "core.losses.table",
    "core.presets",
    "core.tasks",
    "core.models.remarks",
    "core.models.pinned",
    "core.models.memory",
    "core.models.shapes",
    "core.models.hub",
    "core.models.rates",
    "core.models.heads",
    "core.models.joining",
    "core.settings",
    "core.memo",
    "core.losses.table",
    "core.losses.own",
    "core.export.choice",
    "core.export.formats",
    "core.export.options",
    "core.export.push",
    "core.olive",
)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, at any depth of its code: (line, dotted name)."""
    package = module_of(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                is_module = (ROOT / (whole.replace(".", "/") + ".py")).exists() or (
                    ROOT / whole.replace(".", "/")
                ).is_dir()
                yield node.lineno, whole if is_module else origin


def begins(name: str, known: tuple[str, ...]) -> bool:
    return any(name == k or name.startswith(k + ".") for k in known)


def offences(rooms: tuple[str, ...], wrong) -> list[str]:
    files = [p for p in SOURCES if begins(module_of(p), rooms)]
    assert files, rooms
    return [f"{p.relative_to(ROOT)}:{line} imports {name}" for p in files for line, name in imports(p) if wrong(name)]


def test_core_knows_nothing_of_the_page():
    assert not offences(("core",), lambda name: begins(name, ("gradio", "ui", "app", "assets", "tests")))


def test_the_page_never_imports_what_works():
    assert not offences(("ui", "app"), lambda name: name.split(".")[0] in HEAVY)
    # transformers' tokenizer class alone is light, and core.models.tokenizer is the one place that reaches for it
    assert not offences(("ui", "app"), lambda name: begins(name, ("transformers", "tokenizers", "safetensors")))


def test_the_page_reaches_only_the_rooms_that_say_things():
    def wrong(name: str) -> bool:
        return begins(name, ("core",)) and name not in ("core", "core.export") and not begins(name, KNOWN_TO_UI)

    assert not offences(("ui", "app"), wrong)


def test_only_assets_make_makes_assets():
    assert not offences(("core", "ui", "app"), lambda name: begins(name, ("assets",)))


def test_light_rooms_import_nothing_heavy_at_their_top():
    """core.data, core.runs and the light halves of core.models and core.export, at any depth of their code."""
    light = ("core.data", "core.runs", "core.config", "core.errors", "core.paths", "core.models.tokenizer")
    light += (
        "core.limited",
        "core.visitors",
        "core.methods.modules",
        "core.methods.possible",
        "core.models.scaled",
        "core.models.ways",
        "core.models.catalog",
        "core.models.catalog_table",
        "core.models.recommend",
        "core.models.remarks",
        "core.models.pinned",
        "core.models.memory",
        "core.models.shapes",
        "core.models.speed",
        "core.models.rates",
        "core.models.heads",
        "core.models.joining",
        "core.models.hub",
        "core.export.targets",
        "core.settings",
        "core.presets",
        "core.memo",
        "core.losses.table",
        "core.losses.own",
        "core.olive",
    )
    assert not offences(light, lambda name: name.split(".")[0] in HEAVY)


# What is in sys.modules, asked of processes that import and nothing else


def fresh(code: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def heavy_after(modules: list[str]) -> dict[str, list[str]]:
    """For each module, imported in turn in one process: which heavy ones it was the first to bring."""
    return fresh(
        f"import importlib, json, sys\n"
        f"heavy, found = {sorted(HEAVY)!r}, {{}}\n"
        f"for name in {modules!r}:\n"
        f"    before = set(sys.modules)\n"
        f"    importlib.import_module(name)\n"
        f"    new = set(sys.modules) - before\n"
        f"    bad = [h for h in heavy if h in new]\n"
        f"    bad += sorted(m for m in new if m.startswith(('transformers.modeling', 'transformers.models.')))[:3]\n"
        f"    if bad: found[name] = bad\n"
        f"print(json.dumps(found))"
    )


def test_the_page_comes_up_without_torch():
    modules = [module_of(p) for p in SOURCES if begins(module_of(p), ("ui", "app"))]
    assert heavy_after(modules) == {}


def test_light_rooms_come_up_without_torch():
    light = ("core.data", "core.runs", "core.config", "core.errors", "core.paths", "core.models.tokenizer")
    light += (
        "core.limited",
        "core.visitors",
        "core.methods.modules",
        "core.methods.possible",
        "core.models.scaled",
        "core.models.ways",
        "core.models.catalog",
        "core.models.catalog_table",
        "core.models.recommend",
        "core.models.remarks",
        "core.models.pinned",
        "core.models.memory",
        "core.models.shapes",
        "core.models.speed",
        "core.models.rates",
        "core.models.heads",
        "core.models.joining",
        "core.export.targets",
        "core.losses.table",
        "core.losses.own",
        "core.olive",
        "core.__main__",
    )
    assert heavy_after([module_of(p) for p in SOURCES if begins(module_of(p), light)]) == {}


def test_commands_say_what_they_take_without_torch():
    """`python -m core --help` answers at once: each command imports what works when it works."""
    assert heavy_after([module_of(p) for p in SOURCES if begins(module_of(p), ("core.cli",))]) == {}


def test_every_module_imports():
    modules = [module_of(p) for p in SOURCES if p.name != "__main__.py"]
    code = "import importlib, json\n" + f"for name in {modules!r}: importlib.import_module(name)\n" + "print('[]')"
    assert fresh(code) == []


# How a room is kept


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_is_one_idea(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400, f"{len(lines)} lines: which two ideas are in it?"


FORBIDDEN = {
    "remote code": r"trust_remote_code\s*=\s*True",
    "a swallowed error": r"except( Exception| BaseException)?( as \w+)?:\s*(\n\s*)?(pass|\.\.\.)\s*$",
    "probing": r"\bhasattr\(",
    "unfinished work": r"#\s*(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
    "unsafe loading": r"weights_only\s*=\s*False|use_safetensors\s*=\s*False|\bpickle\.loads?\(",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_source_holds(what):
    found = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(FORBIDDEN[what], text, re.MULTILINE):
            found.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}")
    assert not found


def tracked() -> list[Path]:
    """The files that git keeps; where this is no clone, all that is not ignored by its name."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    skipped = {".venv", ".git", "runs", "build", "node_modules", "__pycache__"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts)]


def test_no_file_names_a_registry_or_this_machine():
    hosts = [
        "pypi" + r"\.org",
        "python" + "hosted",
        r"registry\.npm" + "js",
        r"deb\.deb" + "ian",
        r"archive\.ubun" + "tu",
    ]
    hosts += [r"download\.pyt" + "orch"]
    paths = ["/work/" + "(main|shared|scratch)", "/ro" + "ot/", "/opt/" + "(wheels|pypi)", r"\.py" + "env/"]
    pattern = re.compile("|".join(hosts + paths), re.IGNORECASE)
    found = []
    for path in tracked():
        if path.suffix in (".woff2", ".png", ".safetensors", ".jpg", ".ico", ".gif", ".webp"):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in pattern.finditer(text)]
    assert not found


def test_no_tracked_file_is_large():
    large = {p.relative_to(ROOT).as_posix(): p.stat().st_size for p in tracked() if p.stat().st_size > 2_000_000}
    assert all(name.startswith("assets/demo-model/") and size <= 12_000_000 for name, size in large.items()), large


def test_fixtures_do_not_reach_out_of_the_repository():
    found = [
        p for p in tracked() if p.suffix == ".py" and re.search(r"\.\./sha" + "red", p.read_text(encoding="utf-8"))
    ]
    for path in found:
        assert "skip" in path.read_text(encoding="utf-8"), f"{path}: what lies beside the repository may not be there"

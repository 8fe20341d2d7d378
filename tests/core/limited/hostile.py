"""Folders of models that mean no good: the demo model's tokenizer with another template, regular expression, config."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

DEMO = ROOT / "assets" / "demo-model"
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}"
END = "{% endfor %}{% endfor %}"
GROW = "{% set ns = namespace(s='ab') %}{% for i in range(60) %}"
ENDLESS = {  # name -> a template that would go on for hours, or fill the memory
    "loop": f"{LOOP}{END}",
    "doubles": f"{GROW}{{% set ns.s = ns.s ~ ns.s %}}{{% endfor %}}{{{{ ns.s }}}}",
    "writes": f"{LOOP}{'a' * 500}{END}",
    "lists": "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(80) }}",
    "replaces": f"{GROW}{{% set ns.s = ns.s.replace('a', 'aaaa') %}}{{% endfor %}}",
}
REFUSED = {  # name -> (a template, what is said of it)
    "power": ("{{ 9 ** (9 ** 9) }}", "a number in it becomes too large"),
    "times": ("{{ 'a' * 10 ** 12 }}", "a value in it becomes too large"),
    "recursion": ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "calls itself without end"),
    "reach": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "reaches for what it may not use"),
    "globals": ("{{ namespace.__init__.__globals__ }}", "reaches for what it may not use"),
    "format": ("{{ '{0.__class__.__mro__}'.format(1) }}", "reaches for what it may not use"),
    "import": ("{% import 'os' as os %}{{ os }}", "asks for another file"),
    "include": ("{% include '/etc/passwd' %}", "asks for another file"),
    "syntax": ("{{ messages[0] ", "is broken in its line 1"),
    "filter": ("{{ messages | nosuch }}", "is broken in its line 1: No filter named 'nosuch'"),
    "unknown": ("{{ conversation.text }}", "is broken: it uses a variable that is not there"),
}


def model(folder: Path, template: str | None = None, regex: str = "", **config: Any) -> Path:
    """A folder with a tokenizer and a config.json, without weights.

    Args:
        template: a chat template. regex: what texts are split by first. config: other values for config.json.
    """
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    if template is not None:
        said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        said.pop("chat_template", None)
        (folder / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    if regex:
        whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        whole["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, whole["pre_tokenizer"]]}
        (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    if config:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(values | config), encoding="utf-8")
    return folder


def rows(path: Path, count: int = 4, odd: str = "") -> Path:
    """A file of rows with `prompt` and `completion`. odd: the prompt of the third."""
    texts = [odd if odd and i == 2 else f"{i} kettles to Dublin" for i in range(count)]
    lines = [json.dumps({"prompt": text, "completion": f"done {i}"}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path

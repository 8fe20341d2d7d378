"""The documents say what the code does: settings are derived from it, each flag of each command is in its section."""

import re

import pytest

from core.__main__ import COMMANDS, parser
from core.config import METHODS, RunConfig, loads
from core.export.targets import TARGETS
from core.models.catalog_table import CATALOGUE
from docs import devices_page, models_page
from docs.make import TARGET, document
from tests.conftest import ROOT

COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def section(command: str) -> str:
    """The part of docs/commands.md about one command."""
    found = re.search(rf"^## {command}: .*?(?=^## |\Z)", COMMANDS_PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section about {command}"
    return found.group()


def arguments(command: str) -> dict[str, object]:
    """What a command takes: --flag -> action, and the names of what stands without one."""
    top = parser([command])
    actions = next(a for a in top._actions if a.choices and command in a.choices).choices[command]._actions
    return {
        a.option_strings[-1] if a.option_strings else str(a.metavar or a.dest): a for a in actions if a.dest != "help"
    }


def test_settings_are_fresh():
    assert TARGET.read_text(encoding="utf-8") == document(), "docs/settings.md is out of date: run make docs"


def test_the_models_are_fresh():
    text = models_page.document()
    assert models_page.TARGET.read_text(encoding="utf-8") == text, "docs/models.md is out of date: run make docs"
    assert all(text.count(f"| `{entry.id}` |") == 1 for entry in CATALOGUE)


def test_the_devices_are_fresh():
    text = devices_page.document()
    assert devices_page.TARGET.read_text(encoding="utf-8") == text, "docs/devices.md is out of date: run make docs"
    for device, found in TARGETS.items():
        assert text.count(f"--device {device}`") == 1
        assert all(line in text for offer in found.offers.values() for line in offer.requirements)


def test_settings_name_every_field_and_the_yaml_is_read():
    text = document()
    for name, field in RunConfig.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            assert f"`{name}.{key}`" in text
    for method, cls in METHODS.items():
        assert f"`name: {method}`" in text and all(f"`method.{k}`" in text for k in cls.model_fields if k != "name")
    assert loads(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]) == RunConfig()


def test_every_command_has_its_section():
    assert re.findall(r"^## (\w+):", COMMANDS_PAGE, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_in_its_section_and_no_other(command):
    said = set(re.findall(r"^\| `([^`\s]+)", section(command), re.MULTILINE))
    takes = arguments(command)
    choices = {c for action in takes.values() if not action.option_strings for c in action.choices or ()}
    hidden = {name for name, action in takes.items() if not action.option_strings and action.choices}
    assert said == (set(takes) - hidden) | choices


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_taken(command):
    import shlex

    lines = re.sub(r'"[^"]*"', lambda m: m.group().replace("\n    ", " "), section(command))
    examples = re.findall(r"^    python -m core (.*)$", lines, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(example)
        assert parser(words).parse_args(words).command == command

"""Names of other tools and times lead to ours."""

import pytest

from core.config import METHODS, RunConfig, build
from core.errors import ConfigError
from core.older_names import OLDER, older


def paths():
    """Every setting's path."""
    found = {"method.name"} | {f"method.{key}" for method in METHODS.values() for key in method.model_fields}
    for name, field in RunConfig.model_fields.items():
        found |= {f"{name}.{key}" for key in getattr(field.annotation, "model_fields", {})}
    return found


def test_they_lead_to_settings_that_are_there_and_are_none_themselves():
    assert {path for path, _ in OLDER.values()} <= paths()
    assert not set(OLDER) & {path.partition(".")[2] for path in paths()}
    assert older("r") == "" and older("warmup_ratio").endswith("a share below 1 is one of all steps.")


@pytest.mark.parametrize("name", OLDER)
def test_each_is_said_at_its_key_wherever_it_stands(name):
    sections = {"training": {name: 1}, "data": {name: 1}, "model": {name: 1}, "method": {"name": "qlora", name: 1}}
    with pytest.raises(ConfigError) as error:
        build({**sections, name: 1})
    said = error.value.errors
    assert set(said) == {name, *(f"{section}.{name}" for section in sections)}
    assert all(f"{name} is {OLDER[name][0]} here" in sentence for sentence in said.values())

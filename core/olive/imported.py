"""What was read from Olive: our settings, an export, a search, and every option that could not be honoured."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core import yamltext
from core.config import RunConfig, build
from core.errors import ConfigError, InputError


@dataclass(frozen=True)
class Note:
    """An option, its value, and in one sentence why it is not honoured (or what is taken where nothing was said)."""

    option: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Imported:
    """The result of `core.olive.read`.

    Attributes:
        kind: what was read, such as "olive finetune" or "workflow".
        config: settings by section, those alone that the text says or that Olive takes by itself; None: no training.
            `build(config)` makes a RunConfig of it.
        export: device, precision, adapters, keep_adapter, block_size, accuracy_level, calibration, target and out, as
            far as known; None where nothing is exported.
        search: {"strategy", "trials", "seed", "space": {dotted field: {"type", ...}}}; None where nothing is searched.
        command: the command line of ours that does the same export; "" where nothing is exported.
        ignored: what the text says and is not honoured. assumed: what it does not say, and Olive takes by itself.
        missing: in one sentence each, what the text leaves open that a training needs.
        more: further commands of the same text, which do not belong to the first.
    """

    kind: str
    config: dict[str, Any] | None = None
    export: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    command: str = ""
    ignored: tuple[Note, ...] = ()
    assumed: tuple[Note, ...] = ()
    missing: tuple[str, ...] = ()
    more: tuple[Imported, ...] = ()

    @property
    def yaml(self) -> str:
        """The settings as YAML, which `python -m core train` takes; "" where there are none."""
        return yamltext.write(self.config) if self.config else ""

    def values(self) -> dict[str, Any]:
        """All of it as plain values, for --json."""
        return asdict(self) | {"more": [other.values() for other in self.more]}


@dataclass
class Draft:
    """An `Imported` while it is read; the options that gave a setting are kept, so that an error can name them."""

    kind: str
    sections: dict[str, Any] = field(default_factory=dict)
    export: dict[str, Any] | None = None
    search: dict[str, Any] = field(default_factory=dict)
    trains: bool = False
    ignored: list[Note] = field(default_factory=list)
    assumed: list[Note] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)

    def set(self, path: str, value: Any, option: str = "") -> None:
        """Give a setting, by its dotted path; `option` is what Olive calls it."""
        section, _, name = path.rpartition(".")
        (self.sections.setdefault(section, {}) if section else self.sections)[name] = value
        if option:
            self.given[path] = option

    def get(self, path: str) -> Any:
        """A setting that was given; None for any other."""
        section, _, name = path.rpartition(".")
        held = self.sections.get(section, {}) if section else self.sections
        return held.get(name) if isinstance(held, dict) else None

    def assume(self, path: str, value: Any, option: str, reason: str) -> None:
        """Give a setting that Olive takes by itself, unless the text gave one."""
        section, _, name = path.rpartition(".")
        if name not in (self.sections.get(section, {}) if section else self.sections):
            self.set(path, value, option)
            self.assumed.append(Note(option, value, reason))

    def ignore(self, option: str, value: Any, reason: str) -> None:
        """Name an option that is not honoured."""
        self.ignored.append(Note(option, value, reason))

    def exports(self, **values: Any) -> None:
        """Say something of an export; None says nothing."""
        self.export = (self.export or {}) | {k: v for k, v in values.items() if v is not None}

    def done(self) -> Imported:
        """The result, its settings checked.

        Raises:
            InputError: a value that the config does not take, one sentence for each, with the name of Olive's option.
        """
        config = self._ordered() if self.trains or self.sections else None
        if config is not None:
            try:
                build(config)
            except ConfigError as error:
                raise InputError(self._sentences(error), error.field) from None
        return Imported(
            kind=self.kind,
            config=config,
            export=self.export,
            search=self.search or None,
            command=command(self.export),
            ignored=tuple(self.ignored),
            assumed=tuple(self.assumed),
            missing=tuple(self.missing),
        )

    def _ordered(self) -> dict[str, Any]:
        """The sections in the order of the config, and the method's name before its settings."""
        known = [*RunConfig.model_fields]
        result = {key: self.sections[key] for key in known if key in self.sections}
        method = result.get("method")
        if isinstance(method, dict) and "name" in method:
            result["method"] = {"name": method["name"]} | method
        return result

    def _sentences(self, error: ConfigError) -> str:
        found = []
        for path, sentence in error.errors.items():
            option = self.given.get(path, "")
            found.append(f"{option} ({path}): {sentence}" if option and option != path else f"{path}: {sentence}")
        return "\n".join(found)


def command(export: dict[str, Any] | None) -> str:
    """The command line of ours that makes an export; "" where there is none."""
    if export is None:
        return ""
    words = ["python", "-m", "core", "export", str(export.get("target") or "RUN")]
    for name in ("device", "precision"):
        if export.get(name):
            words += [f"--{name}", str(export[name])]
    if export.get("adapters"):
        words += ["--adapters", ",".join(export["adapters"])]
    if export.get("keep_adapter") and not export.get("adapters"):
        words.append("--keep-adapter")
    for name in ("block_size", "accuracy_level", "calibration"):
        if export.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(export[name])]
    if export.get("target", "RUN") != "RUN" or export.get("out"):  # which is no run, and has no folder of its own
        words += ["--out", str(export.get("out") or "DIR")]
    return shlex.join(words)


def joined(first: Imported, export: Imported) -> Imported:
    """A training and the export of what it made, as one result."""
    values = {**(export.export or {}), "target": "RUN"}
    values.pop("out", None)
    return replace(
        first,
        kind=f"{first.kind}, {export.kind}",
        export=values,
        command=command(values),
        ignored=(*first.ignored, *export.ignored),
        assumed=(*first.assumed, *export.assumed),
    )

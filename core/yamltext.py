"""YAML as people write it into a config: read strictly, so that no slip is swallowed, and written byte-stably."""

from __future__ import annotations

import re
from typing import Any

import yaml

from core.errors import InputError

DEEPEST = 16  # levels; a config has three
_NESTED = re.compile(r"(?:[-?:][ \t]+){17}")  # a line that may open so many levels
MOST = 200_000  # characters; a config has about 2,000, and PyYAML takes seconds for more than this


class _Strict(yaml.constructor.SafeConstructor):
    """Plain values only; keys are words, and none stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a setting's name is one word, not a list or a mapping", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is there twice; keep one of them", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, LookupError, AttributeError):  # PyYAML's own, for values such as `!!int x`
            shown = f" {node.value[:40]!r}" if isinstance(node, yaml.ScalarNode) else ""
            raise yaml.constructor.ConstructorError(
                None, None, f"the value{shown} makes no sense", node.start_mark
            ) from None


class _Loader(_Strict, yaml.SafeLoader):
    """Dates stay text; aliases (which can grow without bound) are refused."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.depth > DEEPEST:
            raise yaml.composer.ComposerError(None, None, "it is nested too deeply", self.peek_event().start_mark)
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(
                None, None, "an alias (*name) stands for another part; write that part out", mark
            )
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp)
        for tag, regexp in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Quick(_Strict, yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """The same values, parsed by libyaml."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


class _Dumper(yaml.SafeDumper):
    """Text of several lines in double quotes, where `\\n` is seen, instead of YAML's folded forms."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    breaks = any(c in value for c in "\n\r\x85\u2028\u2029\ufeff")  # PyYAML loses some of these in other styles
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if breaks else None)


_Dumper.add_representer(str, _text)


def read(text: str, name: str) -> Any:
    """The plain value that YAML text stands for; `name` begins the sentence of an error.

    Raises:
        InputError: not YAML (with the line), an alias, a key that stands twice, or far too long for a config.
    """
    if len(text) > MOST:
        raise InputError(f"{name} is too long to be a config: more than {MOST:,} characters. Is it a data file?")
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if problem.startswith("but "):  # the second half of a sentence of PyYAML's
            problem = f"{getattr(error, 'context', '')}, {problem}"
        raise InputError(f"{name} cannot be read as YAML{where}: {' '.join(problem.split())}.") from None
    except (ValueError, TypeError, LookupError, AttributeError):  # PyYAML's own, for what stands below a tag
        raise InputError(f"{name} cannot be read as YAML: a value in it makes no sense, such as !!int x.") from None


def quick(text: str) -> Any:
    """The same value as `read` gives, in a tenth of the time; None where that is not sure: then `read` says what it is.

    For many configs at a time that are only told of: libyaml takes a few texts that PyYAML refuses.
    """
    if len(text) > MOST or "&" in text or "*" in text:  # an alias, perhaps
        return None
    if text.count("[") + text.count("{") > 500 or _NESTED.search(text):  # libyaml recurses, and ends the whole process
        return None
    try:
        return yaml.load(text, _Quick)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def write(value: Any) -> str:
    """Plain values as YAML, in their own order; the same values give the same bytes, and `read` gives them back."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000))

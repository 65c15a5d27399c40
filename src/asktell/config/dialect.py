"""The YAML of study files: the core schema of YAML 1.2 (yaml.org/spec/1.2.2, 10.3) on top of PyYAML.

PyYAML follows YAML 1.1, where `no` is false, `1e-3` is text and `1:30` is ninety. Here only
true/false are booleans, `1e-3` is a number, and all else that is not a number or null is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_SIGNED_DIGITS = list("-+.0123456789")
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", _SIGNED_DIGITS),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _SIGNED_DIGITS),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)
_LONGEST_INTEGER = 4000  # digits; Python refuses to read longer ones


class CoreLoader(yaml.SafeLoader):
    """Composes nodes whose tags follow the core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _CoreDumper(yaml.SafeDumper):
    """Quotes what the core schema would read as something else than text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes Unicode's own line breaks as they are, and reads them as breaks.
    style = '"' if re.search("[\x85\u2028\u2029]", text) else None
    return dumper.represent_scalar(_TAG + "str", text, style=style)


_CoreDumper.add_representer(str, _represent_text)

for _name, _pattern, _first in _RESOLVERS:
    for _class in (CoreLoader, _CoreDumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)


def read_scalar(text: str, tag: str) -> str | int | float | bool | None:
    """The value of a scalar whose tag is known."""
    match tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) < _LONGEST_INTEGER:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float":
            return (
                float(text.replace(".inf", "inf").replace(".nan", "nan"))
                if "n" in text.lower()
                else float(text)
            )
    return text


def read_plain(text: str) -> str | int | float | bool | None:
    """The value of `text` as if it stood unquoted in a file."""
    loader = CoreLoader("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # stub lacks it
        return read_scalar(text, str(tag))
    finally:
        loader.dispose()


def write(data: Any) -> str:
    """Plain data as YAML that this dialect reads back as equal; keys keep their order."""
    return yaml.dump(data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=100)


def write_inline(data: Any) -> str:
    """Plain data on one line, as it stands after 'key: '."""
    text = yaml.dump(
        data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=1e9
    )
    return text.removesuffix("\n").removesuffix("\n...")

"""Where a study's values come from: files and `--set`, read into plain values that know their line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from asktell.config.dialect import CoreLoader, read_plain, read_scalar
from asktell.config.types import shorten
from asktell.errors import ConfigError, Problem

Path = tuple[str | int, ...]
"""Keys and list indices from the top of the file."""

SET = "--set"
_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line 0 for the command line."""

    file: str
    line: int


@dataclass(slots=True)
class Source:
    """Plain values, the place of each, and what was wrong with some while they were read.

    spoilt: paths whose values mean nothing, because a problem with them is reported already.
    """

    data: Any
    marks: dict[Path, Mark]
    problems: list[Problem] = field(default_factory=list)
    spoilt: list[Path] = field(default_factory=list)

    def mark(self, path: Path) -> Mark:
        """The place of the value at `path`, or of the innermost section around it that was written."""
        return next(self.marks[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.marks)

    def report(self, path: Path, message: str, remedy: str = "") -> None:
        mark = self.mark(path)
        self.problems.append(Problem(dotted(path), message, remedy, mark.file, mark.line))


def dotted(path: Path) -> str:
    """('constraints', 1) -> 'constraints[1]', ('space', 'x', 'low') -> 'space.x.low'."""
    return "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path).removeprefix(".")


def read(text: str, file: str, environ: Mapping[str, str] | None = None) -> Source:
    """The YAML in `text`. `${VAR}` and `${VAR:-default}` are expanded where `environ` is given.

    Raises ConfigError where the text is not YAML.
    """
    source = Source(None, {(): Mark(file, 1)})
    try:
        loader = CoreLoader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([_syntax_problem(error, file)]) from error
    if node is not None:
        source.data = _Reader(source, file, environ).value(node, ())
    return source


def merge(below: Source, above: Source) -> Source:
    """`above` over `below`: sections are merged key by key, everything else is replaced."""
    return Source(
        _merged(below.data, above.data),
        below.marks | above.marks,
        above.problems + below.problems,
        above.spoilt + below.spoilt,
    )


def override(source: Source, settings: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
    """Put each 'key.path=value' of the command line into `source`; values are read as YAML."""
    source.data = {} if source.data is None else source.data
    for setting in settings if isinstance(source.data, dict) else ():
        key, equals, text = setting.partition("=")
        path = tuple(key.strip().split("."))
        source.marks[path] = Mark(SET, 0)
        if not equals or not all(path):
            source.problems.append(
                Problem("", f"{setting!r} sets nothing", "write --set key.path=value", SET)
            )
            continue
        try:
            value = read(text, SET, environ)
        except ConfigError as error:
            source.problems += [Problem(key, item.message, item.remedy, SET) for item in error.problems]
            continue
        source.problems += [Problem(key, item.message, item.remedy, SET) for item in value.problems]
        source.spoilt += [path + inner for inner in value.spoilt]
        section = source.data
        for depth, name in enumerate(path[:-1], start=1):
            inner = section.get(name)
            if inner is None:
                section[name] = inner = {}
                source.marks.setdefault(path[:depth], Mark(SET, 0))
            if not isinstance(inner, dict):
                source.report(
                    path,
                    f"{dotted(path[:depth])} is {shorten(inner)}, not a section",
                    f"set it as a whole: --set {dotted(path[:depth])}=...",
                )
                break
            section = inner
        else:
            section[path[-1]] = value.data
            for stale in [known for known in source.marks if known[: len(path)] == path != known]:
                del source.marks[stale]


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merged(below.get(key), value) for key, value in above.items()}


class _Reader:
    """Turns composed nodes into plain values, noting lines and problems in `source`."""

    def __init__(self, source: Source, file: str, environ: Mapping[str, str] | None) -> None:
        self._source = source
        self._file = file
        self._environ = environ
        self._open: list[yaml.Node] = []  # an alias inside its own anchor would never end

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._source.marks.setdefault(path, self._mark(node))
        if node in self._open:
            self._source.report(path, "an alias stands inside its own anchor", "write the values out")
            return None
        self._open.append(node)
        try:
            match node:
                case yaml.MappingNode():
                    return self._mapping(node, path)
                case yaml.SequenceNode():
                    return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
                case yaml.ScalarNode():
                    return self._scalar(node, path)
            raise AssertionError(f"PyYAML composes no other nodes than these: {node}")
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._source.marks[(*path, "{")] = self._mark(key_node)
                self._source.report(
                    (*path, "{"), "a key must be text", 'put text with braces in quotes: "{x}"'
                )
                self._source.spoilt.append(path)
                continue
            key = key_node.value
            if key in found:
                first = self._source.marks[(*path, key)].line
                self._source.problems.append(
                    Problem(
                        dotted((*path, key)),
                        "is given twice",
                        f"keep this or the one on line {first}",
                        self._file,
                        line,
                    )
                )
                continue
            self._source.marks[(*path, key)] = Mark(self._file, line)
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if self._environ is None or "${" not in node.value:
            return read_scalar(node.value, node.tag)
        expanded = _REFERENCE.sub(lambda match: self._expand(match, path), node.value)
        # A value that is one reference counts as plain even in quotes: flow style demands the quotes.
        is_plain = node.style is None or _REFERENCE.fullmatch(node.value) is not None
        return read_plain(expanded) if is_plain else expanded

    def _expand(self, match: re.Match[str], path: Path) -> str:
        escaped, inside = match.groups()
        if escaped:
            return match.group()[1:]
        variable = _VARIABLE.fullmatch(inside)
        assert self._environ is not None
        if variable is None:
            message, remedy = f"{match.group()!r} names no variable", "write $${ for a literal ${"
        elif (text := self._environ.get(variable[1]) or variable[2]) is not None:
            return text
        else:
            message = f"the environment variable {variable[1]} is not set"
            remedy = f"export it, or give a default: ${{{variable[1]}:-...}}"
        self._source.report(path, message, remedy)
        self._source.spoilt.append(path)
        return ""

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self._file, node.start_mark.line + 1)


def _syntax_problem(error: Exception, file: str) -> Problem:
    """PyYAML's complaint in words for people who do not know how a scanner works."""
    if isinstance(error, RecursionError):
        return Problem("", "is nested too deeply", "write it flatter", file)
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("", f"holds a character that YAML does not allow ({error})".split("\n")[0], "", file)
    problem = error.problem or str(error)
    mark = error.problem_mark
    message, remedy = f"is not YAML: {problem}", "check quotes, brackets and indentation around this line"
    if "'\\t'" in problem:
        message, remedy = "a tab is used for indentation", "use spaces"
    elif "mapping values are not allowed" in problem:
        message, remedy = (
            "a ': ' stands where none may be",
            "put text that contains ': ' in quotes, or check indentation",
        )
    elif "could not find expected ':'" in problem:
        mark = error.context_mark or mark
        message, remedy = "a key without a ':'", "write key: value"
    elif "expected a single document" in (error.context or ""):
        message, remedy = "holds more than one document", "keep one study per file and drop the ---"
    elif "found undefined alias" in problem:
        message, remedy = "'*' starts an alias that does not exist", "put text that starts with * in quotes"
    elif error.context and "flow" in error.context:
        mark = error.context_mark or mark
        bracket = {"sequence": "a '['", "mapping": "a '{'"}.get(error.context.split()[-1], "a bracket")
        message, remedy = f"{bracket} is not closed properly", "check brackets, commas and quotes"
    return Problem("", message, remedy, file, mark.line + 1 if mark else 0)

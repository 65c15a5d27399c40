"""How the command line writes: JSON, facts, tables."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import click

_LABEL_WIDTH = 12


def is_terminal() -> bool:
    """Whether a person watches stdout, on a terminal that can draw."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def echo_json(data: Any) -> None:
    """One JSON document; NaN and infinities become null."""
    click.echo(json.dumps(plain(data), indent=2, allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """The value as JSON has it: records become objects, paths text, NaN and infinities null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def note(message: str) -> None:
    """Something worth knowing that is not the command's answer: on stderr."""
    click.echo(f"{click.style('note:', fg='yellow')} {message}", err=True)


def echo_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Label and text in two columns; further lines of a text are indented, empty texts left out."""
    for label, text in facts:
        first, *rest = text.splitlines() or [""]
        if not first and not rest:
            continue
        click.echo(f"{click.style(label.ljust(_LABEL_WIDTH), bold=True)} {first}")
        for line in rest:
            click.echo(f"{'':{_LABEL_WIDTH}} {line}")


def echo_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: by rich on a terminal, in aligned plain columns elsewhere; empty columns are left out."""
    used = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    headers, rows = [headers[i] for i in used], [[row[i] for i in used] for row in rows]
    if is_terminal():
        from rich.console import Console

        Console().print(rich_table(headers, rows))
        return
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in (headers, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def rich_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """The table as rich draws it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))  # Text: brackets in a value are no markup
    return table

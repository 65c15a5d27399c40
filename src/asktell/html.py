"""Small pieces of HTML for notebooks: neutral in light and dark, no style sheet, everything escaped.

Frontends clean what a notebook brings along, so there is no <style> and no script: each element says
how it looks, in colours that it inherits.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

_LINE = "1px solid rgba(128, 128, 128, 0.35)"
_CARD = (
    f"border:{_LINE};border-radius:4px;padding:0.5em 0.9em;max-width:60em;line-height:1.45;overflow-x:auto;"
)
_TABLE = "border-collapse:collapse;border:none;margin:0;color:inherit;background:none;"
_CELL = (
    "border:none;padding:0.1em 1.2em 0.1em 0;text-align:left;vertical-align:top;background:none;"
    "white-space:pre-line;overflow-wrap:break-word;"
)
_HEAD = f"{_CELL}font-weight:600;border-bottom:{_LINE};white-space:nowrap;"
_FAINT = "opacity:0.65;"
_LABEL = f"{_CELL}{_FAINT}white-space:nowrap;"
_TRACK = "height:4px;margin:0.4em 0;background:rgba(128, 128, 128, 0.25);border-radius:2px;"
_FILL = "height:4px;background:#0072b2;border-radius:2px;"


def card(title: str, kind: str, *parts: str) -> str:
    """A frame with a heading. kind: what it is ('study'); parts: HTML."""
    heading = f"<strong>{html.escape(title)}</strong> <span style='{_FAINT}'>{html.escape(kind)}</span>"
    return f"<div style='{_CARD}'><div>{heading}</div>{''.join(parts)}</div>"


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Label and text in two columns; empty texts are left out."""
    rows = [_row("td", (_LABEL, label), (_CELL, text)) for label, text in pairs if text]
    return f"<table style='{_TABLE}'>{''.join(rows)}</table>" if rows else ""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; columns without any text are left out."""
    used = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    head = _row("th", *((_HEAD, headers[i]) for i in used))
    body = [_row("td", *((_CELL, row[i]) for i in used)) for row in rows]
    return f"<table style='{_TABLE}'>{head}{''.join(body)}</table>"


def bar(share: float) -> str:
    """How much is done. share: 0 to 1."""
    width = 100 * min(1.0, max(0.0, share))
    return f"<div style='{_TRACK}'><div style='{_FILL}width:{width:.1f}%'></div></div>"


def _row(tag: str, *cells: tuple[str, str]) -> str:
    inner = "".join(f"<{tag} style='{style}'>{html.escape(text)}</{tag}>" for style, text in cells)
    return f"<tr style='background:none'>{inner}</tr>"

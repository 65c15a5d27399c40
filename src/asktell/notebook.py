"""A running study in a notebook: one piece of output, replaced as the study goes."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from asktell import html
from asktell.narration import News, panel_facts, usual_narrator
from asktell.progress import Snapshot
from asktell.records import Closed

DRAW_EVERY_S = 0.5
_MOST_LINES = 4


def default_display(objectives: Sequence[str]) -> Callable[[Snapshot, News], None]:
    """What shows a study that runs in this process: in a notebook a live card, elsewhere nothing."""
    return NotebookDisplay(objectives) if is_notebook() else lambda *_: None


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class NotebookDisplay:
    """A card with how the study stands, and the last news; plain text for frontends without HTML."""

    def __init__(self, objectives: Sequence[str]) -> None:
        self._narrator = usual_narrator(objectives)
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._handle: Any = None
        self._drawn_at = float("-inf")

    def __call__(self, snapshot: Snapshot, news: News) -> None:
        self._lines.extend(self._narrator.lines(snapshot, news))
        now = time.monotonic()
        if now - self._drawn_at >= DRAW_EVERY_S or isinstance(news, Closed):
            self._drawn_at = now
            self._draw(snapshot)

    def _draw(self, snapshot: Snapshot) -> None:
        from IPython.display import display

        more = [("news", "\n".join(self._lines))]
        bundle = {"text/html": study_card(snapshot, more), "text/plain": study_text(snapshot, more)}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def study_card(snapshot: Snapshot, more: Sequence[tuple[str, str]] = ()) -> str:
    """How a study stands, in HTML. more: further labels and texts."""
    state = f"{snapshot.state}: {snapshot.reason}" if snapshot.reason else snapshot.state
    bar = html.bar(snapshot.done / snapshot.total) if snapshot.total else ""
    return html.card(snapshot.name, state, bar, html.facts([*panel_facts(snapshot), *more]))


def study_text(snapshot: Snapshot, more: Sequence[tuple[str, str]] = ()) -> str:
    """The same in plain text."""
    facts = [(snapshot.name, snapshot.state), *panel_facts(snapshot), *more]
    return "\n".join(f"{label}: {text}" for label, text in facts if text)

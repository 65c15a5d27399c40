"""How a running study shows itself: a live panel on a terminal, lines in a file.

Both tell the same news in the same words; the lines go to the driver's log as well.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import click

from asktell.cli.output import is_terminal
from asktell.execute.protocol import MetricsLogged
from asktell.narration import Narrator, News, panel_facts, usual_narrator
from asktell.progress import Snapshot
from asktell.records import Closed
from asktell.wording import moment

if TYPE_CHECKING:
    from rich.console import RenderableType

logger = logging.getLogger(__name__)

FRAME_S = 0.2
_MOST_COLUMNS = 100


class Display(Protocol):
    """Shows a session of a study; `run` calls it with every piece of news."""

    def __call__(self, snapshot: Snapshot, news: News) -> None: ...

    def say(self, line: str) -> None:
        """Show one line."""

    def __enter__(self) -> Display: ...

    def __exit__(self, *exc: object) -> None: ...


class LineDisplay:
    """Lines with their time, for files and pipes."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._is_read = True

    def __enter__(self) -> LineDisplay:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def __call__(self, snapshot: Snapshot, news: News) -> None:
        for line in self._narrator.lines(snapshot, news):
            logger.info("%s", line)
            self.say(line)

    def say(self, line: str) -> None:
        if not self._is_read:
            return
        try:
            click.echo(f"{moment(time.time())}  {line}")
        except OSError as error:
            # A study does not end because nobody listens: `run | head`, a terminal that went away.
            self._is_read = False
            logger.warning("no more lines are written, stdout is gone: %s", error)


class LiveDisplay:
    """A panel that is redrawn in place, and the lines above it."""

    def __init__(self, narrator: Narrator) -> None:
        from rich.console import Console
        from rich.live import Live

        self._narrator = narrator
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn_at = float("-inf")
        self._metric: MetricsLogged | None = None

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.__exit__(None, None, None)

    def __call__(self, snapshot: Snapshot, news: News) -> None:
        for line in self._narrator.lines(snapshot, news):
            logger.info("%s", line)
            self.say(line)
        if isinstance(news, MetricsLogged):
            self._metric = news
        now = time.monotonic()
        if now - self._drawn_at >= FRAME_S or isinstance(news, Closed):
            self._drawn_at = now
            self._live.update(panel(snapshot, self._metric), refresh=True)

    def say(self, line: str) -> None:
        from rich.text import Text

        self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"))


def make_display(objectives: Sequence[str]) -> Display:
    """What suits stdout."""
    narrator = usual_narrator(objectives)
    return LiveDisplay(narrator) if is_terminal() else LineDisplay(narrator)


class Relay(logging.Handler):
    """Shows warnings of the driver to the person who runs it."""

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(f"{record.levelname.lower()}: {record.getMessage()}")


def panel(
    snapshot: Snapshot, metric: MetricsLogged | None = None, more: Sequence[tuple[str, RenderableType]] = ()
) -> RenderableType:
    """The state of a study in a frame, as rich draws it. more: further facts."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    if snapshot.total is not None:
        facts.add_row("", ProgressBar(total=snapshot.total, completed=min(snapshot.done, snapshot.total)))
    for label, text in (*panel_facts(snapshot, metric), *more):
        facts.add_row(label, Text(text) if isinstance(text, str) else text)
    # Never as wide as the terminal: the ^C that it echoes must not begin a line of its own.
    width = min(_MOST_COLUMNS, shutil.get_terminal_size().columns - 4)
    return Panel(facts, title=snapshot.name, title_align="left", width=width)

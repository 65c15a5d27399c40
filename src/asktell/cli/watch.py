"""`watch`: a study as it goes, until it ends. It reads files, and does not touch the driver."""

from __future__ import annotations

import os
import queue
import select
import signal
import sys
import termios
import threading
import time
import tty
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asktell.cli.drive import resume_hint
from asktell.cli.options import study_argument
from asktell.cli.output import echo_facts, is_terminal
from asktell.cli.standing import awaited_job, is_in_queue, status_facts
from asktell.wording import moment

if TYPE_CHECKING:
    from asktell.overview import Overview

_READ_EVERY_S = 2.0
_READING_SHARE = 0.1
_FRAME_S = 1.0
_LISTEN_S = 0.2
_ASK_QUEUE_EVERY_S = 30.0
_LEAVING = ("q", "Q", "\x04")


@click.command()
@study_argument
def watch(study: Path) -> None:
    """Follow a study until it ends.

    A live view on a terminal, a line per piece of news elsewhere. q or Ctrl-C ends the watching, not
    the study. Where a driver's job waits in the queue, it is waited for.
    """
    from asktell.overview import State, read_study

    found = read_study(study)
    if found.state is State.NEW and not awaited_job(found):
        click.echo(f"{study} was never run; start it with {resume_hint(study)}")
        return
    reader = _Reader(study, found)
    try:
        is_left = (_watch_live if is_terminal() else _watch_lines)(reader)
    except KeyboardInterrupt:
        is_left = True
    if not is_left:
        echo_facts(status_facts(reader.found, study))


class _Reader(threading.Thread):
    """Reads a study again and again, beside the one who looks at it and presses keys.

    A study that is long to read is read less often: no one pays for the watching of it.
    """

    def __init__(self, study: Path, found: Overview) -> None:
        super().__init__(daemon=True)  # so that nobody waits for it at the end
        self._study = study
        self._news: queue.SimpleQueue[tuple[Overview, bool] | BaseException] = queue.SimpleQueue()
        self._ask_queue_at = time.monotonic() + _ASK_QUEUE_EVERY_S
        self._is_in_queue = True
        self.found = found
        self.goes_on = self._goes_on(found)
        self.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether there is something new: `found`, `goes_on`. Raises what went wrong with the reading."""
        try:
            news = self._news.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if isinstance(news, BaseException):
            raise news
        self.found, self.goes_on = news
        return True

    def run(self) -> None:
        from asktell.overview import read_study

        cost_s = 0.0
        while True:
            time.sleep(max(_READ_EVERY_S, cost_s / _READING_SHARE))
            begun = time.thread_time()  # waiting for the heartbeat of a driver elsewhere costs nothing
            try:
                found = read_study(self._study)
                self._news.put((found, self._goes_on(found)))
            except Exception as error:  # noqa: BLE001 - raised by `wait`, in the thread of the one who looks
                self._news.put(error)
                return
            cost_s = time.thread_time() - begun

    def _goes_on(self, found: Overview) -> bool:
        """Whether a driver is at work, or one is to come."""
        if found.driver is not None:
            return True
        if not awaited_job(found):
            return False
        if time.monotonic() >= self._ask_queue_at:
            self._ask_queue_at = time.monotonic() + _ASK_QUEUE_EVERY_S
            self._is_in_queue = is_in_queue(found)
        return self._is_in_queue


def _watch_lines(reader: _Reader) -> bool:
    """Tell the news in the words of `run`; returns whether a person left."""
    from asktell.narration import counts_line, time_line, usual_narrator

    def tell(at: float, line: str) -> None:
        click.echo(f"{moment(at)}  {line}")

    found = reader.found
    snapshot = found.snapshot(now := time.time())
    tell(now, f"{found.config.name}: {counts_line(snapshot)}; {time_line(snapshot)}")
    narrator, known = usual_narrator(tuple(found.config.objectives)), len(found.records)
    while reader.goes_on:
        reader.wait()
        snapshot = reader.found.snapshot(time.time())
        for record in reader.found.records[known:]:
            for line in narrator.lines(snapshot, record):
                tell(record.at, line)
        known = len(reader.found.records)
    return False


def _watch_live(reader: _Reader) -> bool:
    """Show the study on the whole terminal; returns whether a person left."""
    from rich.console import Console
    from rich.live import Live

    from asktell.cli.screen import screen

    console = Console(highlight=False)
    drawn_at, size = 0.0, console.size
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave the terminal as it was
    try:
        with (
            _Keys() as keys,
            Live(screen(reader.found, console), console=console, screen=True, auto_refresh=False) as live,
        ):
            while reader.goes_on:
                if keys.pressed(_LISTEN_S) in _LEAVING:
                    return True
                is_due = time.monotonic() - drawn_at >= _FRAME_S
                if reader.wait(0) or is_due or console.size != size:
                    drawn_at, size = time.monotonic(), console.size
                    live.update(screen(reader.found, console), refresh=True)
    finally:
        signal.signal(signal.SIGTERM, before)
    return False


class _Keys:
    """Keys as they are pressed, without Enter; none where stdin is no terminal."""

    def __enter__(self) -> _Keys:
        self._before = None
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self, timeout_s: float) -> str:
        """The key that was pressed within that time; '' for none."""
        if self._before is None:
            time.sleep(timeout_s)
            return ""
        if not select.select([sys.stdin], [], [], timeout_s)[0]:
            return ""
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") or _LEAVING[0]  # '': it hung up

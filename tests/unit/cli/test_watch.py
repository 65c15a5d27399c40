"""`watch`: what it draws, and how it behaves on a terminal, in a pipe, and when the study ends."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from asktell.cli.screen import best_so_far, blocks, screen
from asktell.directory import StudyDirectory, write_json
from asktell.execute.protocol import Task
from asktell.execute.virtual import VirtualExecutor
from asktell.overview import Overview, read_study
from asktell.run import Study
from asktell.trial import Outcome, Status

Cli = Callable[..., Result]

ASKTELL = str(Path(sysconfig.get_path("scripts")) / "asktell")
ON_TERMINAL = (  # Ctrl-C comes from the terminal of a session
    "import fcntl, os, signal, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # who began the tests in the background ignores it
    "os.execv(sys.argv[1], sys.argv[1:])"
)
LEAVES_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str, kind: str = "xterm-256color") -> None:
        self._master, slave = os.openpty()
        self._slave = slave
        self.resize(80, 24)
        self.before = termios.tcgetattr(slave)
        self.written = b""
        environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, ASKTELL, *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env={**environ, "TERM": kind},
        )  # fmt: skip

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def expect(self, text: str) -> None:
        """Wait until it was written, after what was expected last."""
        deadline = time.monotonic() + 60
        while text.encode() not in self.written:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.written.decode()!r}"
            if select.select([self._master], [], [], 1.0)[0]:
                self.written += os.read(self._master, 65536)

    def ended(self) -> int:
        while self.process.poll() is None:
            if select.select([self._master], [], [], 0.1)[0]:
                self.written += os.read(self._master, 65536)
        while select.select([self._master], [], [], 0)[0]:
            self.written += os.read(self._master, 65536)
        return self.process.returncode

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    begun: list[Terminal] = []

    def start(*arguments: str, **options: str) -> Terminal:
        begun.append(Terminal(*arguments, **options))
        return begun[-1]

    yield start
    for item in begun:
        item.close()


@pytest.fixture
def running(cli: Cli) -> Iterator[Study]:
    """A study that this process drives: three trials told, one failed, two under way."""
    with Study.create("study.yaml", "live") as study:
        study.ask(6)
        for number, loss in enumerate((3.0, 1.0, 2.0)):
            study.tell(number, {"loss": loss, "mass": 1.0})
        study.fail(3, "it [bold]exploded")
        yield study


def drawn(found: Overview, columns: int, lines: int) -> list[str]:
    from rich.console import Console

    console = Console(width=columns, height=lines, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(screen(found, console))
    return capture.get().splitlines()


def test_the_live_view_is_left_by_a_key_and_leaves_the_terminal_as_it_was(
    running: Study, terminal: Callable[..., Terminal]
) -> None:
    tty = terminal("watch", "live")
    tty.expect("3 completed, 1 failed")
    tty.expect("it [bold]exploded")
    assert tty.settings != tty.before  # keys come without Enter
    tty.written = b""
    tty.resize(40, 24)
    tty.expect("╭─ toy ───")
    tty.expect("q leaves")
    tty.press(b"q")
    assert tty.ended() == 0
    assert tty.settings == tty.before
    assert LEAVES_SCREEN in tty.written
    assert b"Traceback" not in tty.written


@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_ctrl_c_ends_the_watching_and_not_the_study(
    running: Study, terminal: Callable[..., Terminal], kind: str
) -> None:
    tty = terminal("watch", "live", kind=kind)
    tty.expect("3 completed, 1 failed")
    tty.press(b"\x03")
    assert tty.ended() == 0
    assert tty.settings == tty.before
    assert (b"\x1b" in tty.written) == (kind != "dumb")
    assert b"Traceback" not in tty.written
    running.tell(4, {"loss": 0.5, "mass": 1.0})


def test_in_a_pipe_news_are_lines_and_the_end_is_told(running: Study) -> None:
    with subprocess.Popen([ASKTELL, "watch", "live"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "3 completed, 1 failed" in process.stdout.readline()
        running.tell(5, {"loss": 0.25, "mass": 1.0})
        assert "trial 5 completed: loss = 0.25, the best so far" in process.stdout.readline()
        running.close()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "stopped: closed by its owner" in rest
    assert "asktell resume live" in rest
    assert "\x1b" not in rest


def test_a_submitted_study_is_waited_for(running: Study) -> None:
    """Its last driver has ended, and the next one's job is in the queue."""
    running.close()
    directory = StudyDirectory(running.path)
    directory.jobs.mkdir()
    write_json(directory.driver_jobs, {"system": "slurm", "links": [{"job": "4711", "at": time.time()}]})
    text = "\n".join(drawn(read_study(running.path), 80, 24))
    assert "job 4711 is to come" in text


def test_it_draws_no_more_than_the_terminal_holds(cli: Cli) -> None:
    seen: list[Overview] = []

    def evaluate(task: Task) -> Outcome:
        if task.number == 60:
            seen.append(read_study(Path("wide")))
        return Outcome(Status.COMPLETED, values={"loss": 80.0 - task.number, "mass": 1.0}, host="node17")

    study = Study.create("study.yaml", "wide", overrides=["cluster.workers=40", "budget.trials=100"])
    executor = VirtualExecutor(evaluate, lambda task: 20.0 + task.number, slots=40, start_at=time.time())
    assert study.run(executor=lambda _: executor).done
    for columns, lines in ((80, 24), (40, 24), (200, 60), (60, 12)):
        found = drawn(seen[0], columns, lines)
        assert max(map(len, found)) <= columns
        assert "╭─ toy" in found[0]
        if lines < 24:
            continue
        assert len(found) <= lines
        (running,) = (i for i, line in enumerate(found) if line.startswith("trial  ") and "point" in line)
        (ended,) = (i for i, line in enumerate(found) if line.startswith("trial  status"))
        assert found[-1].startswith("q leaves")
        if lines == 24:
            shown = ended - running - 3
            assert f"and {40 - shown} more" in found


def test_the_trace_keeps_to_what_counts(toy: Path) -> None:
    """Trial 2 failed, trial 3 is lower, and too heavy."""
    assert best_so_far(read_study(toy).study, "loss") == [3.0, 1.0, 1.0, 1.0]


def test_a_sparkline_falls_to_the_last_value_or_rises_to_it() -> None:
    assert blocks([1.0], 9) == "▁"
    assert blocks([1.0, 1.0], 9) == "▁▁"
    assert blocks([8.0, 1.0], 9) == "█▁"
    assert blocks([1.0, 8.0], 9) == "▁█"
    falling = blocks([100.0 / (i + 1) for i in range(400)], 40)
    assert len(falling) == 40
    assert list(falling) == sorted(falling, reverse=True)
    rising = blocks([-100.0 / (i + 1) for i in range(400)], 40)
    assert list(rising) == sorted(rising)

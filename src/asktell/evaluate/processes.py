"""The worker's side of its helper processes: start launchers, hand them attempts, await reports.

Only this process holds the other ends of the sockets. Whatever way it ends, every helper sees
end-of-file and takes its process tree down.
"""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import asktell
from asktell.evaluate.launcher import MESSAGE
from asktell.evaluate.supervisor import CONTROL_FD, WARNING, Ending, Report, Request

_log = logging.getLogger(__name__)

_PACKAGES = str(Path(asktell.__file__).parent.parent)
_BOOT = "import sys; sys.path.append(sys.argv[1]); from asktell.evaluate.{} import main; main()"
_POLL_S = 1.0
_BACKSTOP_S = 30.0


def fresh_interpreter(target: str, folder: str, *, only_import: bool = False) -> tuple[str, ...]:
    """Arguments that call a function in a new interpreter, or only import it there."""
    options = json.dumps({"target": target, "folder": folder, "only_import": only_import})
    return (sys.executable, "-P", "-c", _BOOT.format("child"), _PACKAGES, options)


class Launcher:
    """A launcher process, seen from the worker. Thread-safe."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._numbers = count()

    def start(self, request: Request, extra: int | None = None) -> Running:
        """Begin an attempt. Raises OSError when the launcher is gone."""
        channel, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                number = next(self._numbers)
                fds = [theirs.fileno()] if extra is None else [theirs.fileno(), extra]
                socket.send_fds(self._control, [MESSAGE.pack(number)], fds)
            channel.sendall(request.encode())
        except OSError:
            channel.close()
            raise
        return Running(self, number, channel)

    def kill(self, number: int) -> None:
        """Kill an attempt's supervisor, and with it all that it watches."""
        with self._lock:
            self._control.sendall(MESSAGE.pack(number))

    def close(self) -> None:
        self._control.close()


class Running:
    """An attempt that is under way; the supervisor's end of the socket is its lifeline."""

    def __init__(self, launcher: Launcher, number: int, channel: socket.socket) -> None:
        self._launcher = launcher
        self._number = number
        self._channel = channel
        self._received = b""

    def report(self, within_s: float) -> Report | None:
        """How it ended; None if it has not by then."""
        self._channel.settimeout(within_s)
        try:
            while not self._received.endswith(b"\n"):
                data = self._channel.recv(1 << 16)
                if not data:
                    return Report(Ending.BROKEN, detail="its supervisor was killed")
                self._received += data
        except TimeoutError:
            return None
        except ConnectionError as error:
            return Report(Ending.BROKEN, detail=f"its supervisor was killed ({error})")
        return Report.decode(self._received)

    def warn(self) -> None:
        """Have its supervisor warn it; nothing happens if it is over."""
        try:
            self._channel.sendall(WARNING)
        except OSError:  # its supervisor has reported and gone
            pass

    def kill(self) -> None:
        self._launcher.kill(self._number)

    def abandon(self) -> None:
        """Let go of the lifeline: what runs is taken down, and `report` returns at once."""
        self._channel.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._channel.close()


class Processes:
    """The launchers of one evaluator, each started when it is first needed. Thread-safe.

    environment: of the template, which imports the function that attempts call.
    """

    def __init__(self, environment: Mapping[str, str], grace_s: float) -> None:
        self._environment = environment
        self._patience_s = grace_s + 10.0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._plain: Launcher | None = None
        self._template: Template | None = None
        self._is_fork_unusable = False
        self._is_closed = threading.Event()
        self._running: set[Running] = set()

    def run(self, request: Request, fork_of: tuple[str, str] | None, poll: Callable[[], None]) -> Report:
        """Run one attempt; calls `poll` about once a second meanwhile.

        fork_of: (target, folder) to call in a fork of the template. Where its module cannot be
        imported there, or leaves threads that forks cannot take along, `request.argv` runs instead.
        """
        try:
            running = self._start(request, fork_of)
        except _ImportTakesTooLong:
            return Report(Ending.TIMEOUT, detail="the import of its module took all of it")
        except OSError as error:
            return Report(Ending.BROKEN, detail=f"no process could be started: {error}")
        try:
            return self._await(running, request, poll)
        finally:
            self._running.discard(running)
            running.close()

    def warn(self) -> None:
        """Warn every attempt that runs. Takes no lock: a signal handler may call it."""
        for running in self._running.copy():
            running.warn()

    def close(self) -> None:
        """End all helpers and what they run; returns when they have ended."""
        self._is_closed.set()
        with self._lock:
            for running in list(self._running):
                running.abandon()
            self._drop()
            self._is_closed.clear()

    def _await(self, running: Running, request: Request, poll: Callable[[], None]) -> Report:
        """The report. A supervisor that does not answer long after the timeout was stopped: it is killed."""
        overdue_at, is_killed = math.inf, False
        if request.timeout_s is not None:
            overdue_at = time.monotonic() + request.timeout_s + request.grace_s + _BACKSTOP_S
        while (report := running.report(_POLL_S)) is None:
            poll()
            if time.monotonic() < overdue_at:
                continue
            if is_killed:  # the launcher does not answer either
                running.abandon()
            else:
                running.kill()
            overdue_at, is_killed = time.monotonic() + _BACKSTOP_S, True
        if is_killed and report.ending is Ending.BROKEN:
            return Report(Ending.TIMEOUT, detail="its supervisor did not answer and was killed")
        return report

    def _start(self, request: Request, fork_of: tuple[str, str] | None) -> Running:
        with self._lock:
            try:
                running = self._start_once(request, fork_of)
            except (BrokenPipeError, ConnectionResetError):  # somebody killed a launcher; make new ones
                _log.warning("a launcher of evaluations was killed; starting another")
                self._drop()
                running = self._start_once(request, fork_of)
            self._running.add(running)
        return running

    def _start_once(self, request: Request, fork_of: tuple[str, str] | None) -> Running:
        if fork_of is not None and not self._is_fork_unusable:
            if self._template is None:
                self._template = self._import(fork_of, request.timeout_s)
            if self._template is not None:
                return self._template.launcher.start(replace(request, argv=()))
        return self._launcher().start(request)

    def _launcher(self) -> Launcher:
        """The plain launcher, which has nothing imported and executes programs."""
        if self._plain is None:
            mine, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", *self._boot({})],
                    env={**os.environ, CONTROL_FD: str(theirs.fileno())},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._plain = Launcher(mine)
        return self._plain

    def _import(self, function: tuple[str, str], timeout_s: float | None) -> Template | None:
        """A template that has the function imported; None where forks cannot be had, with a warning."""
        target, folder = function
        request = Request(
            argv=(sys.executable, "-P", "-c", *self._boot({"target": target, "folder": folder})),
            environment=self._environment,
            grace_s=self._patience_s,
        )
        mine, theirs = socket.socketpair()
        with theirs:
            running = self._launcher().start(request, theirs.fileno())
        template = Template(Launcher(mine), running)
        hello = self._read_hello(mine, template, timeout_s)
        if hello["is_ready"]:
            return template
        template.close()
        self._is_fork_unusable = True
        threads = hello["threads"]
        reason = f"its import leaves {threads} threads running" if threads else "its import failed"
        _log.warning("%s: each attempt gets an interpreter of its own, because %s", target, reason)
        return None

    def _read_hello(
        self, control: socket.socket, template: Template, timeout_s: float | None
    ) -> dict[str, int]:
        end = math.inf if timeout_s is None else time.monotonic() + timeout_s
        control.settimeout(_POLL_S)
        line = b""
        while not line.endswith(b"\n"):
            try:
                data = control.recv(4096)
            except TimeoutError:
                if time.monotonic() < end and not self._is_closed.is_set():
                    continue
                template.close()
                if self._is_closed.is_set():
                    raise ConnectionAbortedError("the evaluator was closed") from None
                raise _ImportTakesTooLong from None
            if not data:  # the import ended the process
                return {"is_ready": False, "threads": 0}
            line += data
        control.settimeout(None)
        return json.loads(line)  # type: ignore[no-any-return]  # as `launcher.main` wrote it

    def _boot(self, options: Mapping[str, str]) -> tuple[str, str, str]:
        content = json.dumps({"patience_s": self._patience_s, **options})
        return (_BOOT.format("launcher"), _PACKAGES, content)

    def _drop(self) -> None:
        """End the launchers; what they run for other attempts ends with them."""
        if self._template is not None:
            self._template.close()
        if self._plain is not None and self._process is not None:
            self._plain.close()
            try:
                self._process.wait(self._patience_s + 5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._template = self._plain = self._process = None


class Template:
    """A launcher that has the function imported, and the lifeline of the process it runs in."""

    def __init__(self, launcher: Launcher, lifeline: Running) -> None:
        self.launcher = launcher
        self._lifeline = lifeline

    def close(self) -> None:
        self.launcher.close()
        self._lifeline.close()


class _ImportTakesTooLong(Exception):
    """The module's import was not over at the attempt's timeout."""

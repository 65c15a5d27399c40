"""Watches the process tree of one attempt, and ends only after the last of it has. Standard library only.

The supervisor and the worker share one socket. It carries the request, then the report, and it is the
lifeline: only the worker holds its other end, so end-of-file means that the worker is gone, however it
went, and the tree is taken down: SIGTERM, `grace_s`, SIGKILL. So it is at the timeout. Over the memory
limit it is SIGKILL at once: a tree that grows leaves no time to be asked. Anything that the worker sends
after the request is a warning: the evaluation gets `warning_signal`, and goes on or ends as it likes.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from asktell.evaluate import tree
from asktell.evaluate.capture import CappedLog

WARNING = b"!"
"""What the worker sends to have the evaluation warned."""

CONTROL_FD = "ASKTELL_CONTROL_FD"
"""Environment variable that tells a program the descriptor that came with its request."""

_MEMORY_POLL_S = 0.25
_OWN_SIGNAL_WAIT_S = 0.25
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
USER_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""Some batch systems warn every process of a job by one of them; only evaluations are meant."""
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # programs do not expect to inherit that


class Ending(StrEnum):
    """What brought a tree to its end."""

    BY_ITSELF = "by_itself"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OOM_KILLED = "oom_killed"  # the kernel did, in the control group that we share with it
    TOLD = "told"  # someone signalled the supervisor: a batch system that ends the job
    ORPHANED = "orphaned"  # the worker is gone
    NO_PROGRAM = "no_program"  # there is nothing to execute under that name
    BROKEN = "broken"  # this machine could not run it, or the supervisor was killed


@dataclass(frozen=True, slots=True)
class Request:
    """What to run: the program `argv`, or without one the function that the launcher has loaded.

    directory: the working directory, and where `stdout` and `stderr` go; '' keeps neither.
    environment: the whole of it. timeout_s, memory_bytes: None is no limit. warning_signal: its number.
    """

    argv: tuple[str, ...] = ()
    directory: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    grace_s: float = 5.0
    memory_bytes: int | None = None
    max_log_bytes: int = 10_000_000
    warning_signal: int | None = None

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Request:
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Report:
    """How a tree ended. exit_code: its first process's, negative for a signal, None where unknown.

    peak_bytes: the largest resident size that was seen. is_warned: `warning_signal` was sent before.
    """

    ending: Ending
    exit_code: int | None = None
    detail: str = ""
    peak_bytes: int = 0
    is_warned: bool = False

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Report:
        report = cls(**json.loads(line))
        return replace(report, ending=Ending(report.ending))


Call = Callable[[], int]
"""Runs in the evaluation's process, in its directory and environment; returns the exit code."""


def supervise(channel: socket.socket, extra: int | None, call: Call | None) -> NoReturn:
    """Run one request to its end, report, and leave this process."""
    try:
        os.setsid()
        tree.adopt_orphans()
        with channel.makefile("rb") as file:
            line = file.readline()
        if line.endswith(b"\n"):
            try:
                report = _Supervisor(channel, Request.decode(line)).run(extra, call)
            except OSError as error:
                report = Report(Ending.BROKEN, detail=str(error))
            channel.sendall(report.encode())
    except (BrokenPipeError, ConnectionResetError):  # the worker is gone; nobody is left to be told
        pass
    finally:  # a fork must never return into its parent's code
        if sys.exc_info()[1] is not None:
            traceback.print_exc()
        os._exit(0)


class _Supervisor:
    """The event loop of one attempt; single-threaded."""

    def __init__(self, channel: socket.socket, request: Request) -> None:
        self._channel = channel
        self._request = request
        self._selector = selectors.DefaultSelector()
        self._logs: dict[int, CappedLog] = {}  # by the pipe that feeds it
        self._pid = 0
        self._status: int | None = None
        self._ending = Ending.BY_ITSELF
        self._is_told = False
        self._is_warned = False
        self._stubborn: list[int] = []
        self._deadline: float | None = None
        self._kill_at: float | None = None
        self._poll_at: float | None = None
        self._peak_bytes = 0

    def run(self, extra: int | None, call: Call | None) -> Report:
        try:
            return self._run(extra, call)
        finally:  # whatever went wrong here, nothing is left running
            tree.kill_descendants(tree.reap_all)

    def _run(self, extra: int | None, call: Call | None) -> Report:
        oom_kills = tree.oom_kills()
        self._listen_to_signals()
        failure = self._start(extra, call)
        if self._request.timeout_s is not None:
            self._deadline = time.monotonic() + self._request.timeout_s
        if self._request.memory_bytes is not None and tree.CAN_WALK:
            self._poll_at = time.monotonic()
        while not self._has_ended():
            self._turn(self._pause_s())
            self._keep_time()
        exit_code = None if self._status is None else os.waitstatus_to_exitcode(self._status)
        if self._ending is Ending.BY_ITSELF:
            if exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL) and tree.oom_kills() > oom_kills:
                self._ending = Ending.OOM_KILLED
            elif exit_code is not None and -exit_code in _ENDING_SIGNALS and self._is_told_soon():
                self._ending = Ending.TOLD
        self._kill()
        self._close_logs()
        message = "" if self._stubborn else os.read(failure, 4096).decode(errors="replace")
        if message:
            self._ending = Ending.NO_PROGRAM
        return Report(self._ending, exit_code, message or self._notes(), self._peak_bytes, self._is_warned)

    def _listen_to_signals(self) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *_ENDING_SIGNALS):
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the worker's thread may have had some blocked
        self._selector.register(read, selectors.EVENT_READ, lambda: self._read_signals(read))
        self._selector.register(self._channel, selectors.EVENT_READ, self._read_channel)

    def _start(self, extra: int | None, call: Call | None) -> int:
        """Fork the evaluation; returns a pipe that will hold why it could not be executed."""
        outputs = [self._output("stdout"), self._output("stderr")]
        failure, failure_write = os.pipe()
        os.set_blocking(failure, False)
        led, led_write = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            for fd in (led, led_write):
                os.close(fd)
            self._become(outputs, extra, call, failure_write)
        for fd in (*outputs, failure_write, led_write, *(() if extra is None else (extra,))):
            os.close(fd)
        os.read(led, 1)  # until it leads a group of its own, which can be signalled
        os.close(led)
        return failure

    def _output(self, name: str) -> int:
        """A descriptor for the evaluation to write to; what arrives goes to the log of that name."""
        if not self._request.directory:
            return os.open(os.devnull, os.O_WRONLY)
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._logs[read] = CappedLog(Path(self._request.directory, name), self._request.max_log_bytes)
        self._selector.register(read, selectors.EVENT_READ, lambda: self._read_output(read))
        return write

    def _become(self, outputs: list[int], extra: int | None, call: Call | None, failure: int) -> NoReturn:
        """Turn this fork into the evaluation."""
        request = self._request
        environment = dict(request.environment)
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, *_ENDING_SIGNALS):
                signal.signal(number, signal.SIG_DFL)
            for number in USER_SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:  # else the function's module has a handler
                    signal.signal(number, signal.SIG_DFL)
            for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *outputs)):
                os.dup2(source, target)
            if request.directory:
                os.chdir(request.directory)
            if request.argv:
                for number in _IGNORED_BY_PYTHON:
                    signal.signal(number, signal.SIG_DFL)
                if extra is not None:
                    os.set_inheritable(extra, True)
                    environment[CONTROL_FD] = str(extra)
                os.execvpe(request.argv[0], request.argv, environment)
        except OSError as error:
            os.write(failure, f"{error.strerror or error}".encode())
            os._exit(127)
        self._channel.close()  # or its end would not be seen while the evaluation lives
        for fd in (failure, *outputs):
            os.close(fd)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(environment)
        assert call is not None, "a request without argv needs a launcher that has loaded a function"
        os._exit(call())

    def _turn(self, pause_s: float | None) -> None:
        """Wait for something to happen, and see to it."""
        for key, _ in self._selector.select(pause_s):
            key.data()
        self._reap()

    def _pause_s(self) -> float | None:
        times = [at for at in (self._deadline, self._kill_at, self._poll_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._poll_at is not None and now >= self._poll_at:
            self._poll_at = now + _MEMORY_POLL_S
            self._measure_memory()
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self._end(Ending.TIMEOUT)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._kill()

    def _measure_memory(self) -> None:
        limit = self._request.memory_bytes or 0
        used = tree.memory_bytes(tree.descendants(os.getpid()), limit)
        self._peak_bytes = max(self._peak_bytes, used)
        if used > limit and self._status is None:
            self._ending = Ending.MEMORY_LIMIT
            self._kill()

    def _read_channel(self) -> None:
        try:
            received = self._channel.recv(64)
        except ConnectionError:
            received = b""
        if received:
            self._warn()
        else:
            self._selector.unregister(self._channel)
            self._end(Ending.ORPHANED)

    def _warn(self) -> None:
        """Signal the evaluation's group, unless it is ending or has ended."""
        number = self._request.warning_signal
        if number is not None and self._ending is Ending.BY_ITSELF and self._status is None:
            self._is_warned = True
            tree.signal_group(self._pid, number)

    def _read_signals(self, wake: int) -> None:
        if set(os.read(wake, 512)) & set(_ENDING_SIGNALS):
            self._is_told = True
            self._end(Ending.TOLD)

    def _is_told_soon(self) -> bool:
        """A batch system signals the whole job; our signal may come a moment after the evaluation's."""
        until = time.monotonic() + _OWN_SIGNAL_WAIT_S
        while not self._is_told and (left_s := until - time.monotonic()) > 0:
            self._turn(left_s)
        return self._is_told

    def _read_output(self, pipe: int) -> None:
        if self._drain(pipe) == 0:
            self._selector.unregister(pipe)

    def _drain(self, pipe: int) -> int | None:
        """Move bytes from a pipe to its log; 0 at its end, None when there are none now."""
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return None
        self._logs[pipe].write(data)
        return len(data)

    def _close_logs(self) -> None:
        for pipe, log in self._logs.items():
            while self._drain(pipe):
                pass
            log.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status
                self._peak_bytes = max(self._peak_bytes, usage.ru_maxrss * (1024 if tree.IS_LINUX else 1))

    def _has_ended(self) -> bool:
        """The evaluation has; what was asked to end together with it gets the rest of its grace."""
        if self._stubborn:
            return True
        return self._status is not None and (self._kill_at is None or not tree.children(os.getpid()))

    def _end(self, ending: Ending) -> None:
        """Ask the tree to end, unless it is ending already."""
        if self._ending is Ending.BY_ITSELF and self._status is None:
            self._ending = ending
            self._kill_at = time.monotonic() + self._request.grace_s
            tree.terminate(self._pid)

    def _kill(self) -> None:
        if (
            not tree.CAN_WALK
        ):  # else its group is among the descendants, and its number may be another's by now
            tree.signal_group(self._pid, signal.SIGKILL)
        self._stubborn = tree.kill_descendants(self._reap)

    def _notes(self) -> str:
        notes = [log.error for log in self._logs.values() if log.error]
        if self._stubborn:
            notes.append(f"processes {self._stubborn} cannot be killed; they wait for a device or a network")
        return "; ".join(notes)

"""Signals and timers that end a driver in an orderly way: a stop, or a hand-over to the next driver."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from asktell.execute.protocol import Executor
from asktell.loop import HAND_OVER, STOP


class Stopping:
    """A request to end that may come before there is an executor to be woken by it.

    The first request decides; after a stop no hand-over is of use, and the other way round.
    """

    def __init__(self) -> None:
        self._reason = ""
        self._executor: Executor | None = None

    def attach(self, executor: Executor) -> None:
        self._executor = executor
        if self._reason:
            executor.wake(self._reason)

    def stop(self, name: str) -> None:
        self._send(f"{STOP}: {name}")

    def hand_over(self) -> None:
        self._send(HAND_OVER)

    def _send(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._executor is not None:
            self._executor.wake(self._reason)


@contextmanager
def listening(*, hand_over_at: float | None = None, hand_over_on_signal: bool = False) -> Iterator[Stopping]:
    """SIGINT or SIGTERM once ends the loop in an orderly way; a second one interrupts at once.

    hand_over_at: Unix seconds at which to hand over; hand_over_on_signal: at SIGUSR1 too, with which
    SLURM warns of the end of a walltime.
    """
    stopping = Stopping()
    timer = None
    if hand_over_at is not None:
        timer = threading.Timer(max(0.0, hand_over_at - time.time()), stopping.hand_over)
        timer.daemon = True
        timer.start()
    try:
        if threading.current_thread() is threading.main_thread():
            with _handlers(stopping, hand_over_on_signal=hand_over_on_signal):
                yield stopping
        else:
            yield stopping
    finally:
        if timer is not None:
            timer.cancel()


@contextmanager
def _handlers(stopping: Stopping, *, hand_over_on_signal: bool) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        stopping.stop(signal.Signals(number).name)

    def hand_over(number: int, frame: FrameType | None) -> None:
        stopping.hand_over()

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if hand_over_on_signal:
        handlers[signal.SIGUSR1] = hand_over
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)  # one may be waiting since before the imports
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

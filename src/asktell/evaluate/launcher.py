"""A small single-threaded process that forks a supervisor for each attempt. Standard library only.

A worker is a big process with many threads: forking it is slow and unsafe. It starts one plain launcher
(`python -I -S`), which takes 10 ms and 10 MB, and forks from that. For callables a second launcher, the
*template*, runs beneath a supervisor of the first: it imports the objective's module once, and each
attempt is a fork of it.

The control socket carries 8-byte messages: an attempt's number. With a descriptor (the attempt's own
socket, see `supervisor`) it starts that attempt; without one it kills the attempt's supervisor, for the
case that the supervisor itself was stopped. End-of-file means that the worker is gone.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

from asktell.evaluate import tree
from asktell.evaluate.supervisor import CONTROL_FD, USER_SIGNALS, Call, supervise

MESSAGE = struct.Struct("=q")


def main() -> None:
    """Entry point. argv[2]: JSON with `patience_s` and, for a template, `target` and `folder`."""
    options = json.loads(sys.argv[2])
    control = socket.socket(fileno=int(os.environ.pop(CONTROL_FD)))
    for number in USER_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    call = None
    if "target" in options:
        from asktell.evaluate import child

        sys.argv = [options["target"]]
        os.chdir(options["folder"])
        try:
            call = child.prepare(options["target"], options["folder"])
        finally:  # whatever went wrong will go wrong again in the attempt, and be told as its error
            unsafe = 0 if call is None else _threads_that_survive_a_fork()
            hello = {"is_ready": call is not None and not unsafe, "threads": unsafe}
            control.sendall(json.dumps(hello).encode() + b"\n")
        gc.collect()
        gc.freeze()  # a collection in a fork would copy every page that it marks
    _Launcher(control, call).serve(options["patience_s"])


def _threads_that_survive_a_fork() -> int:
    """Threads of libraries that do not know about forks; a fork may find their locks taken for ever.

    OpenBLAS, for one, ends its threads before each fork and starts them again when it needs them.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return (len(os.listdir("/proc/self/task")) if tree.IS_LINUX else threading.active_count()) - 1


class _Launcher:
    def __init__(self, control: socket.socket, call: Call | None) -> None:
        self._control = control
        self._call = call
        self._supervisors: dict[int, int] = {}  # pid: attempt
        self._own = frozenset(tree.children(os.getpid()))  # what the import started is left alone

    def serve(self, patience_s: float) -> None:
        """Start attempts until the worker is gone; then see to it that all of them end."""
        tree.adopt_orphans()  # those of a supervisor that was killed
        wake, wake_write = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # it ends with the worker, not before
        while True:
            ready, _, _ = select.select([self._control.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 512)
                self._reap()
            if self._control.fileno() in ready and not self._take():
                break
        until = time.monotonic() + patience_s
        while self._supervisors and time.monotonic() < until:
            select.select([wake], [], [], until - time.monotonic())
            self._reap()
        self._own = frozenset()
        tree.signal_all(list(self._supervisors), signal.SIGKILL)
        tree.kill_descendants(tree.reap_all)

    def _take(self) -> bool:
        """Carry out one message; False at the end of them."""
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, 2)
        if not data:
            return False
        (attempt,) = MESSAGE.unpack(data)
        if descriptors:
            self._start(attempt, *descriptors)
        else:
            tree.signal_all([pid for pid, it in self._supervisors.items() if it == attempt], signal.SIGKILL)
        return True

    def _start(self, attempt: int, descriptor: int, extra: int | None = None) -> None:
        pid = os.fork()
        if pid == 0:
            self._control.close()
            supervise(socket.socket(fileno=descriptor), extra, self._call)
        self._supervisors[pid] = attempt
        os.close(descriptor)
        if extra is not None:
            os.close(extra)

    def _reap(self) -> None:
        """Forget supervisors that ended, and kill what they left, if they were killed themselves."""
        for pid in list(self._supervisors):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._supervisors[pid]
                spare = self._own | self._supervisors.keys()
                tree.kill_descendants(self._reap_orphans, spare=spare, within_s=1.0)

    def _reap_orphans(self) -> None:
        for pid in tree.children(os.getpid()):
            if pid not in self._own and pid not in self._supervisors:
                os.waitpid(pid, os.WNOHANG)

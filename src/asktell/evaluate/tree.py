"""A process tree: who belongs to it, how much memory it holds, how it ends.

Linux reads /proc and makes the supervisor a child subreaper, so that no descendant escapes, whatever
sessions it opens. Elsewhere (macOS) only the process group can be had: a descendant that leaves its
group lives on, and memory is not limited. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

IS_LINUX = sys.platform.startswith("linux")
CAN_WALK = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
"""Descendants can be listed. Not on macOS, nor on Linux kernels built without PROC_CHILDREN."""

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends."""
    if IS_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Direct children of a process, of all its threads; [] where that cannot be known."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:  # it ended meanwhile, or this is no Linux
        pass
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents before their children."""
    found = children(pid)
    for child in found:  # grows while it is walked
        found += children(child)
    return found


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # gone, or a setuid program
            pass


def signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        pass


def terminate(leader: int) -> None:
    """Ask this process's whole tree to end; stopped ones are woken up to hear it."""
    everyone = descendants(os.getpid())
    for number in (signal.SIGTERM, signal.SIGCONT):
        signal_group(leader, number)
        signal_all(everyone, number)


def reap_all() -> None:
    """Collect every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_descendants(
    reap: Callable[[], None], *, spare: Collection[int] = (), within_s: float = 10.0
) -> list[int]:
    """Kill everything below this process but `spare`; `reap` collects those that have ended.

    Killing a parent hands its children to us, so this goes on until none is left. Returns the
    pids that would not go: one in uninterruptible sleep (a network mount that hangs) cannot be killed.
    """
    end = time.monotonic() + within_s
    pause_s = 0.001
    while True:
        reap()
        left = [pid for pid in children(os.getpid()) if pid not in spare]
        if not left or time.monotonic() > end:
            return left
        signal_all(left + [pid for parent in left for pid in descendants(parent)], signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)


def memory_bytes(pids: list[int], limit: int) -> int:
    """Memory that the processes hold. Resident sizes, as long as their sum is below `limit`.

    Resident sizes count a page once for each process that shares it, so a sum over the limit is
    taken again from proportional sizes, which cost the kernel more.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    resident = sum(int((_read(f"/proc/{pid}/statm").split() or [b"0", b"0"])[1]) * page for pid in pids)
    if resident <= limit:
        return resident
    return sum(_proportional_bytes(pid) for pid in pids)


def _proportional_bytes(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    fields = _read(f"/proc/{pid}/statm").split()  # kernels before 4.14 have no smaps_rollup
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def oom_kills() -> int:
    """How often the kernel has killed in this control group for lack of memory; 0 where it does not say."""
    for line in _read("/proc/self/cgroup").decode(errors="replace").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            events = Path(f"/sys/fs/cgroup{group}/memory.events")
        elif "memory" in controllers.split(","):
            events = Path(f"/sys/fs/cgroup/memory{group}/memory.oom_control")
        else:
            continue
        for event in _read(str(events)).splitlines():
            if event.startswith(b"oom_kill "):
                return int(event.split()[1])
    return 0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""

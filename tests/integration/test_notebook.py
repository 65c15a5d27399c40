"""A study in a notebook: a real kernel, cells that run in it, and its interrupt."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.manager import KernelManager
from studies import write_study

CELL_S = 120.0


@dataclass
class Cell:
    """What a cell brought: the pieces of output that it began, updates of them, streams, errors."""

    shown: list[dict[str, str]] = field(default_factory=list)
    updates: list[dict[str, str]] = field(default_factory=list)
    result: dict[str, str] = field(default_factory=dict)
    written: str = ""
    error: str = ""

    @property
    def last(self) -> dict[str, str]:
        return [*self.shown, *self.updates][-1]


class Kernel:
    def __init__(self, folder: Path) -> None:
        self._manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
        self._manager.start_kernel(cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=CELL_S)
        self.pid = self._manager.provisioner.pid

    def run(
        self, code: str, interrupt_when: Callable[[Cell], bool] = lambda _: False, times: int = 1
    ) -> Cell:
        """Execute a cell; interrupt it `times` times, once it looks like that."""
        sent = self._client.execute(code)
        cell, deadline = Cell(), time.monotonic() + CELL_S
        while True:
            if times and interrupt_when(cell):
                times -= 1
                self._manager.interrupt_kernel()
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                assert time.monotonic() < deadline, cell
                continue
            if message["parent_header"].get("msg_id") != sent:
                continue
            content: Any = message["content"]
            match message["msg_type"]:
                case "status" if content["execution_state"] == "idle":
                    return cell
                case "display_data":
                    cell.shown.append(content["data"])
                case "update_display_data":
                    cell.updates.append(content["data"])
                case "execute_result":
                    cell.result = content["data"]
                case "stream":
                    cell.written += content["text"]
                case "error":
                    cell.error = content["ename"]

    def children(self) -> list[str]:
        """What runs below the kernel, but for Python's own keeper of shared memory."""
        found = []
        for process in psutil.Process(self.pid).children(recursive=True):
            try:
                command = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if command and "resource_tracker" not in command:
                found.append(command)
        return found

    def await_no_children(self) -> None:
        deadline = time.monotonic() + 30
        while left := self.children():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    write_study(tmp_path, trials=100000)
    found = Kernel(tmp_path)
    yield found
    found.close()


@pytest.mark.slow
def test_a_study_runs_in_a_cell_is_interrupted_and_goes_on_in_the_next(kernel: Kernel) -> None:
    begun = kernel.run(
        "import asktell; study = asktell.Study.create('study.yaml', 'nb', overrides=['budget.trials=100000'])"
    )
    assert (begun.error, begun.written) == ("", "")

    interrupted = kernel.run("study.run()", interrupt_when=lambda cell: len(cell.updates) > 3)
    assert (interrupted.error, interrupted.written) == ("", "")
    assert len(interrupted.shown) == 1
    assert "stopped" in interrupted.last["text/html"]
    assert "Closed(" in interrupted.result["text/plain"]
    kernel.await_no_children()

    starting = kernel.run("study.run()", interrupt_when=lambda cell: bool(cell.shown))
    assert (starting.error, starting.written) == ("", "")
    kernel.await_no_children()

    at_once = kernel.run("study.run()", interrupt_when=lambda cell: len(cell.updates) > 3, times=2)
    assert at_once.error in ("", "KeyboardInterrupt")
    kernel.await_no_children()

    done = kernel.run("n = len(asktell.open('nb').trial) + 4; closed = study.run(trials=n)")
    assert (done.error, done.written, done.result) == ("", "", {})
    assert "done: all" in done.last["text/plain"]
    told = kernel.run("print(closed.done, len(asktell.open('nb').trial) == n); study")
    assert told.written == "True True\n"
    assert "done: all" in told.result["text/html"]
    kernel.await_no_children()

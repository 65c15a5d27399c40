"""What a process may use, against what other tools of this machine say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asktell.preflight import machine

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def test_cores_are_those_it_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    one = {min(allowed)}
    os.sched_setaffinity(0, one)
    try:
        assert machine.share().cores == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert machine.share().cores == len(allowed)


def test_an_address_space_limit_is_a_memory_limit() -> None:
    script = (
        "import resource; from asktell.preflight import machine;"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, resource.RLIM_INFINITY));"
        "print(machine.share().memory_bytes)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert 0 < int(told) <= 4 * 10**9


@pytest.mark.parametrize(("value", "count"), [("0,1,5", 3), ("GPU-1a2b", 1), ("", 0)])
def test_gpus_are_those_that_the_job_was_given(
    monkeypatch: pytest.MonkeyPatch, value: str, count: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert machine.share().gpus == count


def test_file_systems_are_named_as_stat_names_them() -> None:
    for place in (Path("/proc"), Path.cwd()):
        told = subprocess.run(
            ["stat", "--file-system", "--format=%T", str(place)], capture_output=True, text=True, check=True
        ).stdout
        assert machine.file_system(place)[:3] == told[:3]

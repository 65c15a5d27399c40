"""What the machine gives to this process: cores, memory, GPUs, file systems."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_NO_LIMIT_BYTES = 2**60  # control groups write a huge number where there is no limit
NETWORKED = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre", "nfs", "nfs4"}
    | {"panfs", "smb3", "wekafs"}
)
"""Types of file systems that live on other machines."""


@dataclass(frozen=True, slots=True)
class Share:
    """memory_bytes: the smallest limit, None without one. gpus: None where nobody can tell."""

    cores: int
    memory_bytes: int | None
    gpus: int | None


def share() -> Share:
    """What this process may use."""
    return Share(_cores(), min(_memory_limits(), default=None), _gpus())


def file_system(path: Path) -> str:
    """The type of the file system that holds the path ('nfs4'), '' where that is not to be found out."""
    found = ("", "")
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, mount, kind, *_ = line.split()
        if path.resolve().is_relative_to(mount) and len(mount) >= len(found[0]):
            found = (mount, kind)
    return found[1]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_limits() -> Iterator[int]:
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        yield address_space
    for place in _memory_groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                text = (place / name).read_text().strip()
            except OSError:
                continue
            if text.isdecimal() and int(text) < _NO_LIMIT_BYTES:
                yield int(text)


def _memory_groups() -> Iterator[Path]:
    """This process's control group and all above it; each may set a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup")
        inner = root / group.lstrip("/")
        yield from (inner, *(outer for outer in inner.parents if outer.is_relative_to(root)))


def _gpus() -> int | None:
    for name in _GPU_VARIABLES:
        if name in os.environ:
            return len([device for device in os.environ[name].split(",") if device.strip()])
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return len(done.stdout.splitlines()) if done.returncode == 0 else None

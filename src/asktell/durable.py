"""Files that outlive a power failure, and folders that never show half of one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PARTIAL = ".partial"
"""How the name of a file ends that is not whole yet; one that is found later was left by a crash."""
_SYNCS_AT_ONCE = 8


def sync(path: Path) -> None:
    """fsync a file, or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, durably."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync(path.parent)


def check_folder(file: Path) -> None:
    """Raises FileNotFoundError, which names the folder, where there is none for the file."""
    if not file.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder; make it first", str(file.parent))


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however few the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_files(contents: Iterable[tuple[Path, bytes]]) -> None:
    """Give each file its new contents, which are durable when this returns.

    A reader sees a file's old bytes or its new ones. Everything is written before the first fsync,
    so that the system can gather what it has to flush.
    """
    partials: dict[Path, Path] = {}
    try:
        for path, data in contents:
            partial = path.with_name(f"{path.name}.{secrets.token_hex(3)}{PARTIAL}")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            partials[partial] = path
            try:
                write_all(descriptor, data)
            finally:
                os.close(descriptor)
        _sync_all(list(partials))
        for partial, path in partials.items():
            os.replace(partial, path)
    except OSError:
        for partial in partials:
            partial.unlink(missing_ok=True)
        raise
    _sync_all(sorted({path.parent for path in partials.values()}))


def _sync_all(paths: Sequence[Path]) -> None:
    """fsync together: waiting for one after the other takes three times as long."""
    if len(paths) < 2:
        for path in paths:
            sync(path)
        return
    with ThreadPoolExecutor(min(_SYNCS_AT_ONCE, len(paths))) as pool:
        list(pool.map(sync, paths))

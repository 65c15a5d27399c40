"""Rebuilds the view from the journals, and holds the one against the other."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asktell.durable import PARTIAL
from asktell.errors import JournalError, StudyLocked
from asktell.journal import holder, read_segment, replay_driver, segments
from asktell.records import (
    Closed,
    Ended,
    Opened,
    Record,
    Reported,
    Retried,
    SchemaSet,
    Superseded,
)
from asktell.store.encoding import TEXT
from asktell.store.layout import Layout
from asktell.store.outputs import SPOOL
from asktell.store.rows import RowBuilder
from asktell.store.table import Placement, Table
from asktell.store.variables import Column
from asktell.store.writer import ROOT, VIEW, Store, read_root, rows_of
from asktell.trial import ChunkRecord

JOURNAL = "journal"
_CONSOLIDATE = "`asktell consolidate` writes the view anew"
_RESTORE = "restore it from a copy"
_RESUME = "`asktell resume` takes care of it"


class FindingKind(StrEnum):
    """What a check came upon. The first three are problems, the others only worth knowing."""

    MISSING = "missing"
    DAMAGED = "damaged"
    DIFFERENT = "different"  # the view says something else than the journal
    TORN = "torn"  # a last line that was never acknowledged: a process died while writing
    PENDING = "pending"  # durable, and waiting for the next session
    LEFTOVER = "leftover"  # belongs to no row


@dataclass(frozen=True, slots=True)
class Finding:
    """place: file, relative to the study directory; remedy: what to do next, '' for nothing."""

    kind: FindingKind
    place: str
    message: str
    remedy: str = ""

    @property
    def is_problem(self) -> bool:
        return self.kind in (FindingKind.MISSING, FindingKind.DAMAGED, FindingKind.DIFFERENT)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")


def consolidate(study_dir: Path) -> Store:
    """Write the view anew from the journals and return its store, closed.

    Readers are not disturbed: every file is replaced by a rename, the root last, and only a variable
    that is encoded in another way than before leaves the view in between. Chunks of large outputs
    stay where they are, or come from the spool; `missing` of the store names those that are gone.
    Raises StudyLocked while a driver holds the study, JournalError at a damaged line.
    """
    if (living := holder(study_dir / JOURNAL)) is not None:
        raise StudyLocked(
            f"{study_dir}: the driver of process {living.pid} on {living.host} keeps the view up to date; "
            "consolidate when it has ended"
        )
    records = replay_driver(study_dir / JOURNAL)
    store = Store(study_dir, _layout(records))
    builder = RowBuilder()
    for record in records:
        if isinstance(record, SchemaSet):
            store.set_schema(record)
        elif (row := builder.take(record)) is not None:
            store.append(row)
    store.close()
    return store


def verify(study_dir: Path) -> list[Finding]:
    """Everything that is missing, damaged or left over; a healthy study has no `is_problem` in it.

    Reads each line of every journal, each value of the view and each large chunk once.
    """
    reports: dict[tuple[int, int], list[ChunkRecord]] = {}
    found = list(_check_segments(study_dir / JOURNAL, reports))
    try:
        records = replay_driver(study_dir / JOURNAL)
        table, places = _expected(records)
    except JournalError as error:
        named = any(finding.is_problem and finding.place in str(error) for finding in found)
        return found if named else [*found, Finding(FindingKind.DAMAGED, JOURNAL, str(error), _RESTORE)]
    is_closed = isinstance(records[-1], Closed)
    waiting = _waiting(records, reports)
    found += [
        Finding(FindingKind.PENDING, JOURNAL, f"trial {number} has a result that was not told yet", _RESUME)
        for number, _ in sorted(waiting)
    ]
    n_rows = 0
    if table.n_rows or (study_dir / VIEW).exists():
        root = read_root(study_dir / VIEW)
        if root is None:
            found.append(
                Finding(FindingKind.MISSING, f"{VIEW}/{ROOT}", "the view cannot be opened", _CONSOLIDATE)
            )
        else:
            n_rows = rows_of(root)
            found += _check_length(n_rows, table.n_rows, is_closed=is_closed)
            found += _check_values(study_dir / VIEW, table, min(n_rows, table.n_rows))
    found += _check_chunks(study_dir, places, n_rows)
    awaited = {chunk.path for key in waiting for chunk in reports[key]}
    awaited |= {place.chunk.path for place in places}
    return [*found, *_leftovers(study_dir, awaited)]


def _layout(records: Sequence[Record]) -> Layout:
    return Layout.from_openings([record for record in records if isinstance(record, Opened)])


def _expected(records: Sequence[Record]) -> tuple[Table, list[Placement]]:
    table, builder, places = Table(_layout(records)), RowBuilder(), []
    for record in records:
        if isinstance(record, SchemaSet):
            table.set_schema(record)
        elif (row := builder.take(record)) is not None:
            places += table.append(row)
    return table, places


# ---- journals ----------------------------------------------------------------------------------


def _check_segments(journal: Path, reports: dict[tuple[int, int], list[ChunkRecord]]) -> Iterator[Finding]:
    """Every segment from end to end; workers' reports are noted in `reports`, with their chunks."""
    for path in (path for prefix in ("driver", "worker", "user") for path in segments(journal, prefix)):
        place = f"{JOURNAL}/{path.name}"
        start: int | None = 0
        while start is not None:
            try:
                reading = read_segment(path, start)
            except JournalError as error:
                yield Finding(FindingKind.DAMAGED, place, str(error), "use the asktell that wrote it")
                break
            for _, record in reading.records:
                if isinstance(record, Reported):
                    arrays = record.outcome.arrays.values()
                    reports[record.number, record.attempt] = [
                        chunk for array in arrays for chunk in array.chunks
                    ]
            start = None
            if reading.damage is not None:
                what = f"line {reading.damage.line} (byte {reading.damage.byte}) is damaged"
                yield Finding(FindingKind.DAMAGED, place, what, _RESTORE)
                start = reading.damage.following
            elif reading.end < path.stat().st_size:
                yield Finding(FindingKind.TORN, place, f"the last line (byte {reading.end}) is torn")


def _waiting(records: Iterable[Record], reports: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Attempts that a worker has acknowledged and no driver has taken up."""
    heard = {
        (record.number, record.attempt)
        for record in records
        if isinstance(record, Ended | Retried | Superseded)
    }
    return set(reports) - heard


# ---- the view ----------------------------------------------------------------------------------


def _check_length(n_view: int, n_journal: int, *, is_closed: bool) -> Iterator[Finding]:
    place = f"{VIEW}/{ROOT}"
    if n_view > n_journal:
        what = f"has {n_view} rows, the journal {n_journal} ended trials"
        yield Finding(FindingKind.DIFFERENT, place, what, _CONSOLIDATE)
    elif n_view < n_journal:
        kind = FindingKind.MISSING if is_closed else FindingKind.PENDING
        remedy = _CONSOLIDATE if is_closed else f"{_RESUME}, or {_CONSOLIDATE}"
        yield Finding(kind, place, f"rows {n_view} to {n_journal - 1} are not in the view", remedy)


def _check_values(view: Path, table: Table, n_rows: int) -> Iterator[Finding]:
    """Read the view through zarr, which shares no code with what wrote it."""
    import zarr  # takes half a second, which only a check shall cost

    group = zarr.open_group(view, mode="r")
    names = set(group.array_keys())
    wanted = {variable.name: variable.metadata(n_rows) for variable in table.variables()}
    for name in sorted(wanted.keys() | table.coordinates.keys()):
        if name not in names:
            yield Finding(
                FindingKind.MISSING, f"{VIEW}/{name}", "the variable is not in the view", _CONSOLIDATE
            )
    for name in sorted(names - wanted.keys() - table.coordinates.keys()):
        yield Finding(
            FindingKind.DIFFERENT, f"{VIEW}/{name}", "the journal knows no such variable", _CONSOLIDATE
        )
    for name, column in table.columns.items():
        if name in names:
            yield from _check_column(group[name], column, n_rows, table)
    for name, coordinate in table.coordinates.items():
        if name in names:
            stored = _read(group[name], slice(None))
            if stored is None or not _equal(stored, coordinate.values).all():
                yield Finding(FindingKind.DIFFERENT, f"{VIEW}/{name}", "the values differ", _CONSOLIDATE)


def _check_column(array: Any, column: Column, n_rows: int, table: Table) -> Iterator[Finding]:
    name = column.variable.name
    numbers = table.columns["trial"].values(n_rows)
    for start in range(0, n_rows, column.rows):
        rows = slice(start, min(start + column.rows, n_rows))
        place = f"{VIEW}/{name}/c.{start // column.rows}"
        stored, expected = _read(array, rows), column.block(start // column.rows)[: rows.stop - start]
        if stored is None or stored.shape != expected.shape:
            yield Finding(FindingKind.DAMAGED, place, "cannot be decoded", _CONSOLIDATE)
            continue
        differs = ~_equal(stored, expected).reshape(len(expected), -1).all(axis=1)
        if differs.any():
            trials = numbers[rows][differs]
            some = ", ".join(map(str, trials[:5])) + (", ..." if len(trials) > 5 else "")
            what = f"the values of {len(trials)} trials differ from the journal's ({some})"
            yield Finding(FindingKind.DIFFERENT, place, what, _CONSOLIDATE)


def _read(array: Any, rows: slice) -> NDArray[Any] | None:
    """Stored values, None where they cannot be decoded: codecs raise all kinds of errors."""
    try:
        values = np.asarray(array[rows])
    except (RuntimeError, ValueError, TypeError, OSError, KeyError, IndexError):
        return None
    return values.astype(TEXT) if values.dtype.kind in "TU" else values


def _equal(stored: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if stored.shape != expected.shape:
        return np.zeros(1, dtype=np.bool_)
    equal = np.asarray(stored == expected)
    if expected.dtype.kind in "fc" and stored.dtype.kind in "fc":
        equal |= np.isnan(stored) & np.isnan(expected)
    return equal


# ---- chunks ------------------------------------------------------------------------------------


def _check_chunks(study_dir: Path, places: Iterable[Placement], n_rows: int) -> Iterator[Finding]:
    for place in places:
        path = study_dir / VIEW / place.path
        if not path.exists() and place.row >= n_rows:
            path = study_dir / place.chunk.path  # not published yet
        name = path.relative_to(study_dir).as_posix()
        if not path.exists():
            yield Finding(FindingKind.MISSING, name, f"the chunk of row {place.row} is gone", _RESTORE)
            continue
        data = path.read_bytes()
        if (len(data), zlib.crc32(data)) != (place.chunk.bytes, place.chunk.crc32):
            yield Finding(
                FindingKind.DAMAGED, name, f"the chunk of row {place.row} is not what was written", _RESTORE
            )


def _leftovers(study_dir: Path, awaited: set[str]) -> Iterator[Finding]:
    files: Counter[str] = Counter()
    for path in sorted((study_dir / SPOOL).rglob("*")):
        if path.is_file() and path.relative_to(study_dir).as_posix() not in awaited:
            files[path.parent.relative_to(study_dir).as_posix()] += 1
    for path in sorted((study_dir / VIEW).rglob(f"*{PARTIAL}")):
        files[path.parent.relative_to(study_dir).as_posix()] += 1
    for folder, count in files.items():
        yield Finding(FindingKind.LEFTOVER, folder, f"{count} files belong to no row")

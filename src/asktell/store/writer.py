"""Writes the view `results.zarr` so that plain `xr.open_zarr` works at every instant.

A reader finds everything through the root's zarr.json, which carries the metadata of all variables
and with it the number of rows. A publish writes blocks whole from memory, renames large chunks into
place, makes all of it durable, and then flips that one file by a rename. Whatever lies beyond the
published number of rows is invisible; rows below it never change.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from pathlib import Path
from typing import Any

from asktell.durable import PARTIAL, make_folder, replace_files, sync
from asktell.records import SchemaSet
from asktell.store.encoding import chunk_name, encode_chunk
from asktell.store.layout import Layout
from asktell.store.outputs import SPOOL
from asktell.store.rows import Row
from asktell.store.table import Placement, Table
from asktell.store.variables import TRIAL, Column
from asktell.trial import ChunkRecord

VIEW = "results.zarr"
ROOT = "zarr.json"
ASIDE = "aside"

logger = logging.getLogger(__name__)


class Store:
    """The one writer of a study's view. Any thread may own it, one at a time.

    A new one knows no rows: append all of them from the journal, then publish. `missing` names the
    chunks that were neither in the spool nor in the view; their rows are there all the same.
    """

    def __init__(self, study_dir: Path, layout: Layout) -> None:
        self.path = study_dir / VIEW
        self.missing: list[str] = []
        self._study_dir = study_dir
        self._table = Table(layout)
        self._placements: list[Placement] = []
        self._belongs: set[str] = set()
        self._reviewed: set[str] = set()
        self._published = b""
        self._mark: tuple[int, int] | None = None
        self._n_trusted = 0

    @property
    def n_rows(self) -> int:
        """Rows so far, published or not."""
        return self._table.n_rows

    def set_schema(self, schema: SchemaSet) -> None:
        """Add the outputs' variables; raises StoreError for a second schema that differs."""
        self._table.set_schema(schema)

    def append(self, row: Row) -> None:
        """Take the next row, in the order of terminal events."""
        places = self._table.append(row)
        self._placements += places
        self._belongs.update(place.path for place in places)
        self._write_full_blocks()

    def publish(self) -> None:
        """Let readers see every row so far. May be repeated after any failure: it starts over from memory."""
        make_folder(self.path)
        if self._mark is None or self._mark != _mark(self.path / ROOT):
            self._review()
        root = self._root()
        if root == self._published:
            return
        self._place()
        self._write_blocks()
        replace_files([(self.path / ROOT, root)])
        self._published, self._mark = root, _mark(self.path / ROOT)
        self._drop_full_blocks()

    def close(self) -> None:
        """Publish, and leave the metadata for readers that do not use the root's."""
        self.publish()
        metadata = self._table.metadata(self.n_rows)
        replace_files((self.path / name / ROOT, _json(item)) for name, item in metadata.items())

    # ---- what another writer has left ----------------------------------------------------------

    def _review(self) -> None:
        """Take over a view that this store has not written last: an earlier session's, or a stale publish.

        Variables that will be encoded in another way, and rows that there will not be, leave the
        view before anything in it is overwritten.
        """
        self._published, self._reviewed = b"", set()
        found = read_root(self.path)
        if found is None:
            return
        # What an earlier session has published is as it wrote it; nothing is, once a stale driver was here.
        self._n_trusted = rows_of(found) if self._mark is None else 0
        theirs = found["consolidated_metadata"]["metadata"]
        ours = self._table.metadata(self.n_rows)
        kept = {
            name: item for name, item in theirs.items() if name in ours and _same_encoding(item, ours[name])
        }
        n_rows = min(self.n_rows, rows_of(found))
        if len(kept) < len(theirs) or n_rows < rows_of(found):
            for item in kept.values():
                if item["dimension_names"][:1] == [TRIAL]:
                    item["shape"][0] = n_rows
            found["consolidated_metadata"]["metadata"] = kept
            replace_files([(self.path / ROOT, _json(found))])

    def _review_column(self, column: Column) -> None:
        """Have every block written again that is in memory, or in a file that may say something else."""
        name = column.variable.name
        self._reviewed.add(name)
        folder = self.path / name
        on_disk = [int(path.name.split(".")[1]) for path in _chunk_files(folder)]
        last = self.n_rows // column.rows
        stale = column.touch([*column.kept, *(index for index in on_disk if index <= last)])
        if stale and self._mark is not None:
            logger.warning(
                "another writer was at %s; `asktell consolidate` makes sure of its first rows", folder
            )

    def _review_large(self, name: str) -> None:
        """Set aside chunks that belong to no row: of a driver whose last rows did not count."""
        self._reviewed.add(name)
        folder = self.path / name
        for path in _chunk_files(folder):
            if f"{name}/{path.name}" not in self._belongs:
                self._set_aside(path)

    # ---- writing -------------------------------------------------------------------------------

    def _root(self) -> bytes:
        metadata = self._table.metadata(self.n_rows)
        consolidated = {"kind": "inline", "must_understand": False, "metadata": metadata}
        root = {"zarr_format": 3, "node_type": "group", "attributes": self._table.attrs()}
        return _json({**root, "consolidated_metadata": consolidated})

    def _write_blocks(self) -> None:
        files: list[tuple[Path, bytes]] = []
        n_known = len(self._reviewed)
        written: list[tuple[Column, set[int]]] = []
        for name, column in self._table.columns.items():
            if name not in self._reviewed:
                (self.path / name).mkdir(exist_ok=True)
                self._review_column(column)
            files += [self._block_file(column, index) for index in sorted(column.changed)]
            written.append((column, set(column.changed)))
        for name, coordinate in self._table.coordinates.items():
            if name not in self._reviewed:
                self._reviewed.add(name)
                (self.path / name).mkdir(exist_ok=True)
                index = (0,) * coordinate.values.ndim
                files.append((self.path / name / chunk_name(*index), encode_chunk(coordinate.values)))
        if len(self._reviewed) > n_known:
            sync(self.path)
        replace_files(files)
        for column, indices in written:
            column.changed -= indices

    def _write_full_blocks(self) -> None:
        """Blocks of arrays are written as soon as they are full, and forgotten, to keep memory bounded."""
        for column in self._table.small:
            index, place = divmod(self.n_rows, column.rows)
            if place == 0 and index - 1 in column.changed:
                try:
                    make_folder(self.path / column.variable.name)
                    replace_files([self._block_file(column, index - 1)])
                except OSError as error:
                    logger.warning("%s: a block stays in memory: %s", column.variable.name, error)
                    continue
                column.changed.discard(index - 1)
                column.drop(index - 1)

    def _drop_full_blocks(self) -> None:
        for column in self._table.small:
            for index in column.kept:
                if index < self.n_rows // column.rows:
                    column.drop(index)

    def _block_file(self, column: Column, index: int) -> tuple[Path, bytes]:
        key = chunk_name(index, *(0 for _ in column.variable.shape))
        return self.path / column.variable.name / key, encode_chunk(column.block(index))

    # ---- large chunks --------------------------------------------------------------------------

    def _place(self) -> None:
        for name in self._table.large:
            if name not in self._reviewed:
                make_folder(self.path / name)
                self._review_large(name)
        for place in self._placements:
            target = self.path / place.path
            if (
                place.row >= self._n_trusted
                and target.exists()
                and zlib.crc32(target.read_bytes()) != place.chunk.crc32
            ):
                # Another trial's: a stale driver counted its rows in another order. Both are found again.
                self._set_aside(target)
        folders = set()
        for place in self._placements:
            target = self.path / place.path
            if self._move(self._study_dir / place.chunk.path, target, place.chunk):
                folders.add(target.parent)
        for folder in folders:
            sync(folder)
        self._placements = []

    def _move(self, source: Path, target: Path, chunk: ChunkRecord) -> bool:
        """Bring a chunk to its place; true if something was renamed.

        The chunk is the one copy: whatever else has its name is set aside, never overwritten.
        """
        if not source.exists():
            if target.exists() and target.stat().st_size == chunk.bytes:
                return False  # moved before a crash, or by an earlier session
            source = self._study_dir / SPOOL / ASIDE / _content_name(chunk.bytes, chunk.crc32)
        if not source.exists():
            self.missing.append(str(target))
            logger.error("%s is lost: it is neither there nor at %s", target, chunk.path)
            return False
        if target.exists():
            self._set_aside(target)
        os.replace(source, target)
        return True

    def _set_aside(self, path: Path) -> None:
        folder = self._study_dir / SPOOL / ASIDE
        make_folder(folder)
        data = path.read_bytes()
        os.replace(path, folder / _content_name(len(data), zlib.crc32(data)))
        sync(folder)


def read_root(view: Path) -> dict[str, Any] | None:
    """The view's root document, None where there is none that can be read."""
    try:
        found = json.loads((view / ROOT).read_bytes())
        rows_of(found)
    except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError):
        return None
    return dict(found)


def rows_of(root: dict[str, Any]) -> int:
    """Published rows."""
    return int(root["consolidated_metadata"]["metadata"][TRIAL]["shape"][0])


def _same_encoding(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    rest = [{key: item[key] for key in item.keys() - {"shape", "attributes"}} for item in (theirs, ours)]
    return rest[0] == rest[1] and theirs["shape"][1:] == ours["shape"][1:]


def _chunk_files(folder: Path) -> list[Path]:
    """The chunks in an array's folder; half-written files of a writer that died go."""
    for path in folder.glob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)
    return [path for path in folder.glob("c.*") if path.name.split(".")[1].isdigit()]


def _content_name(size: int, crc32: int) -> str:
    return f"{size}-{crc32:08x}"


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()

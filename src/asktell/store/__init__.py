"""The view of a study that xarray opens: `results.zarr`, rows in the order of terminal events."""

from asktell.store.check import Finding, FindingKind, consolidate, verify
from asktell.store.layout import Layout
from asktell.store.outputs import Spool, encode_output
from asktell.store.rows import Row, RowBuilder, rows_from
from asktell.store.writer import Store

__all__ = [
    "Finding",
    "FindingKind",
    "Layout",
    "Row",
    "RowBuilder",
    "Spool",
    "Store",
    "consolidate",
    "encode_output",
    "rows_from",
    "verify",
]

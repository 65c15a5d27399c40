"""Whether a completed result fits the study: the values that it needs, outputs as in its first trial."""

from __future__ import annotations

import math
from dataclasses import replace

from asktell.records import SchemaSet
from asktell.study.rules import Rules
from asktell.trial import ArrayRecord, Outcome


def what_is_wrong(outcome: Outcome, rules: Rules, schema: SchemaSet | None) -> str:
    """Why this is no valid result, or ''."""
    return _wrong_values(outcome, rules) or (_wrong_outputs(outcome, schema) if schema is not None else "")


def schema_of(outcome: Outcome, at: float) -> SchemaSet:
    """The schema that the first trial with outputs sets for all."""
    return SchemaSet(without_bytes(outcome).arrays, outcome.coords, at)


def without_bytes(outcome: Outcome) -> Outcome:
    """The outcome without what only the store needs, as every trial's is kept in memory."""
    arrays = {name: replace(array, inline=None, chunks=()) for name, array in outcome.arrays.items()}
    return replace(outcome, arrays=arrays, coords={}, metrics=())


def _wrong_values(outcome: Outcome, rules: Rules) -> str:
    for name in (*rules.signs, *rules.bounds):
        if not math.isfinite(outcome.values.get(name, math.nan)):
            found = outcome.values.get(name, "missing")
            kind = "objective" if name in rules.signs else "outcome constraint"
            return f"{kind} '{name}' is {found}"
    return ""


def _wrong_outputs(outcome: Outcome, schema: SchemaSet) -> str:
    expected = schema.arrays
    for name in sorted(expected.keys() - outcome.arrays.keys()):
        return f"output '{name}' is missing; the first trial with outputs had it"
    for name, array in outcome.arrays.items():
        if name not in expected:
            return f"output '{name}' is new; the first trial with outputs did not have it"
        if _signature(array) != _signature(expected[name]):
            return f"output '{name}' is {_describe(array)}, this study's is {_describe(expected[name])}"
    for name, coord in outcome.coords.items():
        if name in schema.coords and coord.values != schema.coords[name].values:
            return (
                f"coordinate '{name}' differs from the first trial's, which stands for all; return it as an "
                "output instead"
            )
    return ""


def _signature(array: ArrayRecord) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    return array.dtype, array.shape, array.dims


def _describe(array: ArrayRecord) -> str:
    dims = ", ".join(f"{dim}: {size}" for dim, size in zip(array.dims, array.shape, strict=True))
    return f"{array.dtype} ({dims})"

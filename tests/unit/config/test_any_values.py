"""Whatever stands in a study file, the loader answers with a study or with problems, never with a crash."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asktell.config import parse
from asktell.config.dialect import read_plain, write, write_inline
from asktell.config.source import read
from asktell.errors import ConfigError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
SCALARS |= st.sampled_from(
    ["x", "x < 1", "y < 1", "{x}", "{", "(", "async", "objective.py:f", "a.b:c", "x.j2", "real"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("x"), inner, max_size=3)
    ),
    max_leaves=4,
)
STUDY: dict[str, Any] = {
    "name": "a",
    "evaluate": {
        "command": ["run", "{x}"],
        "templates": [],
        "valid": ["y < 1"],
        "result": {"json": None, "stdout": {"y": "(.)"}, "arrays": {"z": "z.npy"}},
        "env": {"A": "1"},
        "timeout": "2h",
    },
    "space": {
        "x": {"type": "real", "low": 0.0, "high": 1.0, "when": {"m": ["a"]}},
        "m": {"type": "categorical", "choices": ["a", "b"]},
        "n": {"type": "integer", "low": 1, "high": 3, "log": True},
        "c": 3,
    },
    "objectives": {"y": "maximize"},
    "constraints": ["n < 3", "y < 1"],
    "outputs": {"z": {"dims": ["u"], "shape": [2], "coords": {"u": [1, 2]}}},
    "schedule": {"hybrid": 2},
    "cluster": {"workers": 4},
    "budget": {"trials": 5},
}


def items(data: Any) -> list[tuple[Any, Any]]:
    return list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ())


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    return [path, *(found for key, value in items(data) for found in places(value, (*path, key)))]


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = {key: replaced(item, path[1:], value) if key == path[0] else item for key, item in items(data)}
    return list(changed.values()) if isinstance(data, list) else changed


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(STUDY)[1:]), VALUES), min_size=1, max_size=3))
def test_any_value_anywhere(tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    data = STUDY
    for path, value in changes:
        data = replaced(data, path, value)
    try:
        config = parse(data, tmp_path)
    except ConfigError as error:
        problems = error.problems
    else:
        config.build_space()
        config.outcome_bounds()
        return
    assert problems
    assert [item for item in problems if not (item.message and item.remedy)] == []


@settings(max_examples=200, deadline=None)
@given(st.text() | st.from_regex(r"[ \[\]{}:,#&*!|>'\"%@`\-?\ta-z0-9\n$]*", fullmatch=True))
def test_any_text(text: str) -> None:
    with contextlib.suppress(ConfigError):
        read(text, "study.yaml", {})


@given(VALUES.filter(lambda value: value == value))
@example({"\x85": None})
@example("a\u2028b\x85")
def test_what_is_written_is_read_back(value: Any) -> None:
    assert repr(read(write({"key": value}), "study.yaml").data["key"]) == repr(value)
    assert repr(read(f"key: {write_inline(value)}", "study.yaml").data["key"]) == repr(value)


@pytest.mark.parametrize("text", ["1e-3", ".inf", "-.inf", "0x1F", "0o17", "1e5", "+3"])
def test_numbers_are_numbers(text: str) -> None:
    assert isinstance(read_plain(text), (int, float))

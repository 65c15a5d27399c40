"""What a study writes down about durations and sizes, it reads back as the same number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asktell.config.quantities import format_duration, format_size, parse_duration, parse_size

UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
SIZES = {"B": 1, "kB": 1000, "KB": 1000, "K": 1024, "KiB": 1024, "MB": 1000**2, "M": 1024**2, "gb": 1000**3}
SIZES |= {"GiB": 1024**3, "G": 1024**3, "TB": 1000**4, "T": 1024**4, "tib": 1024**4}


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_durations_read_back(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
    assert parse_duration(seconds) == seconds


@given(st.integers(min_value=0))
def test_sizes_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(
    st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS))), min_size=1),
    st.sampled_from(["", " "]),
)
def test_durations_add_up(parts: list[tuple[int, str]], space: str) -> None:
    text = space.join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(text) == sum(count * UNITS[unit] for count, unit in parts)


@given(st.integers(0, 400), st.integers(0, 999), st.integers(0, 59), st.integers(0, 59))
def test_clock_notation(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert parse_duration(f"{days}-{hours:02}:{minutes:02}:{seconds:02}") == total
    assert parse_duration(f"{hours + 24 * days}:{minutes:02}:{seconds:02}") == total


@given(st.integers(0, 10**6), st.sampled_from(sorted(SIZES)), st.sampled_from(["", " "]))
def test_size_units(count: int, unit: str, space: str) -> None:
    assert parse_size(f"{count}{space}{unit}") == count * SIZES[unit]
    assert parse_size(f"{count}.5 {unit}") == round((count + 0.5) * SIZES[unit])


@given(st.text() | st.none() | st.booleans() | st.floats() | st.lists(st.integers()))
def test_nonsense_is_refused_or_read_as_a_quantity(value: object) -> None:
    for parse in (parse_duration, parse_size):
        try:
            found = parse(value)
        except ValueError:
            continue
        assert math.isfinite(found)
        assert found >= 0


@pytest.mark.parametrize(
    "text", ["", "h", "1:30", "1h-30min", "-5s", "1e999s", "2 weeks", "00:61:00", ".", "1e400"]
)
def test_ambiguous_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "8 apples", "-1GB", "GB", "1e9", "8Gbit"])
def test_ambiguous_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)

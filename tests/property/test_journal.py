"""A journal cut anywhere is the journal of an earlier moment; damage anywhere else is named."""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from asktell.journal import Segment, read_segment
from asktell.records import Asked, Ended, Lost, Record, StopRequested, Submitted
from asktell.trial import Cause, Origin, Outcome, Status, Trial

numbers = st.integers(0, 10**6)
times = st.floats(0, 2e9)
texts = st.text(max_size=20)
values = st.one_of(st.floats(allow_nan=False), st.integers(-(2**53), 2**53), st.booleans(), texts)
trials = st.builds(
    Trial,
    number=numbers,
    params=st.dictionaries(texts, values, max_size=3),
    origin=st.sampled_from(Origin),
    pending=st.lists(numbers, max_size=3).map(tuple),
    asked_at=times,
)
outcomes = st.builds(
    Outcome,
    status=st.sampled_from([Status.COMPLETED, Status.FAILED]),
    cause=st.sampled_from(Cause),
    error=texts,
    values=st.dictionaries(texts, st.floats(allow_nan=False), max_size=3),
    metrics=st.lists(st.tuples(times, texts, times), max_size=2).map(tuple),
)
records = st.one_of(
    st.builds(Asked, trials=st.lists(trials, min_size=1, max_size=2).map(tuple), at=times),
    st.builds(Submitted, number=numbers, attempt=numbers, slot=texts, at=times),
    st.builds(
        Lost, number=numbers, attempt=numbers, cause=st.sampled_from(Cause), counts=st.booleans(), at=times
    ),
    st.builds(Ended, number=numbers, attempt=numbers, outcome=outcomes, at=times),
    st.builds(StopRequested, at=times),
)


def written(folder: Path, said: list[Record]) -> Path:
    segment = Segment.create(folder, "user")
    segment.append_many(said)
    segment.close()
    return segment.path


@settings(max_examples=6, deadline=None)
@given(st.lists(records, min_size=1, max_size=3))
def test_a_segment_cut_at_any_byte_holds_a_prefix_of_its_records(said: list[Record]) -> None:
    with TemporaryDirectory() as name:
        path = written(Path(name), said)
        ends = list(accumulate(len(line) for line in path.read_bytes().splitlines(keepends=True)))
        for cut in range(ends[-1], -1, -1):
            os.truncate(path, cut)
            complete = sum(end <= cut for end in ends)
            reading = read_segment(path)
            assert [record for _, record in reading.records] == said[:complete]
            assert reading.end == (ends[complete - 1] if complete else 0)
            assert reading.damage is None


@settings(max_examples=60, deadline=None)
@given(st.lists(records, min_size=2, max_size=5), st.data())
def test_a_changed_byte_in_the_middle_is_named(said: list[Record], data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        path = written(Path(name), said)
        lines = path.read_bytes().splitlines(keepends=True)
        line = data.draw(st.integers(0, len(lines) - 2))
        place = data.draw(st.integers(0, len(lines[line]) - 2))  # the newline itself is another story
        changed = bytearray(lines[line])
        changed[place] = data.draw(
            st.integers(0, 255).filter(lambda byte: byte not in (changed[place], ord("\n")))
        )
        path.write_bytes(b"".join([*lines[:line], bytes(changed), *lines[line + 1 :]]))
        reading = read_segment(path)
        assert [record for _, record in reading.records] == said[:line]
        assert reading.damage is not None
        assert (reading.damage.line, reading.damage.byte) == (line + 1, sum(map(len, lines[:line])))
        rest = read_segment(path, reading.damage.following)
        assert [record for _, record in rest.records] == said[line + 1 :]

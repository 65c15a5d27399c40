from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asktell.evaluate.capture import CappedLog


@given(writes=st.lists(st.binary(max_size=60), max_size=12), limit=st.integers(1, 100))
def test_both_ends_are_kept_and_the_middle_is_counted(
    tmp_path_factory: pytest.TempPathFactory, writes: list[bytes], limit: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "stdout"
    log = CappedLog(path, limit)
    for data in writes:
        log.write(data)
    log.close()
    everything = b"".join(writes)
    head, tail = limit - limit // 2, limit // 2
    expected = everything
    if len(everything) > limit:
        note = b"\n[asktell: %d bytes left out]\n" % (len(everything) - limit)
        expected = everything[:head] + note + (everything[-tail:] if tail else b"")
    assert path.read_bytes() == expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_and_stops_nobody() -> None:
    log = CappedLog(Path("/dev/full"), 100)
    log.write(b"text")
    log.close()
    assert "No space left" in log.error

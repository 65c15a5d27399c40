"""Segments, their readers, and the lease."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from asktell.errors import JournalError, StudyError, StudyLocked
from asktell.journal import Segment, Tail, holder, open_driver, read_segment, replay_driver, segments
from asktell.journal.segment import to_line
from asktell.records import Closed, Opened, Record, StopRequested


def at(moment: float) -> StopRequested:
    return StopRequested(at=moment)


class SlowClock:
    """A clock that only sleeping moves; `on_tick` is what the world does meanwhile."""

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.on_tick = on_tick

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_tick()


def records_of(path: Path) -> list[Record]:
    return [record for _, record in read_segment(path).records]


def linked(folder: Path, opened: Opened, *more: Record) -> Path:
    """A driver's segment as some other process would have left it."""
    path = folder / f"driver-{opened.token:06d}.jsonl"
    folder.mkdir(exist_ok=True)
    path.write_bytes(b"".join(map(to_line, (opened, *more))))
    return path


def test_a_full_disk_leaves_the_segment_as_it_was(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path, "worker")
    segment.append(at(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (segment.path.stat().st_size + 10, before[1]))
        with pytest.raises(JournalError, match="cannot be written"):
            segment.append(at(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    segment.append(at(3))
    assert records_of(segment.path) == [at(1), at(3)]


def test_a_closed_segment_refuses(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path, "user")
    segment.close()
    segment.close()
    with pytest.raises(JournalError, match="closed"):
        segment.append(at(1))


def test_a_record_of_a_later_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "user-a-1-b.jsonl"
    line = to_line(at(1))[9:-1].replace(b"stoprequested", b"startrequested")
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(line), line))
    with pytest.raises(JournalError, match=r"byte 0: .*newer"):
        read_segment(path)


def test_a_tail_yields_each_record_once_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / "worker-sub").mkdir()
    tail = Tail(tmp_path, "worker")
    assert tail.new() == []
    first, second = Segment.create(tmp_path, "worker"), Segment.create(tmp_path, "worker")
    first.append_many([at(1), at(2)])
    second.append(at(3))
    assert {record.at for _, record in tail.new()} == {1, 2, 3}
    size = first.path.stat().st_size
    first.append(at(4))
    assert tail.new() == [(f"{first.path.name}:{size}", at(4))]
    assert tail.new() == []


def test_a_tail_waits_for_the_rest_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "worker-a-1-b.jsonl"
    line = to_line(at(1))
    path.write_bytes(line[:20])
    tail = Tail(tmp_path, "worker")
    assert tail.new() == []
    path.write_bytes(line)
    assert tail.new() == [(f"{path.name}:0", at(1))]


def test_a_tail_passes_over_a_line_that_stays_damaged(tmp_path: Path) -> None:
    path = tmp_path / "worker-a-1-b.jsonl"
    path.write_bytes(b"\0" * 30 + b"\n" + to_line(at(1)))
    tail = Tail(tmp_path, "worker")
    assert tail.new() == []
    tail.new()
    assert [record for _, record in tail.new()] == [at(1)]
    assert [(damage.line, damage.byte) for damage in tail.damage] == [(1, 0)]


def test_a_closed_study_is_taken_at_once_and_replayed_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    first = open_driver(folder, Opened(token=0, at=1.0))
    first.append(at(2))
    first.append(Closed(at=3, reason="budget", done=True))
    first.close()
    second = open_driver(folder, Opened(token=0, at=4.0))
    second.append(at(5))
    assert (first.token, second.token) == (1, 2)
    assert not first.is_current()
    assert second.is_current()
    assert [record.at for record in replay_driver(folder)] == [1, 2, 3, 4, 5]


def test_a_driver_that_lives_is_not_displaced(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    first = open_driver(folder, Opened(token=0, at=1.0))
    with pytest.raises(StudyLocked, match=str(os.getpid())):
        open_driver(folder, Opened(token=0, at=2.0))
    assert holder(folder) == first.opened
    first.close()
    assert holder(folder) is None


def test_a_killed_driver_is_displaced_at_once_though_its_parent_has_not_reaped_it(tmp_path: Path) -> None:
    script = (
        "import sys, signal, pathlib\n"
        "from asktell.journal import open_driver\n"
        "from asktell.records import Opened\n"
        "open_driver(pathlib.Path(sys.argv[1]), Opened(token=0, at=1.0))\n"
        "print('held', flush=True)\n"
        "signal.pause()\n"
    )
    folder = tmp_path / "journal"
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StudyLocked):
            open_driver(folder, Opened(token=0, at=2.0))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert open_driver(folder, Opened(token=0, at=2.0)).token == 2


def test_a_silent_driver_elsewhere_is_displaced_after_the_ttl(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    linked(folder, Opened(token=1, at=1.0, host="elsewhere", boot="b", pid=os.getpid()))
    clock = SlowClock()
    journal = open_driver(folder, Opened(token=0, at=2.0), ttl_s=30, clock=clock, sleep=clock.sleep)
    assert journal.token == 2
    assert 30 <= clock.now < 35


@pytest.mark.parametrize("sign", ["heartbeat", "segment"])
def test_a_driver_elsewhere_that_gives_a_sign_of_life_keeps_the_study(tmp_path: Path, sign: str) -> None:
    folder = tmp_path / "journal"
    path = linked(folder, Opened(token=1, at=1.0, host="elsewhere", boot="b"))

    def live() -> None:
        if clock.now > 20:
            if sign == "heartbeat":
                (folder / "heartbeat").write_text(f"1 {clock.now}\n")
            else:
                path.write_bytes(path.read_bytes() + to_line(at(clock.now)))

    clock = SlowClock(live)
    with pytest.raises(StudyLocked, match="elsewhere"):
        open_driver(folder, Opened(token=0, at=2.0), ttl_s=30, clock=clock, sleep=clock.sleep)


def test_a_superseded_drivers_heartbeat_keeps_nobody_alive(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    linked(folder, Opened(token=7, at=1.0, host="elsewhere", boot="b"))
    clock = SlowClock(lambda: [(folder / "heartbeat").write_text(f"6 {clock.now}\n"), None][1])
    assert open_driver(folder, Opened(token=0, at=2.0), ttl_s=5, clock=clock, sleep=clock.sleep).token == 8


def test_a_take_over_during_the_wait_is_respected(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    old = Opened(token=1, at=1.0, host="elsewhere", boot="b")
    linked(folder, old)

    def someone_else_wins() -> None:
        linked(folder, replace(old, token=2))

    clock = SlowClock(someone_else_wins)
    with pytest.raises(StudyLocked, match="just now"):
        open_driver(folder, Opened(token=0, at=2.0), ttl_s=5, clock=clock, sleep=clock.sleep)
    assert [path.name for path in segments(folder, "driver")] == [
        "driver-000001.jsonl",
        "driver-000002.jsonl",
    ]


def test_what_a_superseded_driver_still_writes_counts_for_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    frozen = linked(folder, Opened(token=1, at=1.0, host="elsewhere", boot="b"), at(2))
    clock = SlowClock()
    successor = open_driver(folder, Opened(token=0, at=3.0), ttl_s=1, clock=clock, sleep=clock.sleep)
    frozen.write_bytes(frozen.read_bytes() + to_line(at(99)))
    successor.append(at(4))
    successor.close()
    open_driver(folder, Opened(token=0, at=5.0))
    moments = [record.at for record in replay_driver(folder) if not isinstance(record, Closed)]
    assert moments == [1, 2, 3, 4, 5]


def test_a_torn_last_line_is_cut_at_the_take_over(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    path = linked(folder, Opened(token=1, at=1.0), at(2))
    path.write_bytes(path.read_bytes() + to_line(at(3))[:-5])
    journal = open_driver(folder, Opened(token=0, at=4.0), ttl_s=0)
    assert [record.at for record in replay_driver(folder)] == [1, 2, 4]
    assert journal.opened.accepted == {path.name: len(to_line(Opened(token=1, at=1.0)) + to_line(at(2)))}


def test_what_was_relied_upon_and_is_gone_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    first = open_driver(folder, Opened(token=0, at=1.0))
    first.append(at(2))
    first.close()
    open_driver(folder, Opened(token=0, at=3.0))
    os.truncate(first.path, first.path.stat().st_size - 3)
    with pytest.raises(JournalError, match="driver-000001"):
        replay_driver(folder)
    first.path.unlink()
    with pytest.raises(JournalError, match=r"driver-000001.*missing"):
        replay_driver(folder)


def test_damage_in_a_drivers_segment_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    path = linked(folder, Opened(token=1, at=1.0), at(2), at(3))
    path.write_bytes(path.read_bytes().replace(b'"at":2', b'"at":7'))
    with pytest.raises(JournalError, match="line 2"):
        replay_driver(folder)


def test_a_directory_without_a_journal_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no study"):
        replay_driver(tmp_path / "journal")

"""The journal and the view while processes die, race, and damage files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from asktell.errors import StudyLocked
from asktell.journal import Segment, open_driver, replay_driver
from asktell.journal.segment import to_line
from asktell.records import Asked, Closed, Ended, Opened, Record, Reported, SchemaSet, Submitted
from asktell.store import FindingKind, Layout, RowBuilder, Spool, Store, consolidate, encode_output, verify
from asktell.trial import ArrayRecord, Outcome, Status, Trial

CONFIG = {
    "name": "chaos",
    "evaluate": {"call": "objective.py:evaluate"},
    "space": {"x": {"type": "real", "low": 0.0, "high": 1.0}},
    "objectives": {"y": "minimize"},
    "optimizer": {"seed": 1},
}
OPENED = Opened(token=0, at=1e9, config=CONFIG, versions={"numpy": "2"})


class Study:
    """A driver and its one worker, without anything between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = open_driver(path / "journal", OPENED)
        self.worker = Segment.create(path / "journal", "worker")
        self.spool = Spool(path, self.worker.name)
        self.store = Store(path, Layout.from_openings([self.journal.opened]))
        self.rows = RowBuilder()
        self.next = 0
        self.has_schema = False
        for record in replay_driver(path / "journal"):
            self.take(record)

    def take(self, record: Record) -> None:
        if isinstance(record, SchemaSet):
            self.has_schema = True
            self.store.set_schema(record)
        if isinstance(record, Asked):
            self.next = max(trial.number for trial in record.trials) + 1
        if (row := self.rows.take(record)) is not None:
            self.store.append(row)

    def commit(self, *records: Record) -> None:
        self.journal.append_many(records)
        for record in records:
            self.take(record)

    def evaluate(self, number: int) -> Outcome:
        arrays = {
            "small": encode_output("small", np.full(50, float(number)), ("i",), {}, self.spool),
            "large": encode_output("large", np.full((200, 200), float(number)), ("j", "k"), {}, self.spool),
        }
        outcome = Outcome(Status.COMPLETED, values={"y": float(number)}, arrays=arrays)
        self.worker.append(Reported(number, 0, "", outcome, 3.0))
        return outcome

    def trial(self) -> None:
        number = self.next
        self.commit(Asked((Trial(number, {"x": 0.5}),), 1.0))
        self.commit(Submitted(number, 0, "slot", 2.0))
        outcome = self.evaluate(number)
        if not self.has_schema:
            self.commit(SchemaSet({name: bare(array) for name, array in outcome.arrays.items()}, {}, 4.0))
        self.commit(Ended(number, 0, outcome, 5.0))

    def close(self) -> None:
        self.commit(Closed(9.0, "the budget is used", True))
        self.store.close()
        self.journal.close()
        self.worker.close()


def bare(array: ArrayRecord) -> ArrayRecord:
    return replace(array, inline=None, chunks=())


def run_forever(path: Path) -> None:
    """A driver's session in a process of its own, until someone kills it."""
    study = Study(path)
    while True:
        for _ in range(3):
            study.trial()
        study.store.publish()


READER = """
import sys, pathlib, numpy as np, xarray as xr
path, stop = map(pathlib.Path, sys.argv[1:])
reads = rows = 0
print("ready", flush=True)
while not stop.exists():
    if not path.exists():
        continue
    ds = xr.open_zarr(path).load()
    assert ds.sizes["trial"] >= rows, "rows went away"
    rows = ds.sizes["trial"]
    assert len(set(ds.trial.values.tolist())) == rows
    for name in ("y", "small", "large") if rows else ():
        values = ds[name].values.reshape(rows, -1)
        assert (values == ds.trial.values[:, None]).all(), f"{name} is torn"
    reads += 1
print(reads, rows)
"""

CHAOS = """
import os, pathlib, random, signal, sys, time, warnings
sys.path.insert(0, sys.argv[1])
from test_store import run_forever
rng, path = random.Random(0), pathlib.Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    if (child := os.fork()) == 0:
        run_forever(path)
    time.sleep(rng.uniform(0.02, 0.9))  # any moment is a good one to die
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_killed_at_any_moment_nothing_acknowledged_is_lost_and_no_reader_sees_it(tmp_path: Path) -> None:
    path, stop = tmp_path / "study", tmp_path / "stop"
    here = str(Path(__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", READER, str(path / "results.zarr"), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        subprocess.run([sys.executable, "-c", CHAOS, here, str(path), "20"], check=True)
        study = Study(path)
        study.trial()
        study.close()
        stop.touch()
        out, err = reader.communicate()
    assert err == ""
    n_reads, n_rows = map(int, out.split())
    assert n_reads > 5
    assert n_rows > 20
    ended = [record.number for record in replay_driver(path / "journal") if isinstance(record, Ended)]
    ds = xr.open_zarr(path / "results.zarr").load()
    assert ds.trial.values.tolist() == ended
    np.testing.assert_array_equal(ds.large[:, 0, 0], ended)
    assert [finding for finding in verify(path) if finding.is_problem] == []


RACER = """
import sys, pathlib
from asktell.errors import StudyLocked
from asktell.journal import open_driver
from asktell.records import Opened
sys.stdin.readline()
try:
    journal = open_driver(pathlib.Path(sys.argv[1]), Opened(token=0, at=1.0))
    print("won", journal.token, flush=True)
except StudyLocked:
    print("lost", flush=True)
sys.stdin.readline()
"""


def test_of_several_contenders_exactly_one_takes_over(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    command = [sys.executable, "-c", RACER, str(folder)]
    for token in (1, 2, 3):
        racers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            for _ in range(4)
        ]
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
        said = [racer.stdout.readline().strip() for racer in racers if racer.stdout is not None]
        assert sorted(said) == ["lost"] * 3 + [f"won {token}"]
        for racer in racers:
            racer.kill()  # so the winner never closes its journal
            racer.communicate()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "study"
    study = Study(path)
    for _ in range(5):
        study.trial()
    study.close()
    return path


@pytest.fixture
def study_dir(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def view(path: Path) -> xr.Dataset:
    return xr.open_zarr(path / "results.zarr").load()


def test_a_healthy_study_has_nothing_to_report(study_dir: Path) -> None:
    assert verify(study_dir) == []


def test_consolidate_gives_the_same_dataset(study_dir: Path) -> None:
    before = view(study_dir)
    for name in set(before.variables) - {"large"}:
        shutil.rmtree(study_dir / "results.zarr" / str(name))
    (study_dir / "results.zarr" / "zarr.json").unlink()
    assert consolidate(study_dir).missing == []
    xr.testing.assert_identical(view(study_dir), before)
    assert verify(study_dir) == []


def test_consolidate_brings_back_what_was_overwritten(study_dir: Path) -> None:
    before = view(study_dir)
    (study_dir / "results.zarr" / "y" / "c.0").write_bytes(b"rubbish")
    (study_dir / "results.zarr" / "error" / "c.0").write_bytes(b"rubbish where nothing is written")
    consolidate(study_dir)
    xr.testing.assert_identical(view(study_dir), before)


def test_consolidate_does_not_disturb_a_living_driver(study_dir: Path) -> None:
    study = Study(study_dir)
    with pytest.raises(StudyLocked):
        consolidate(study_dir)
    study.close()
    consolidate(study_dir)


def test_a_stale_publish_is_made_good(study_dir: Path) -> None:
    frozen = Study(study_dir)
    frozen.trial()
    frozen.store.publish()
    frozen.worker.close()
    opening = frozen.journal.path.read_bytes().splitlines(keepends=True)[0]
    frozen.journal.path.write_bytes(opening + to_line(Closed(6.0, "as if nothing else was accepted", False)))
    current = Study(study_dir)
    current.trial()  # another trial with the same number: the frozen driver's chunk has its place
    current.store.publish()
    frozen.store.close()
    current.trial()
    current.close()
    np.testing.assert_array_equal(view(study_dir).large[:, 0, 0], np.arange(7))
    np.testing.assert_array_equal(view(study_dir).y, np.arange(7))
    assert [str(finding) for finding in verify(study_dir) if finding.is_problem] == []


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def only(path: Path, pattern: str) -> Path:
    (found,) = path.glob(pattern)
    return found


def cut_view(path: Path) -> None:
    document = (path / "results.zarr" / "zarr.json").read_text()
    (path / "results.zarr" / "zarr.json").write_text(document.replace('"shape":[5', '"shape":[4'))


@pytest.mark.parametrize(
    ("harm", "kind", "place"),
    [
        (
            lambda path: damage(only(path, "journal/driver-000001.jsonl")),
            FindingKind.DAMAGED,
            "driver-000001",
        ),
        (lambda path: damage(only(path, "journal/worker-*")), FindingKind.DAMAGED, "journal/worker-"),
        (lambda path: only(path, "journal/driver-*").write_text(""), FindingKind.DAMAGED, "journal"),
        (lambda path: damage(path / "results.zarr/y/c.0"), FindingKind.DAMAGED, "results.zarr/y/c.0"),
        (
            lambda path: damage(path / "results.zarr/small/c.0.0"),
            FindingKind.DAMAGED,
            "results.zarr/small/c.0",
        ),
        (lambda path: (path / "results.zarr/y/c.0").unlink(), FindingKind.DIFFERENT, "results.zarr/y/c.0"),
        (
            lambda path: damage(path / "results.zarr/large/c.2.0.0"),
            FindingKind.DAMAGED,
            "results.zarr/large/c.2.0.0",
        ),
        (
            lambda path: (path / "results.zarr/large/c.3.0.0").unlink(),
            FindingKind.MISSING,
            "results.zarr/large/c.3.0.0",
        ),
        (
            lambda path: (path / "results.zarr/zarr.json").unlink(),
            FindingKind.MISSING,
            "results.zarr/zarr.json",
        ),
        (cut_view, FindingKind.MISSING, "results.zarr/zarr.json"),
    ],
)
def test_verify_names_what_is_missing_or_damaged(
    study_dir: Path, harm: Callable[[Path], None], kind: FindingKind, place: str
) -> None:
    harm(study_dir)
    problems = [finding for finding in verify(study_dir) if finding.is_problem]
    assert [finding.kind for finding in problems] == [kind]
    assert place in problems[0].place


def test_verify_tells_what_waits_and_what_belongs_to_no_row(study_dir: Path) -> None:
    study = Study(study_dir)
    study.commit(Asked((Trial(5, {"x": 0.1}),), 1.0))
    study.evaluate(5)
    study.evaluate(4)  # a second result for a trial that has one: never asked for again
    (study_dir / "results.zarr" / "y" / "c.0.abc.partial").touch()
    study.journal.path.write_bytes(study.journal.path.read_bytes() + b"00000000 {")
    found = verify(study_dir)
    assert [finding for finding in found if finding.is_problem] == []
    assert {finding.kind for finding in found} == {
        FindingKind.PENDING,
        FindingKind.LEFTOVER,
        FindingKind.TORN,
    }
    study.worker.close()


def test_a_chunk_that_is_gone_costs_no_row(study_dir: Path) -> None:
    (study_dir / "results.zarr" / "large" / "c.1.0.0").unlink()
    store = consolidate(study_dir)
    assert [Path(path).name for path in store.missing] == ["c.1.0.0"]
    ds = view(study_dir)
    assert ds.sizes["trial"] == 5
    assert np.isnan(ds.large[1]).all()
    np.testing.assert_array_equal(ds.large[2], 2.0)


def test_a_changed_encoding_replaces_the_variable(study_dir: Path) -> None:
    before = view(study_dir)
    root = study_dir / "results.zarr" / "zarr.json"
    root.write_text(root.read_text().replace('"chunk_shape":[1024]', '"chunk_shape":[512]'))
    consolidate(study_dir)
    xr.testing.assert_identical(view(study_dir), before)

"""Objectives that go wrong in every way end as documented, and the study goes on."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import studies

import asktell
from asktell.journal import replay_driver
from asktell.records import Lost
from asktell.store import verify

ENDS = {
    "good": ("completed", ""),
    "exit": ("failed", "objective_error"),
    "raise": ("failed", "objective_error"),
    "orphan": ("completed", ""),
    "nan": ("failed", "invalid_result"),
    "wrong_key": ("failed", "invalid_result"),
    "wrong_shape": ("failed", "invalid_result"),
    "flood": ("completed", ""),
    "hang": ("failed", "timeout"),
    "stop": ("failed", "timeout"),
    "kill_worker": ("completed", ""),
}


def _mentions(directory: Path) -> list[int]:
    """Processes that work for this study: they inherited the path of its directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("ASKTELL_STUDY_DIR") == str(directory):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_every_way_to_go_wrong_ends_as_documented_and_leaves_no_process(tmp_path: Path) -> None:
    file = studies.write_misbehaving(tmp_path, ENDS)
    study = asktell.Study.create(file, tmp_path / "s")
    closed = study.run()
    assert closed.done, closed
    ds = asktell.open(study.path)
    assert ds.sizes["trial"] == 2 * len(ENDS)
    statuses, causes = (ds[name].attrs["flag_meanings"].split() for name in ("status", "cause"))
    found = {
        (str(row.mode.item()), int(row.repeat)): (
            statuses[int(row.status)],
            causes[int(row.cause)].replace("none", ""),
            str(row.error.item()),
        )
        for row in (ds.isel(trial=i) for i in range(ds.sizes["trial"]))
    }
    for (mode, repeat), (status, cause, error) in found.items():
        assert (status, cause) == ENDS[mode], (mode, repeat, error)
        assert bool(error) == (status == "failed"), (mode, error)
    assert ds.field.dims == ("trial", "row", "column")
    lost = [record for record in replay_driver(study.path / "journal") if isinstance(record, Lost)]
    assert {int(ds.attempt.sel(trial=record.number)) for record in lost} == {1}
    assert not [item for item in verify(study.path) if item.is_problem]
    assert _mentions(study.path) == []

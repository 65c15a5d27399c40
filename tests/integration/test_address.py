"""A study on somebody else's dask scheduler, which is left as it was."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import studies
from distributed import Client, LocalCluster

import asktell
from asktell.errors import ExecutorError
from asktell.journal import replay_driver
from asktell.records import Ended, Lost


@pytest.mark.slow
def test_a_study_on_a_running_scheduler_survives_killed_workers(tmp_path: Path) -> None:
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        file = studies.write_misbehaving(tmp_path, ["good", "kill_worker"])
        where = f"cluster={{kind: address, address: '{cluster.scheduler_address}', workers: 2}}"
        study = asktell.Study.create(file, tmp_path / "s", overrides=[where])
        assert study.run().done
        records = replay_driver(study.path / "journal")
        assert sorted(record.number for record in records if isinstance(record, Ended)) == list(range(4))
        assert sum(isinstance(record, Lost) for record in records) >= 2
        with Client(cluster) as client:
            assert client.submit(lambda: 1).result(timeout=30) == 1


def test_an_address_where_nobody_answers_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asktell.cluster.local.CONNECT_TIMEOUT_S", 0.5)
    file = studies.write_study(tmp_path, trials=2)
    where = "cluster={kind: address, address: 'tcp://127.0.0.1:9'}"
    study = asktell.Study.create(file, tmp_path / "s", overrides=[where])
    with pytest.raises(ExecutorError, match="dask scheduler"):
        study.run()

"""`asktell.open` from elsewhere: over http, from another file system, while the study runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
from studies import run_to_the_end, write_study

import asktell
from asktell.errors import StudyError

CONFIG = {
    "evaluate": {"command": ["true"]},
    "space": {
        "x": {"type": "real", "low": 0, "high": 1},
        "m": {"type": "categorical", "choices": ["a", "b"]},
    },
    "objectives": {"loss": "minimize"},
    "optimizer": {"engine": "random", "seed": 0},
    "store": {"publish_every": 0.05},
}


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if "/locked/" in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the files of `tmp_path` are served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_running_study_is_read_over_http(tmp_path: Path, address: str) -> None:
    n_before = 0
    with asktell.Study.create({"name": "far", **CONFIG}, tmp_path / "far") as study:
        for number in range(40):
            trial = study.ask()
            assert isinstance(trial, asktell.Trial)
            study.tell(trial.number, float(number))
            if number < 10:
                continue
            with asktell.open(f"{address}/far") as found:
                assert found.sizes["trial"] >= n_before
                np.testing.assert_array_equal(found["loss"], found["trial"])
                n_before = found.sizes["trial"]
    with asktell.open(f"{address}/far/results.zarr/") as found, asktell.open(tmp_path / "far") as near:
        xr.testing.assert_identical(found.load(), near.load())
        assert found.sizes["trial"] == 40
        assert float(found.asktell.incumbent()["loss"]) == 0.0


def test_arrays_stay_where_they_are_until_they_are_needed(tmp_path: Path) -> None:
    asktell.Study.create(write_study(tmp_path, trials=3, call="fields"), tmp_path / "near")
    run_to_the_end(tmp_path / "near")
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "near" / "results.zarr"), "/bucket/far/results.zarr", recursive=True)
    try:
        with asktell.open("memory://bucket/far") as found, asktell.open(tmp_path / "near") as near:
            assert found["large"].chunks is not None
            xr.testing.assert_identical(found.isel(trial=[1]).load(), near.isel(trial=[1]).load())
    finally:
        memory.rm("/bucket", recursive=True)


def test_what_cannot_be_opened_says_why(tmp_path: Path, address: str) -> None:
    other = tmp_path / "other.zarr"
    xr.Dataset({"a": ("time", [1, 2])}).to_zarr(other, zarr_format=3, consolidated=False)
    port = address.rpartition(":")[2]
    for place, reason in {
        f"{address}/nowhere": "no results to open",
        f"{address}/locked/study": "cannot be read: 403",
        f"{address}/other.zarr": "no results to open",
        f"{address.removesuffix(port)}1/far": "cannot be read: Cannot connect",
        "nonsense://far": "cannot be read: Protocol not known: nonsense",
        str(tmp_path / "nowhere"): "no results to open",
        str(other): "no results to open",
    }.items():
        with pytest.raises(StudyError) as caught:
            asktell.open(place)
        assert str(caught.value).startswith(place)
        assert reason in str(caught.value)


def test_a_missing_library_is_named() -> None:
    script = (
        "import sys; sys.modules['aiohttp'] = None\nimport asktell; asktell.open('http://127.0.0.1:1/far')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "StudyError: http://127.0.0.1:1/far: " in done.stderr
    assert "`pip install 'asktell[remote]'`" in done.stderr

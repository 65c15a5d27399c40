"""`export`, `consolidate`, `verify`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import Result

from asktell.cli.export import to_csv, to_netcdf

Cli = Callable[..., Result]


def test_csv_has_a_row_for_each_trial_in_words(cli: Cli, toy: Path) -> None:
    assert cli("export", toy, "-o", "toy.csv").exit_code == 0
    with Path("toy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["status"] for row in rows] == ["completed", "completed", "failed", "completed"]
    assert [row["loss"] for row in rows] == ["3.0", "1.0", "", "0.5"]
    assert {row["mode"] for row in rows} <= {"1", "fast"}
    assert "mode_code" not in rows[0]


def test_a_csv_export_can_be_added_to_another_study(cli: Cli, toy: Path) -> None:
    cli("export", toy, "-o", "toy.csv")
    kept = [line for line in Path("toy.csv").read_text().splitlines() if ",failed," not in line]
    Path("toy.csv").write_text("\n".join(kept))
    assert cli("add", toy, "toy.csv").exit_code == 0


def test_netcdf_holds_what_the_store_holds(cli: Cli, toy: Path) -> None:
    import asktell

    assert cli("export", toy).exit_code == 0
    with xr.open_dataset("toy.nc", engine="h5netcdf") as found, asktell.open(toy) as expected:
        assert found.sizes == expected.sizes
        np.testing.assert_array_equal(found["loss"], expected["loss"])
        np.testing.assert_array_equal(found["asked_at"], expected["asked_at"])
        assert list(found["mode"].values) == list(expected["mode"].values)


def test_outputs_complex_numbers_and_odd_attributes(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"gain": (("trial", "f"), np.array([[1 + 2j, 3j]])), "loss": ("trial", [0.5], {"is_good": True})},
        coords={"trial": [0], "x": ("trial", [0.1])},
        attrs={"nested": {"a": [1]}, "none": None},
    )
    to_netcdf(data, tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["gain_real"] + 1j * found["gain_imag"], data["gain"])
        assert json.loads(found.attrs["nested"]) == {"a": [1]}
    assert to_csv(data, tmp_path / "a.csv") == ["gain"]
    assert (tmp_path / "a.csv").read_text() == "trial,x,loss\n0,0.1,0.5\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.nc"]


def test_export_of_an_unknown_format(cli: Cli, toy: Path) -> None:
    assert cli("export", toy, "-o", "toy.xls").exit_code == 2


def test_verify_is_quiet_about_a_sound_study_and_names_damage(cli: Cli, toy: Path) -> None:
    assert cli("verify", toy).exit_code == 0
    assert json.loads(cli("verify", toy, "--json").output) == {"is_sound": True, "findings": []}
    journal = toy / "journal" / "driver-000001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"x", b"y", 1)
    journal.write_bytes(b"".join(lines))
    done = cli("verify", toy)
    assert done.exit_code == 1
    assert "driver-000001.jsonl" in done.output
    found = json.loads(cli("verify", toy, "--json").output)
    assert not found["is_sound"]


@pytest.mark.parametrize("name", ["loss", "x"])
def test_consolidate_brings_back_a_lost_variable(cli: Cli, toy: Path, name: str) -> None:
    import asktell

    with asktell.open(toy) as results:
        before = results[name].load()
    for chunk in (toy / "results.zarr" / name).glob("c*"):
        chunk.unlink()
    assert cli("verify", toy).exit_code == 1
    assert cli("consolidate", toy).exit_code == 0
    with asktell.open(toy) as results:
        xr.testing.assert_identical(results[name].load(), before)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_best_parameters_are_a_file_that_gives_the_best_result_again(
    cli: Cli, toy: Path, suffix: str
) -> None:
    """Trial 3 is lower, and too heavy."""
    assert cli("export", toy, "--config", "-o", f"best.{suffix}").exit_code == 0
    best = json.loads(cli("best", toy, "--json").output)
    found = yaml.safe_load(Path(f"best.{suffix}").read_text())  # JSON is YAML
    assert found == best["params"]
    assert best["number"] == 1
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in best["params"].items()
    }
    assert cli("export", toy, "--trial", 3, "-o", f"best.{suffix}").exit_code == 0
    assert yaml.safe_load(Path(f"best.{suffix}").read_text()) != best["params"]


def test_a_table_of_the_best_has_units_and_leaves_the_others_out(cli: Cli, toy: Path) -> None:
    assert cli("export", toy, "-o", "best.md").exit_code == 0
    header, _, *rows = Path("best.md").read_text().splitlines()
    assert header == "| trial | loss | x (cm) | n | mode | depth |"
    assert [row.split(" | ")[:2] for row in rows] == [["| 1", "1"], ["| 0", "3"]]
    assert cli("export", toy, "-o", "best.tex", "--best", "1").exit_code == 0
    table = Path("best.tex").read_text()
    assert table.startswith("\\begin{tabular}{rr")
    assert table.count(r"\\") == 2


@pytest.mark.parametrize("file", ["best.md", "toy.csv", "toy.nc", "toy.html"])
def test_a_folder_that_is_missing_is_named(cli: Cli, toy: Path, file: str) -> None:
    done = cli("report" if file == "toy.html" else "export", toy, "-o", f"nowhere/{file}")
    assert done.exit_code == 1
    assert done.stderr == "error: nowhere: there is no such folder; make it first\n"


def test_latex_gets_its_own_characters() -> None:
    from asktell.cli.best_points import _escape

    assert [_escape(cell) for cell in ("fa_1 (%)", "1.5e-09", "–", "a&b")] == [
        *(r"fa\_1 (\%)", r"$1.5\times 10^{-9}$", "--", r"a\&b")
    ]

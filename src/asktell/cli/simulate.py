"""Which schedule, engine and number of workers pay off: `simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.output import echo_table, is_terminal
from asktell.wording import duration, number

if TYPE_CHECKING:
    import xarray as xr


def _several(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _counts(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        counts = tuple(map(int, _several(context, parameter, value)))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1:
        raise click.BadParameter("write numbers of 1 or more, as in 4,16,64")
    return counts


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from asktell.config.quantities import parse_duration

    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(context_settings={"show_default": True})
@click.argument("problem")
@click.option("--engine", "engines", default="gp", callback=_several, help="Engines: gp,skopt,random.")
@click.option(
    "--schedule",
    "schedules",
    default="async,batch",
    callback=_several,
    help="Schedules: sequential,batch,async,hybrid:4.",
)
@click.option("--workers", default="16", callback=_counts, help="Numbers of workers: 4,16,64.")
@click.option("--trials", default=100, type=click.IntRange(1), help="Trials of each study.")
@click.option("--seeds", default=5, type=click.IntRange(1), help="Repetitions, each with a seed of its own.")
@click.option("--initial", default=10, type=click.IntRange(1), help="Space-filling points at the beginning.")
@click.option(
    "--runtime",
    help="How long a trial takes: 20min, 'lognormal(20min, 15min)', 'uniform(5min, 30min)',"
    " 'exponential(20min)', 'growing(PARAMETER, 1min, 30min)'; default: as the study's took, or 20min.",
)
@click.option("--queue", default="0s", help="How long a job waits before it runs; a duration or a law.")
@click.option("--walltime", "walltime_s", callback=_seconds, help="Jobs end after so long: 2h.")
@click.option(
    "--crash-every", "crash_every_s", callback=_seconds, help="Mean time after which a job is lost: 12h."
)
@click.option("--failures", "failure_rate", default=0.0, type=click.FloatRange(0, 1), help="Share that fail.")
@click.option("--charge", is_flag=True, help="Proposals take as long on the clock as they take here.")
@click.option("--no-walltime-model", is_flag=True, help="Start trials whatever time their job has left.")
@click.option("--target", type=float, help="Show the time until the regret is this low.")
@click.option("--jobs", default=1, type=click.IntRange(1), help="Studies simulated at the same time.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the dataset: out.nc.")
@click.option(
    "--plot", "picture", type=click.Path(path_type=Path, dir_okay=False), help="Write a plot: out.png."
)
def simulate(
    problem: str,
    output: Path | None,
    picture: Path | None,
    target: float | None,
    charge: bool,
    no_walltime_model: bool,
    crash_every_s: float | None,
    **options: Any,
) -> None:
    """Compare schedules, engines and workers on a virtual clock.

    PROBLEM: a test function, a study file (a random function over its space stands in for its objective)
    or a study's directory (a surrogate of its results does).

    \b
    asktell simulate hartmann6 --workers 16 --schedule sequential,batch,hybrid:4,async
    asktell simulate my.study --workers 32,64 --runtime 'lognormal(20min, 15min)' --charge --plot gain.png
    """
    from asktell.simulation.compare import Comparison, compare
    from asktell.simulation.plot import plot

    wanted = Comparison(
        problem=problem,
        is_charged=charge,
        is_walltime_aware=not no_walltime_model,
        crash_every_s=float("inf") if crash_every_s is None else crash_every_s,
        **options,
    )

    def tell(done: int, total: int) -> None:
        if is_terminal():
            click.echo(f"\r{done} of {total} studies played", nl=done == total, err=True)

    data = compare(wanted, tell)
    _echo_comparison(data, target)
    if output is not None:
        data.to_netcdf(output, engine="h5netcdf")
        click.echo(f"wrote {output}; xarray.open_dataset({str(output)!r})")
    if picture is not None:
        plot(data, picture)
        click.echo(f"wrote {picture}")


def _echo_comparison(data: xr.Dataset, target: float | None) -> None:
    from asktell.simulation.compare import time_to
    from asktell.simulation.plot import lines

    name = "regret" if "regret" in data else "hypervolume"
    headers = [name, "whole study", "worker-hours", "utilisation", "lost", "CPU per proposal"]
    is_timed = target is not None and name == "regret"
    if is_timed:
        headers.insert(1, f"to {name} {number(target or 0.0)}")
    rows = []
    for label, cell in lines(data):
        median = cell.median("seed")
        row = [
            number(float((cell[name].min("step") if name == "regret" else cell[name].max("step")).median())),
            duration(float(median["makespan"]) * 3600),
            number(float(median["worker_hours"])),
            f"{float(median['utilisation']):.1%}",
            number(float(median["lost"])),
            f"{float(median['ask']) * 1e3:.1f} ms",
        ]
        if is_timed:
            reached = float(time_to(cell, target or 0.0).median())
            row.insert(1, duration(reached * 3600) if reached < float("inf") else "not reached")
        rows.append((label, *row))
    click.echo(
        f"{data.attrs['problem']}: medians over {data.sizes['seed']} seeds, {data.sizes['step']} trials each,"
        f" which take {data.attrs['runtime']}"
    )
    echo_table(("", *headers), rows)

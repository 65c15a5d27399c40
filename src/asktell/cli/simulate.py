"""Which schedule, engine and number of workers pay off: `simulate`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.output import echo_table, is_terminal, note
from asktell.wording import duration, number

if TYPE_CHECKING:
    import xarray as xr


def _several(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    parts = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if not parts:
        raise click.BadParameter("name at least one")
    return parts


def _counts(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    try:
        counts = tuple(dict.fromkeys(map(int, _several(context, parameter, value) or ())))
    except ValueError:
        counts = (0,)
    if counts and min(counts) < 1:
        raise click.BadParameter("write numbers of 1 or more, as in 4,16,64")
    return counts or None


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from asktell.config.quantities import parse_duration

    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not seconds:
        raise click.BadParameter(f"{value} is too short")
    return seconds


def _finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number to reach")
    return value


def _in_a_folder(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and not value.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {value.parent}; make it first")
    return value


_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("problem")
@click.option(
    "--engine", "engines", callback=_several, help="Engines: gp,skopt,random.  [default: the study's, or gp]"
)
@click.option(
    "--schedule",
    "schedules",
    default="async,batch",
    show_default=True,
    callback=_several,
    help="Schedules: sequential,batch,async,hybrid:4.",
)
@click.option(
    "--workers", callback=_counts, help="Numbers of workers: 4,16,64.  [default: the study's, or 16]"
)
@click.option(
    "--trials", type=click.IntRange(1), help="Trials of each study.  [default: the study's, or 100]"
)
@click.option(
    "--seeds",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="Repetitions, each with a seed of its own.",
)
@click.option(
    "--initial",
    type=click.IntRange(1),
    help="Space-filling points at the beginning.  [default: the study's, or 10]",
)
@click.option(
    "--runtime",
    help="How long a trial takes: 20min, 'lognormal(20min, 15min)' (mean and standard deviation),"
    " 'uniform(5min, 30min)', 'exponential(20min)', 'growing(PARAMETER, 1min, 30min)'."
    "  [default: as long as the study's took, or 20min]",
)
@click.option(
    "--queue",
    default="0s",
    show_default=True,
    help="How long a job waits in the queue; a duration, or a law as for --runtime.",
)
@click.option(
    "--startup",
    default="0s",
    show_default=True,
    help="How long a job has run before its worker is there; likewise.",
)
@click.option(
    "--walltime", "walltime_s", callback=_seconds, help="Jobs end after so long: 2h.  [default: the study's]"
)
@click.option(
    "--crash-every", "crash_every_s", callback=_seconds, help="Mean time after which a job is lost: 12h."
)
@click.option(
    "--failures",
    "failure_rate",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    callback=_finite,
    help="Share of evaluations that fail, besides those that fail where the study's did.",
)
@click.option("--charge", is_flag=True, help="Proposals take as long on the clock as they take here.")
@click.option("--no-walltime-model", is_flag=True, help="Start trials whatever time their job has left.")
@click.option(
    "--target",
    type=float,
    callback=_finite,
    help="Show the time until the regret is this low (several objectives: the hypervolume this high)."
    "  [default: what three quarters of all reach]",
)
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Studies simulated at the same time."
)
@click.option("--output", type=_file, callback=_in_a_folder, help="Write the dataset: out.nc.")
@click.option("--plot", "picture", type=_file, callback=_in_a_folder, help="Write a plot: out.png.")
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
    or a study's directory (a surrogate of its results does; trials take as long, and fail where, its own
    did).

    What does `async` gain over `batch` with 32 workers and tasks of 20 ± 15 minutes, and are 64 workers
    worth it?

    \b
    asktell simulate hartmann6 --workers 32,64 --runtime 'lognormal(20min, 15min)' --plot gain.png

    What would other schedules have made of a study that has run, with jobs of two hours?

    \b
    asktell simulate my.study --schedule async,hybrid:4,batch --queue 'exponential(10min)' --walltime 2h
    """
    from asktell.simulation.compare import Comparison, compare
    from asktell.simulation.plot import check_picture, plot

    wanted = Comparison(
        problem=problem,
        is_charged=charge,
        is_walltime_aware=not no_walltime_model,
        crash_every_s=math.inf if crash_every_s is None else crash_every_s,
        **options,
    )
    if picture is not None:
        check_picture(picture)

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
    from asktell.simulation.targets import common_target, lines, quality, reached, verdicts

    name = str(quality(data).name)
    if target is None:
        target = common_target(data)
    goal = "" if target is None else f"to {name} {number(target)}"
    headers = [
        goal,
        "worker-hours to it",
        f"{name} at the end",
        "whole study",
        "worker-hours",
        "utilisation",
        "lost",
        "failed",
        "CPU per proposal",
    ]
    rows = []
    for label, cell in lines(data):
        median = cell.drop_vars("reason").median("seed")
        times = (
            [] if target is None else [reached(cell, target, what).median() for what in ("ended", "spent")]
        )
        final = quality(cell)
        row = [
            *(_to_target(*map(float, times)) if times else ("", "")),
            _short(float((final.min("step") if name == "regret" else final.max("step")).median())),
            duration(float(median["makespan"]) * 3600),
            _short(float(median["worker_hours"])),
            f"{float(median['utilisation']):.1%}",
            *(number(float(median[what])) if data[what].any() else "" for what in ("lost", "failed")),
            f"{float(median['ask']) * 1e3:.1f} ms",
        ]
        rows.append((label, *row))
    click.echo(
        f"{data.attrs['problem']}: medians over {data.sizes['seed']} seeds, {data.sizes['step']} trials each,"
        f" which take {data.attrs['runtime']}"
    )
    echo_table(("", *headers), rows)
    for label, cell in lines(data):
        for reason in _early_ends(cell):
            note(f"{label}: {reason}")
    if target is not None:
        click.echo("".join(f"\n{sentence}" for sentence in verdicts(data, target)))


def _early_ends(cell: xr.Dataset) -> Iterator[str]:
    """What kept studies of one combination from using their budget, or from finding anything."""
    is_short = cell["ended"].isnull().any("step")
    for reason, n in Counter(cell["reason"].values[is_short.values].tolist()).items():
        yield f"{n} of {cell.sizes['seed']} studies ended early: {reason}"
    is_vain = cell["failed"] == cell["ended"].count("step")
    if is_vain.any():
        yield f"{int(is_vain.sum())} of {cell.sizes['seed']} studies have no trial that completed"


def _to_target(hours: float, spent: float) -> tuple[str, str]:
    return ("not reached", "") if hours == math.inf else (duration(hours * 3600), _short(spent))


def _short(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3g}"

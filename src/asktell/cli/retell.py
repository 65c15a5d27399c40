"""`asktell retell`: other objectives from what is stored already."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asktell.cli.options import set_option, study_argument
from asktell.cli.output import note
from asktell.wording import assignments, count

if TYPE_CHECKING:
    from asktell.config.models import Direction

_SHOWN = 5


def _read_directions(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, Direction]:
    """'maximize', or 'density=maximize': directions by objective, '' for those that are not named."""
    directions: dict[str, Direction] = {}
    for text in given:
        objective, _, direction = text.rpartition("=")
        if direction not in ("minimize", "maximize"):
            raise click.BadParameter(f"{direction!r} is neither minimize nor maximize", ctx, param)
        directions[objective] = "maximize" if direction == "maximize" else "minimize"
    return directions


@click.command()
@study_argument
@click.option(
    "--objective",
    "target",
    metavar="FILE:FUNCTION",
    required=True,
    help="Takes a trial's row of `asktell.open(DIR)`, returns a number or several by name:"
    " measures.py:density, or package.module:function.",
)
@click.option(
    "--direction",
    "directions",
    metavar="[NAME=]WAY",
    multiple=True,
    callback=_read_directions,
    help="minimize (default) or maximize; with several objectives NAME=WAY for each.",
)
@click.option(
    "--into",
    metavar="NEWDIR",
    type=click.Path(path_type=Path),
    help="The new study; default: <name>-<function>.study in the current folder.",
)
@click.option("--workers", metavar="N", type=click.IntRange(1), help="Default: one per core of this machine.")
@set_option
def retell(
    study: Path,
    target: str,
    directions: dict[str, Direction],
    into: Path | None,
    workers: int | None,
    overrides: tuple[str, ...],
) -> None:
    """Start a study with objectives computed from stored outputs.

    Nothing is run again. FUNCTION is called with the row of each completed trial: parameters are its
    coordinates, results and outputs its variables; arrays are read when it looks at them. NEWDIR has all
    trials with their outputs, none of which counts towards its budget, and goes on with `asktell resume`:
    its trials run what DIR ran, then FUNCTION.

    \b
    asktell retell brain.study --objective measures.py:density --direction maximize
    asktell resume brain-density.study
    """
    from asktell.overview import read_study
    from asktell.retell import retell as make

    retold = make(study, target, into, directions=directions, overrides=overrides, workers=workers)
    _echo_failures(retold.failed)
    if retold.n_left_out:
        note(f"{count(retold.n_left_out, 'trial')} left out: not ended, or not in results.zarr yet")
    named = assignments({name: item.direction for name, item in retold.config.objectives.items()})
    click.echo(f"retold {count(retold.n_completed, 'trial')} of {study} into {retold.path}: {named}")
    for best in read_study(retold.path).best():
        click.echo(f"best: trial {best.number}, {assignments(best.values)} at {assignments(best.params)}")
    click.echo(f"`asktell resume {shlex.quote(str(retold.path))}` goes on from there")


def _echo_failures(failed: Mapping[int, str]) -> None:
    """Which trials have no new objective, and why: the first of each reason."""
    if not failed:
        return
    numbers = ", ".join(map(str, sorted(failed)[:_SHOWN])) + (", ..." if len(failed) > _SHOWN else "")
    note(f"no objective for {count(len(failed), 'trial')} of the source, which failed here: {numbers}")
    reasons = {error.splitlines()[0]: number for number, error in sorted(failed.items(), reverse=True)}
    for reason, number in sorted(reasons.items(), key=lambda item: item[1])[:_SHOWN]:
        note(f"trial {number}: {reason}")

"""A study on its way: `run`, `resume`, `stop`."""

from __future__ import annotations

import logging
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import all_overrides, cluster_option, set_option, study_argument, trials_option
from asktell.cli.output import assignments, count, duration, echo_facts

if TYPE_CHECKING:
    from asktell.overview import Overview
    from asktell.run import Study

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_MOST_WAIT_S = 60.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "directory",
    "--dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the study goes; default: <name>.study in the current folder.",
)
@set_option
@trials_option
@cluster_option
def run(
    file: Path, directory: Path | None, overrides: tuple[str, ...], trials: int | None, cluster: str | None
) -> None:
    """Start a study.

    Ctrl-C (or SIGTERM) ends it in an orderly way, a second one at once; `asktell resume` goes on.

    \b
    asktell run study.yaml
    asktell run study.yaml --dir runs/1 --set optimizer.seed=1 --trials 50
    """
    from asktell.run import Study

    changes = all_overrides(overrides, trials=trials, cluster=cluster)
    study = Study.create(file, directory, overrides=changes)
    _drive(study, directory or Path(study.path.name), accept_code=False)


@click.command()
@study_argument
@set_option
@trials_option
@cluster_option
@click.option("--accept-changes", is_flag=True, help="Go on although the objective's file has changed.")
def resume(
    study: Path, overrides: tuple[str, ...], trials: int | None, cluster: str | None, accept_changes: bool
) -> None:
    """Go on with a study after any end, or give it more trials.

    Budget, cluster, schedule, store and the limits on an evaluation may be changed by --set.

    \b
    asktell resume branin.study
    asktell resume branin.study --trials 400 --set cluster.workers=8
    """
    from asktell.config import with_overrides
    from asktell.run import Study

    opened = Study(study)
    if changes := all_overrides(overrides, trials=trials, cluster=cluster):
        opened.configure(with_overrides(opened.config, changes))
    _drive(opened, study, accept_code=accept_changes)


@click.command()
@study_argument
@click.option(
    "--wait", is_flag=True, help="Return when the driver has ended (after a minute, say that it has not)."
)
def stop(study: Path, wait: bool) -> None:
    """Ask a study's driver to end, from any node.

    It ends as by Ctrl-C: running trials are left for the next session.
    """
    from asktell.journal import Segment, holder
    from asktell.overview import HOLDER_TTL_S
    from asktell.records import StopRequested
    from asktell.session import study_directory

    folder = study_directory(study).journal
    driver = holder(folder, ttl_s=HOLDER_TTL_S)
    if driver is None:
        click.echo(f"no driver runs {study}: nothing to stop")
        return
    segment = Segment.create(folder, "user")
    segment.append(StopRequested(time.time()))
    segment.close()
    click.echo(f"asked process {driver.pid} on {driver.host} to stop; go on with {resume_hint(study)}")
    until = time.monotonic() + _MOST_WAIT_S
    while wait and holder(folder, ttl_s=HOLDER_TTL_S) == driver:
        if time.monotonic() > until:
            raise Failure(
                f"process {driver.pid} on {driver.host} has not ended within {duration(_MOST_WAIT_S)};"
                f" it is still asked to: look at `asktell status {shlex.quote(str(study))}`, or end it there"
            )
        time.sleep(_POLL_S)


def resume_hint(study: Path, option: str = "") -> str:
    """The command that goes on with the study."""
    return f"`asktell resume {' '.join(filter(None, (shlex.quote(str(study)), option)))}`"


def _drive(study: Study, shown: Path, *, accept_code: bool) -> None:
    """Run the study, show it, sum it up. shown: its directory as the person named it."""
    from asktell.cli.display import Relay, make_display
    from asktell.cli.driver_log import driver_log
    from asktell.errors import ExecutorError
    from asktell.execute.protocol import Executor
    from asktell.overview import read_study
    from asktell.executors import make_executor
    from asktell.session import Session, width_of

    config = study.config
    is_interrupted = False
    try:
        with make_display(tuple(config.objectives)) as display, driver_log(Relay(display)) as open_log:

            def executor(session: Session) -> Executor:
                open_log(session.directory.logs / f"driver-{session.token:06d}.log")
                n_known = session.study.n_rows
                before = f", {count(n_known, 'trial')} done before" if n_known else ""
                begin = (
                    f"study {config.name} in {shown}: engine {config.optimizer.engine},"
                    f" {config.schedule.kind} on {count(width_of(config), 'slot')}{before}"
                )
                logger.info("%s", begin)
                display.say(begin)
                return make_executor(session)

            study.run(display=display, executor=executor, accept_code=accept_code)
    except KeyboardInterrupt:
        is_interrupted = True
    except ExecutorError as error:
        if config.cluster.kind != "address":
            raise
        elsewhere = resume_hint(shown, "--set cluster.address=tcp://HOST:PORT")
        raise ExecutorError(f"{error}; if it is elsewhere now: {elsewhere}") from error
    found = read_study(study.path)
    _echo_summary(found, shown, is_interrupted=is_interrupted)
    if is_interrupted or not found.is_done:
        raise click.exceptions.Exit(Exit.STOPPED)


def _echo_summary(found: Overview, shown: Path, *, is_interrupted: bool) -> None:
    from asktell.cli.display import counts_line, incumbent_line

    reason = "interrupted at once, by a second signal" if is_interrupted else found.reason
    failures = assignments({str(cause) or "unknown": n for cause, n in found.failures().items()})
    best = found.best()
    shown_best = "\n".join(map(incumbent_line, best[:5]))
    if len(best) > 5:
        shown_best += f"\nand {len(best) - 5} more on the front: asktell best {shlex.quote(str(shown))}"
    store = shown / "results.zarr"
    click.echo()
    echo_facts(
        [
            ("done" if found.is_done else "stopped", reason),
            ("trials", counts_line(found.snapshot(time.time()))),
            ("failures", failures.replace(" = ", " ")),
            ("best", shown_best or "no trial has completed"),
            ("results", f"{store}\nxarray.open_zarr({str(store)!r}), or asktell.open({str(shown)!r})"),
            ("go on", "" if found.is_done else resume_hint(shown).strip("`")),
        ]
    )

"""A study on its way: `run`, `resume`, `stop`."""

from __future__ import annotations

import logging
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import (
    accept_option,
    all_overrides,
    cluster_option,
    directory_option,
    dry_run_option,
    set_option,
    site_option,
    study_argument,
    trials_option,
)
from asktell.cli.output import echo_facts, note
from asktell.cli.submit import echo_plan
from asktell.wording import assignments, count, duration

if TYPE_CHECKING:
    from asktell.config import StudyConfig
    from asktell.directory import StudyDirectory
    from asktell.overview import Overview
    from asktell.run import Study
    from asktell.submission import HandOver

logger = logging.getLogger(__name__)

_POLL_S = 0.5
_MOST_WAIT_S = 60.0
_MOST_BATCH_WAIT_S = 300.0  # its jobs are cancelled first, and a batch system takes its time


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@directory_option
@set_option
@trials_option
@cluster_option
@site_option
@dry_run_option
def run(
    file: Path,
    directory: Path | None,
    overrides: tuple[str, ...],
    trials: int | None,
    cluster: str | None,
    site: Path | None,
    dry_run: bool,
) -> None:
    """Start a study.

    Ctrl-C (or SIGTERM) ends it in an orderly way, a second one at once; `asktell resume` goes on.

    \b
    asktell run study.yaml
    asktell run study.yaml --dir runs/1 --set optimizer.seed=1 --trials 50
    """
    from asktell.config import load
    from asktell.run import Study

    config = load(file, all_overrides(overrides, trials=trials, cluster=cluster), site=site)
    shown = directory or Path(f"{config.name}.study")
    if dry_run:
        echo_plan(config, shown)
        return
    _drive(Study.create(config, shown), shown)


@click.command()
@study_argument
@set_option
@trials_option
@cluster_option
@accept_option
@dry_run_option
@click.option(
    "--hand-over",
    is_flag=True,
    help="For the driver's own batch job: submit a successor before the walltime ends.",
)
def resume(
    study: Path,
    overrides: tuple[str, ...],
    trials: int | None,
    cluster: str | None,
    accept_changes: bool,
    dry_run: bool,
    hand_over: bool,
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
    if dry_run:
        echo_plan(opened.config, opened.path)
        return
    successor = _take_over(opened) if hand_over else None
    _drive(opened, study, accept_code=accept_changes, hand_over=successor)


@click.command()
@study_argument
@click.option(
    "--wait", is_flag=True, help="Return when the driver has ended (after some minutes, say that it has not)."
)
def stop(study: Path, wait: bool) -> None:
    """Ask a study's driver to end, from any node.

    It ends as by Ctrl-C: running trials are left for the next session. A driver's job that waits in
    the queue is cancelled.
    """
    from asktell.cluster.leftovers import cancel_leftovers
    from asktell.cluster.queues import QueueSilent
    from asktell.config import from_resolved
    from asktell.journal import Segment, holder
    from asktell.overview import HOLDER_TTL_S
    from asktell.records import StopRequested
    from asktell.session import study_directory

    directory = study_directory(study)
    folder = directory.journal
    driver = holder(folder, ttl_s=HOLDER_TTL_S)
    if driver is None:
        has_cancelled = _cancel_drivers(directory, study, running=True)
        if jobs := cancel_leftovers(from_resolved(directory.config), directory, running=True):
            click.echo(f"cancelled job {' and '.join(jobs)}, left by a driver that has died")
        elif not has_cancelled:
            click.echo(f"no driver runs {study}: nothing to stop")
        return
    segment = Segment.create(folder, "user")
    segment.append(StopRequested(time.time()))
    segment.close()
    click.echo(f"asked process {driver.pid} on {driver.host} to stop; go on with {resume_hint(study)}")
    try:
        _cancel_drivers(directory, study, running=False)
    except QueueSilent as error:  # a successor that waits there finds out by itself
        note(f"whether a successor waits in the queue is not known here: {error}")
    most_s = _MOST_BATCH_WAIT_S if from_resolved(directory.config).cluster.is_batch else _MOST_WAIT_S
    until = time.monotonic() + most_s
    while wait and holder(folder, ttl_s=HOLDER_TTL_S) == driver:
        if time.monotonic() > until:
            raise Failure(
                f"process {driver.pid} on {driver.host} has not ended within {duration(most_s)};"
                f" it is still asked to: look at `asktell status {shlex.quote(str(study))}`, or end it there"
            )
        time.sleep(_POLL_S)


def resume_hint(study: Path, option: str = "") -> str:
    """The command that goes on with the study: as a job, if that is how it was started."""
    from asktell.directory import StudyDirectory

    command = "submit" if StudyDirectory(study).driver_jobs.exists() else "resume"
    return f"`asktell {' '.join(filter(None, (command, shlex.quote(str(study)), option)))}`"


def _cancel_drivers(directory: StudyDirectory, shown: Path, *, running: bool) -> bool:
    """Cancel the driver's jobs that wait, or with `running` all of them; says whether there were any."""
    from asktell.submission import cancel_drivers

    jobs = cancel_drivers(directory, running=running)
    if jobs:
        click.echo(f"cancelled job {' and '.join(jobs)}, the driver's; go on with {resume_hint(shown)}")
    return bool(jobs)


def _take_over(study: Study) -> HandOver:
    """Wait for the predecessor's end; raises Failure where this job has nothing to do."""
    from asktell.directory import StudyDirectory
    from asktell.errors import StudyLocked
    from asktell.evaluate.inputs import ENDS_AT
    from asktell.submission import HandOver, await_predecessor

    directory = StudyDirectory(study.path)
    successor = HandOver(study.config, directory)
    try:
        await_predecessor(directory)
    except StudyLocked as error:
        raise Failure(str(error), Exit.STOPPED) from error
    if successor.is_called_off:
        hint = resume_hint(study.path)
        raise Failure(f"the study was stopped while this job waited; go on with {hint}", Exit.STOPPED)
    if study.config.cluster.single_allocation:
        os.environ[ENDS_AT] = str(successor.at)  # its workers end when it hands over
    return successor


def _drive(
    study: Study, shown: Path, *, accept_code: bool = False, hand_over: HandOver | None = None
) -> None:
    """Run the study, show it, sum it up. shown: its directory as the person named it."""
    from asktell.cli.display import Relay, make_display
    from asktell.cli.driver_log import driver_log
    from asktell.errors import ExecutorError
    from asktell.execute.protocol import Executor
    from asktell.executors import make_executor
    from asktell.overview import read_study
    from asktell.session import Session, width_of

    config = study.config
    is_interrupted = False
    token = 0
    try:
        with make_display(tuple(config.objectives)) as display, driver_log(Relay(display)) as open_log:

            def executor(session: Session) -> Executor:
                nonlocal token
                token = session.token
                open_log(session.directory.logs / f"driver-{session.token:06d}.log")
                n_known = session.study.n_rows
                before = f", {count(n_known, 'trial')} done before" if n_known else ""
                begin = (
                    f"study {config.name} in {shown}: engine {config.optimizer.engine},"
                    f" {config.schedule.kind} on {count(width_of(config), 'slot')}{before}"
                )
                logger.info("%s", begin)
                for line in (begin, *_about_jobs(config, shown, is_job=hand_over is not None)):
                    display.say(line)
                return make_executor(session)

            study.run(
                display=display,
                executor=executor,
                accept_code=accept_code,
                hand_over_at=hand_over.at if hand_over is not None else None,
                on_hand_over=hand_over,
            )
    except KeyboardInterrupt:
        is_interrupted = True
    except ExecutorError as error:
        if config.cluster.kind != "address":
            raise
        elsewhere = resume_hint(shown, "--set cluster.address=tcp://HOST:PORT")
        raise ExecutorError(f"{error}; if it is elsewhere now: {elsewhere}") from error
    found = read_study(study.path)
    is_handed_over = hand_over is not None and bool(hand_over.successor)
    if hand_over is not None and not is_handed_over:  # it may have been about to
        from asktell.cluster import rendezvous
        from asktell.cluster.leftovers import cancel_leftovers

        # Workers finish what they have in hand, and wait for nobody.
        rendezvous.withdraw(found.directory, token)
        cancel_leftovers(config, found.directory, running=False)
    _echo_summary(found, shown, is_interrupted=is_interrupted, is_handed_over=is_handed_over)
    if is_interrupted or not (found.is_done or is_handed_over):
        raise click.exceptions.Exit(Exit.STOPPED)


def _about_jobs(config: StudyConfig, shown: Path, *, is_job: bool) -> list[str]:
    """What a person should know whose workers are batch jobs."""
    if not config.cluster.is_batch:
        return []
    lines = [f"the jobs write to {shown / 'jobs'}"]
    if not is_job:
        detach = f"asktell submit {shlex.quote(str(shown))}"
        lines.append(
            "Ctrl-C ends the study and cancels its jobs; many login nodes end long processes:"
            f" stop and `{detach}` moves this one into a job"
        )
    return lines


def _echo_summary(found: Overview, shown: Path, *, is_interrupted: bool, is_handed_over: bool) -> None:
    from asktell.narration import counts_line, incumbent_line

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
            ("go on", "" if found.is_done or is_handed_over else resume_hint(shown).strip("`")),
        ]
    )

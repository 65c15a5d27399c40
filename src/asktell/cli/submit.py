"""The driver as a batch job: `submit`; and what `--dry-run` prints of any command."""

from __future__ import annotations

import shlex
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
    trials_option,
)
from asktell.cli.output import echo_facts

if TYPE_CHECKING:
    from asktell.config import StudyConfig
    from asktell.run import Study


@click.command()
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@directory_option
@set_option
@trials_option
@cluster_option
@site_option
@click.option(
    "--via",
    metavar="SYSTEM",
    type=click.Choice(["slurm", "pbs", "sge"]),
    help="Batch system that takes the driver: slurm, pbs or sge; default: the workers' own.",
)
@accept_option
@dry_run_option
def submit(
    target: Path,
    directory: Path | None,
    overrides: tuple[str, ...],
    trials: int | None,
    cluster: str | None,
    site: Path | None,
    via: str | None,
    accept_changes: bool,
    dry_run: bool,
) -> None:
    """Run a study from a batch job, and go home.

    FILE starts a study, DIR goes on with one. The driver itself becomes a job, small and long; before
    its walltime ends (cluster.driver) it submits its successor, until the study is done.

    \b
    asktell submit study.yaml
    asktell submit branin.study --trials 400
    """
    from asktell.config import load, with_overrides
    from asktell.directory import StudyDirectory
    from asktell.run import Study
    from asktell.submission import batch_system, read_chain

    changes = all_overrides(overrides, trials=trials, cluster=cluster)
    if StudyDirectory(target).journal.is_dir():
        if directory is not None or site is not None:
            raise click.UsageError(
                "--dir and --site are for a new study; name a study file, or leave them out"
            )
        study = Study(target)
        if changes:
            study.configure(with_overrides(study.config, changes))
        chain = read_chain(StudyDirectory(study.path))
        system = batch_system(study.config, via or (chain.system if chain is not None else None))
        if dry_run:
            echo_plan(study.config, study.path, system)
            return
        _check_free(study, target)
        study.settle("about to be submitted", accept_code=accept_changes)
        _submit(study, target, system)
        return
    config = load(target, changes, site=site)
    system = batch_system(config, via)
    shown = directory or Path(f"{config.name}.study")
    if dry_run:
        echo_plan(config, shown, system)
        return
    _submit(Study.create(config, shown), shown, system)


def echo_plan(config: StudyConfig, directory: Path, system: str = "") -> None:
    """What would be submitted, and nothing done. system: takes the driver, '' where it runs here."""
    from asktell.cluster.scripts import job_script
    from asktell.directory import StudyDirectory
    from asktell.submission import driver_script

    directory = directory.absolute()
    if config.cluster.is_batch:
        kind = "step of the driver's job" if config.cluster.single_allocation else "job"
        title = f"workers, {config.cluster.jobs} of them, each a {kind}"
        _echo_script(title, job_script(config, directory))
    if system:
        _echo_script("driver", driver_script(config, StudyDirectory(directory), system))
    if not (config.cluster.is_batch or system):
        click.echo(f"nothing is submitted: cluster.kind is {config.cluster.kind}")


def _echo_script(title: str, script: str) -> None:
    click.echo(click.style(f"# ---- {title}", bold=True))
    click.echo(script)


def _check_free(study: Study, shown: Path) -> None:
    """Nobody drives the study, nor is about to, and there is something left to do."""
    from asktell.overview import read_study
    from asktell.submission import read_chain

    stop = f"`asktell stop {shlex.quote(str(shown))}` ends it"
    found = read_study(study.path)
    chain = read_chain(found.directory)
    if jobs := [state.id for state in chain.states()] if chain is not None else []:
        raise Failure(f"{shown} has its driver in job {' and '.join(jobs)} already; {stop}", Exit.BAD_INPUT)
    if (driver := found.driver) is not None:
        where = f"process {driver.pid} on {driver.host}"
        raise Failure(f"{shown} is driven by {where} already; {stop}", Exit.BAD_INPUT)
    if found.is_done and study.config.budget == found.config.budget:
        raise Failure(f"{shown} is done; give it more trials: --trials N", Exit.BAD_INPUT)


def _submit(study: Study, shown: Path, system: str) -> None:
    from asktell.cluster.queues import SubmitRefused
    from asktell.directory import StudyDirectory
    from asktell.submission import driver_log, submit_driver

    directory = StudyDirectory(study.path)
    name = shlex.quote(str(shown))
    try:
        link = submit_driver(study.config, directory, system)
    except SubmitRefused as error:
        raise Failure(
            f"{error}; nothing runs: correct `cluster` in {shown}/study.yaml or by --set cluster.KEY=VALUE, "
            f"then `asktell submit {name}` tries again"
        ) from error
    click.echo(f"submitted the driver of {study.config.name} as job {link.job}")
    echo_facts(
        [
            ("log", str(driver_log(StudyDirectory(shown), link.job))),
            ("jobs", str(StudyDirectory(shown).jobs) if study.config.cluster.is_batch else ""),
            ("see", f"asktell status {name}\nasktell watch {name}"),
            ("stop", f"asktell stop {name}"),
        ]
    )

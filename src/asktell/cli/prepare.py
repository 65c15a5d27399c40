"""Before a study runs: `init`, `check`, `schema`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import all_overrides, json_option, set_option, site_option
from asktell.cli.output import echo_facts, echo_json, echo_table, note
from asktell.cli.preflight import echo_report
from asktell.wording import count, duration, number

if TYPE_CHECKING:
    from asktell.config import BudgetConfig, ClusterConfig, EvaluateConfig, StudyConfig
    from asktell.preflight import Report


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="study.yaml")
def init(file: Path) -> None:
    """Write a commented study file to start from.

    FILE: default study.yaml. The objective that it names is written beside it, unless there is one.
    """
    from asktell.config.template import EXAMPLE_OBJECTIVE, EXAMPLE_OBJECTIVE_FILE, template

    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(template())
    except FileExistsError:
        raise Failure(f"{file} exists already; choose another name", Exit.BAD_INPUT) from None
    except FileNotFoundError:
        raise Failure(f"there is no folder {file.parent}; make it first", Exit.BAD_INPUT) from None
    objective = file.with_name(EXAMPLE_OBJECTIVE_FILE)
    try:
        with objective.open("x", encoding="utf-8") as stream:
            stream.write(EXAMPLE_OBJECTIVE)
    except FileExistsError:
        click.echo(f"wrote {file}; {objective}, which it names, was there already and is left as it is")
    else:
        click.echo(f"wrote {file} and {objective}, an example objective")
    click.echo(f"edit, then `asktell check {shlex.quote(str(file))}`")


@click.command()
def schema() -> None:
    """Print the JSON Schema of a study file, for editors."""
    from asktell.config.template import schema as make_schema

    echo_json(make_schema())


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@set_option
@site_option
@click.option("--one", is_flag=True, help="Evaluate one point for real, in a temporary folder.")
@click.option(
    "--cluster",
    "on_cluster",
    is_flag=True,
    help="Try out where trials would run: one tiny job looks at everything that they need there.",
)
@json_option
def check(
    file: Path, overrides: tuple[str, ...], site: Path | None, one: bool, on_cluster: bool, as_json: bool
) -> None:
    """Validate a study file, show what it means and will take.

    With batch jobs, the script of one of them too. Nothing is evaluated, unless --one is given, and
    nothing is submitted, unless --cluster is.

    \b
    asktell check study.yaml
    asktell check study.yaml --one
    asktell check study.yaml --cluster
    asktell check study.yaml --set cluster.kind=slurm --set cluster.jobs=8
    """
    from asktell.cli.estimate import cautions, estimate, facts
    from asktell.cli.rehearsal import echo_rehearsal, rehearse
    from asktell.config import load, resolved
    from asktell.session import optimizer_of, width_of
    from asktell.space.table import HEADERS, rows
    from asktell.warm_start import warm_starts

    config = load(file, all_overrides(overrides), site=site)
    optimizer = optimizer_of(resolved(config))  # what the engine refuses is refused here
    earlier = warm_starts(config)
    script = _job_script(config)
    slots = width_of(config)
    for study in earlier:
        left_out = f"; {study.n_left_out} do not fit here" if study.n_left_out else ""
        note(f"begins with the best of {count(len(study.trials), 'trial')} of {study.study}{left_out}")
    if not as_json:
        echo_table(HEADERS, rows(optimizer.space.parameters))
        click.echo()
        echo_facts(_facts(config, slots))
    rehearsal = rehearse(config, optimizer.ask()) if one else None
    found = estimate(config, slots, rehearsal)
    if as_json:
        resolution = {
            "config": config.dump(),
            "slots": slots,
            "points": optimizer.space.cardinality,
            "estimate": found,
            "cautions": list(cautions(found, config)),
        }
        resolution |= {"job_script": script} if script else {}
        resolution |= {"one": rehearsal.as_json()} if rehearsal is not None else {}
    else:
        if rehearsal is not None:
            click.echo()
            echo_rehearsal(rehearsal)
        click.echo()
        echo_facts(facts(found, config))
        if script:
            click.echo(f"\n{count(config.cluster.jobs, 'job')} like this one:\n\n{script}", nl=False)
        for caution in cautions(found, config):
            note(caution)
    report = _preflight(config) if on_cluster else None
    if as_json:
        echo_json(resolution | ({"cluster": report} if report is not None else {}))
    elif report is not None:
        click.echo()
        echo_report(report)
    if (rehearsal is not None and not rehearsal.is_completed) or (report is not None and not report.is_ok):
        raise click.exceptions.Exit(Exit.FAILURE)


def _preflight(config: StudyConfig) -> Report:
    from asktell.preflight import preflight

    return preflight(config, say=note)


def _job_script(config: StudyConfig) -> str:
    """The script of a job as `run` would submit it from here; '' where there are no batch jobs."""
    if not config.cluster.is_batch:
        return ""
    from asktell.cluster.scripts import job_script

    return job_script(config, Path(f"{config.name}.study"))


def _facts(config: StudyConfig, slots: int) -> list[tuple[str, str]]:
    from asktell.config.constraints import split

    inputs, outcomes = split(config.constraints, config.space)
    cardinality = config.build_space().cardinality
    schedule, cluster, optimizer = config.schedule, config.cluster, config.optimizer
    seed = "drawn at the start" if optimizer.seed is None else str(optimizer.seed)
    groups = f" (groups of {schedule.k})" if schedule.k else ""
    ahead = f", {schedule.ahead} queued ahead on each" if schedule.ahead else ""
    cores = count(cluster.cpus_per_trial, "core")
    return [
        ("study", config.name),
        ("evaluate", _program(config.evaluate)),
        ("limits", _limits(config.evaluate)),
        ("objectives", "\n".join(_objective(name, item) for name, item in config.objectives.items())),
        ("on points", "\n".join(inputs)),
        ("on results", "\n".join([*outcomes, *config.evaluate.valid])),
        ("outputs", "\n".join(_output(name, item) for name, item in config.outputs.items())),
        ("points", "" if cardinality is None else f"{cardinality} in all, constraints aside"),
        ("engine", f"{optimizer.engine}, {count(optimizer.initial, 'initial point')}, seed {seed}"),
        ("schedule", f"{schedule.kind}{groups}{ahead}"),
        ("slots", f"{count(slots, 'trial')} at a time, {cores} each; {_where(cluster)}"),
        ("budget", _budget(config.budget)),
    ]


def _where(cluster: ClusterConfig) -> str:
    from asktell.config.quantities import format_size

    if cluster.kind == "address":
        return f"dask scheduler at {cluster.address}"
    if not cluster.is_batch:
        return "this machine"
    from asktell.cluster.requests import cpus_of, memory_of

    memory = memory_of(cluster)
    parts = [
        count(cpus_of(cluster), "core"),
        count(cluster.gpus_per_trial * cluster.workers_per_job, "GPU") if cluster.gpus_per_trial else "",
        format_size(memory) if memory is not None else "",
        duration(cluster.walltime_s) if cluster.walltime_s is not None else "",
    ]
    size = ", ".join(filter(None, parts))
    return f"{count(cluster.jobs, f'{cluster.kind} job')} of {size}"


def _program(evaluate: EvaluateConfig) -> str:
    if evaluate.call is not None:
        return f"{evaluate.call} (in {evaluate.folder})"
    command = evaluate.command
    return f"{command if isinstance(command, str) else ' '.join(command or ())} (in {evaluate.folder})"


def _limits(evaluate: EvaluateConfig) -> str:
    from asktell.config.quantities import format_size

    parts = [
        f"timeout {duration(evaluate.timeout_s)}" if evaluate.timeout_s is not None else "",
        f"memory {format_size(evaluate.memory_bytes)}" if evaluate.memory_bytes is not None else "",
        count(evaluate.retries, "retry").replace("retrys", "retries") if evaluate.retries else "",
    ]
    return ", ".join(filter(None, parts))


def _objective(name: str, objective: Any) -> str:
    units = f" [{objective.units}]" if objective.units else ""
    about = f": {objective.description}" if objective.description else ""
    return f"{objective.direction} {name}{units}{about}"


def _output(name: str, output: Any) -> str:
    dims = f"({', '.join(output.dims)})" if output.dims else ""
    shape = f" of shape {tuple(output.shape)}" if output.shape else ""
    dtype = f" {output.dtype}" if output.dtype else ""
    return f"{name}{dims}{shape}{dtype}"


def _budget(budget: BudgetConfig) -> str:
    parts = [
        count(budget.trials, "trial") if budget.trials is not None else "",
        f"{duration(budget.wall_time_s)} of wall time" if budget.wall_time_s is not None else "",
        f"{number(budget.core_hours)} core-hours" if budget.core_hours is not None else "",
        f"target {number(budget.target)}" if budget.target is not None else "",
        f"{count(budget.patience, 'trial')} without improvement" if budget.patience is not None else "",
    ]
    return " or ".join(filter(None, parts)) or "none: it runs until it is stopped"

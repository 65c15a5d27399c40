"""The results themselves: `export`, `consolidate`, `verify`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import json_option, study_argument
from asktell.cli.output import echo_json, note, plain
from asktell.wording import count


@click.command()
@study_argument
@click.option(
    "output",
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Its suffix says what it becomes; default: <name>.nc in the current folder.",
)
@click.option(
    "--best", metavar="N", type=click.IntRange(1), default=5, help="Trials in a .md or .tex table; 5."
)
@click.option(
    "--config", "as_config", is_flag=True, help="The best trial's parameters, in a .json or .yaml file."
)
@click.option("--trial", metavar="N", type=int, help="With --config: the parameters of this trial.")
def export(study: Path, output: Path | None, best: int, as_config: bool, trial: int | None) -> None:
    """Write the results, or the best of them, to one file.

    .nc has everything; .csv has a row per trial, without outputs of more dimensions; .md and .tex are
    tables of the best trials for a paper. --config writes parameters as the evaluation got them, to be
    used elsewhere.

    \b
    asktell export branin.study -o branin.csv
    asktell export branin.study -o best.tex --best 3
    asktell export branin.study --config -o best.json
    """
    import asktell
    from asktell.cli.best_points import to_table
    from asktell.cli.export import to_csv, to_netcdf
    from asktell.config import from_resolved
    from asktell.session import study_directory

    if as_config or trial is not None:
        _export_parameters(study, output, trial)
        return
    writers = {".nc": to_netcdf, ".csv": to_csv}
    tables = (".md", ".tex")
    file = output or Path(f"{from_resolved(study_directory(study).config).name}.nc")
    if file.suffix not in (*writers, *tables):
        raise Failure(f"{file}: unknown format; name a .nc, .csv, .md or .tex file", Exit.BAD_INPUT)
    with asktell.open(study) as results:
        if file.suffix in tables:
            click.echo(f"wrote the best {count(to_table(results, file, best), 'trial')} to {file}")
            return
        left_out = writers[file.suffix](results, file)
        n_trials = results.sizes["trial"]
    if left_out:
        note(f"left out, as they have more dimensions than a table: {', '.join(left_out)}")
    click.echo(f"wrote {count(n_trials, 'trial')} to {file}")


def _export_parameters(study: Path, output: Path | None, trial: int | None) -> None:
    from asktell.cli.best_points import to_parameters
    from asktell.overview import read_study

    found = read_study(study)
    file = output or Path(f"{found.config.name}-best.json")
    if file.suffix not in (".json", ".yaml", ".yml"):
        raise Failure(f"{file}: parameters go to a .json or a .yaml file", Exit.BAD_INPUT)
    if trial is None:
        front = found.best()
        if not front:
            raise Failure(f"no trial of {study} has completed within its constraints yet")
        if len(front) > 1:
            numbers = ", ".join(str(item.number) for item in front)
            raise Failure(f"no one trial is the best; choose: --trial N, one of {numbers}", Exit.BAD_INPUT)
        trial = front[0].number
    to_parameters(found.trial(trial).trial.params, file)
    click.echo(f"wrote the parameters of trial {trial} to {file}")


@click.command()
@study_argument
def consolidate(study: Path) -> None:
    """Rebuild results.zarr from the journals.

    Not while the study runs; readers may go on meanwhile.
    """
    from asktell.session import study_directory
    from asktell.store import consolidate as rebuild

    store = rebuild(study_directory(study).root)
    if store.missing:
        for missing in store.missing:
            note(f"missing: {missing}")
        raise Failure(f"the view was rebuilt, but {count(len(store.missing), 'chunk')} of outputs are gone")
    click.echo(f"rebuilt {study / 'results.zarr'} from the journals")


@click.command()
@study_argument
@json_option
def verify(study: Path, as_json: bool) -> None:
    """Check journals and results; name what is damaged.

    Reads every line, value and chunk once; exit code 1 if any is missing or damaged.
    """
    from asktell.session import study_directory
    from asktell.store import verify as check

    findings = check(study_directory(study).root)
    problems = [finding for finding in findings if finding.is_problem]
    if as_json:
        found = [{**plain(finding), "is_problem": finding.is_problem} for finding in findings]
        echo_json({"is_sound": not problems, "findings": found})
    else:
        for finding in sorted(findings, key=lambda finding: not finding.is_problem):
            click.echo(f"{finding.kind}: {finding}")
        worth_knowing = len(findings) - len(problems)
        besides = f" ({count(worth_knowing, 'thing')} worth knowing above)" if worth_knowing else ""
        if not problems:
            click.echo(f"{study} is sound: journal, results and outputs agree{besides}")
    if problems:
        if not as_json:
            hint = f"`asktell consolidate {shlex.quote(str(study))}` rebuilds what the journals have"
            raise Failure(f"{count(len(problems), 'problem')} in {study}; {hint}")
        raise click.exceptions.Exit(Exit.FAILURE)

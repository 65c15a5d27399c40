"""The results themselves: `export`, `consolidate`, `verify`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import json_option, study_argument
from asktell.cli.output import count, echo_json, note, plain


@click.command()
@study_argument
@click.option(
    "output",
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A .nc or a .csv file; default: <name>.nc in the current folder.",
)
def export(study: Path, output: Path | None) -> None:
    """Write the results to one netCDF or CSV file.

    netCDF has everything; CSV has a row per trial, without outputs of more dimensions.

    \b
    asktell export branin.study -o branin.csv
    """
    import asktell
    from asktell.cli.export import to_csv, to_netcdf
    from asktell.config import from_resolved
    from asktell.session import study_directory

    writers = {".nc": to_netcdf, ".csv": to_csv}
    file = output or Path(f"{from_resolved(study_directory(study).config).name}.nc")
    if file.suffix not in writers:
        raise Failure(f"{file}: unknown format; name a .nc or a .csv file", Exit.BAD_INPUT)
    with asktell.open(study) as results:
        left_out = writers[file.suffix](results, file)
        n_trials = results.sizes["trial"]
    if left_out:
        note(f"left out, as they have more dimensions than a table: {', '.join(left_out)}")
    click.echo(f"wrote {count(n_trials, 'trial')} to {file}")


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

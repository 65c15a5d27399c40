"""A study as a page to look at and to pass on: `report`."""

from __future__ import annotations

from pathlib import Path

import click

from asktell.cli.options import study_argument


@click.command()
@study_argument
@click.option(
    "output",
    "-o",
    "--output",
    metavar="FILE.html",
    type=click.Path(path_type=Path),
    help="Default: <name>.html in the current folder.",
)
@click.option("--open", "opens", is_flag=True, help="Show it in a browser.")
def report(study: Path, output: Path | None, opens: bool) -> None:
    """Write a page with figures and all trials.

    One HTML file that works without a network. On any study: running, ended, failed, new.

    \b
    asktell report branin.study
    asktell report branin.study -o for-the-group.html --open
    """
    from asktell.config import from_resolved
    from asktell.report import write
    from asktell.session import study_directory

    file = output or Path(f"{from_resolved(study_directory(study).config).name}.html")
    size = write(study, file)
    click.echo(f"wrote {file}, {size / 1e6:.1f} MB")
    if opens:
        click.launch(file.resolve().as_uri())

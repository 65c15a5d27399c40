"""`asktell`: every command in one group."""

from __future__ import annotations

import click

import asktell
from asktell.cli import (
    archive,
    drive,
    evaluate,
    feed,
    look,
    prepare,
    report,
    retell,
    simulate,
    standing,
    submit,
    watch,
)
from asktell.cli.group import Group


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 bad input, 3 stopped before the budget's end, 1 anything else.",
)
@click.version_option(asktell.__version__, prog_name="asktell", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Asynchronous Bayesian optimisation of functions that take minutes to hours.

    \b
    asktell init study.yaml       write a commented template
    asktell check study.yaml      see what it means; --one evaluates one point
    asktell run study.yaml        run it; the study lies in NAME.study
    asktell submit study.yaml     run it from a batch job that outlives your login
    asktell resume NAME.study     go on after any end
    """


for command in (
    prepare.init,
    prepare.check,
    prepare.schema,
    simulate.simulate,
    drive.run,
    submit.submit,
    drive.resume,
    drive.stop,
    standing.status,
    watch.watch,
    look.best,
    look.show,
    look.logs,
    feed.enqueue,
    feed.add,
    feed.rerun,
    evaluate.evaluate,
    retell.retell,
    report.report,
    archive.export,
    archive.consolidate,
    archive.verify,
):
    main.add_command(command)

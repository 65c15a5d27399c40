"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class _TrialNumber(click.IntRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is no trial number", param, ctx)


study_argument = click.argument("study", metavar="DIR", type=click.Path(path_type=Path))
number_argument = click.argument("number", metavar="N", type=_TrialNumber(min=0))
json_option = click.option("as_json", "--json", is_flag=True, help="Print one JSON document, for scripts.")
set_option = click.option(
    "overrides",
    "--set",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change one value of the study file, as in --set optimizer.seed=7; may be repeated.",
)
trials_option = click.option(
    "--trials", metavar="N", type=click.IntRange(min=1), help="Trials in all, over every session."
)
cluster_option = click.option(
    "--cluster",
    metavar="KIND",
    help="Where trials run: local (processes on this machine), slurm, pbs or another batch system as the"
    " study file or the site says, or the address of a dask scheduler such as tcp://node17:8786.",
)
directory_option = click.option(
    "directory",
    "--dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the study goes; default: <name>.study in the current folder.",
)
site_option = click.option(
    "--site",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Defaults of this site, beneath the study file; default: $ASKTELL_SITE.",
)
accept_option = click.option(
    "--accept-changes", is_flag=True, help="Go on although the objective's file has changed."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the scripts of the jobs, submit and create nothing."
)


def all_overrides(
    overrides: tuple[str, ...], *, trials: int | None = None, cluster: str | None = None
) -> tuple[str, ...]:
    """`--set` and the options that are short for one."""
    short = [f"budget.trials={trials}"] if trials is not None else []
    if cluster is not None and "://" in cluster:
        short += ["cluster.kind=address", f"cluster.address={cluster}"]
    elif cluster is not None:
        short.append(f"cluster.kind={cluster}")
        if cluster != "address":
            short.append("cluster.address=null")
    return (*overrides, *short)

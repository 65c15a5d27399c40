"""How `check --cluster` shows what a preflight has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from asktell.preflight import Report

_MARK_WIDTH, _NAME_WIDTH = 8, 13
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def echo_report(report: Report) -> None:
    """A line for each check: how it ended, what was seen; below it what to set, if anything."""
    indent = " " * (_MARK_WIDTH + _NAME_WIDTH + 2)
    for check in report.checks:
        mark = click.style(check.mark.ljust(_MARK_WIDTH), fg=_COLOURS[check.mark])
        first, *rest = check.seen.splitlines() or [""]
        click.echo(f"{mark} {check.name.ljust(_NAME_WIDTH)} {first}")
        for line in rest:
            click.echo(f"{indent}{line}".rstrip())
        if check.remedy:
            click.echo(f"{indent}{click.style('→', bold=True)} {check.remedy}")
    if report.kept is not None:
        click.echo(f"\nthe job's script and log are left in {report.kept / 'jobs'}")

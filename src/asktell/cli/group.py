"""The group of commands: exit codes, and errors as one clear message instead of a traceback."""

from __future__ import annotations

import errno
import traceback
from enum import IntEnum
from typing import IO, Any

import click

from asktell.errors import (
    AsktellError,
    ConfigError,
    EngineError,
    ExpressionError,
    SpaceError,
    StudyError,
    TrialError,
)

_BAD_INPUT = (ConfigError, EngineError, ExpressionError, SpaceError, StudyError, TrialError)


class Exit(IntEnum):
    """What the command tells the shell."""

    DONE = 0
    FAILURE = 1
    BAD_INPUT = 2
    STOPPED = 3  # before the budget's end; `asktell resume` goes on


class Failure(click.ClickException):
    """An error as a person sees it: one message on stderr, and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.FAILURE) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click has it as a class variable
        return int(self.code)

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{click.style('error:', fg='red')} {self.message}", file=file, err=file is None)


class Group(click.Group):
    """Turns what goes wrong in a command into a `Failure`; `--debug`, anywhere, shows the traceback too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = ["--debug", *(arg for arg in args[:end] if arg != "--debug"), *args[end:]]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are needed, not by name."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (AsktellError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click ends quietly when nobody reads any more
            if ctx.params.get("debug"):
                traceback.print_exc()
            raise failure(error) from error


def failure(error: AsktellError | OSError) -> Failure:
    """The error with its exit code."""
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        lines = "\n".join(f"  {problem}" for problem in error.problems)
        return Failure(f"{len(error.problems)} problems\n{lines}", Exit.BAD_INPUT)
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(f"{error.filename}: {error.strerror}")
    return Failure(str(error), Exit.BAD_INPUT if isinstance(error, _BAD_INPUT) else Exit.FAILURE)

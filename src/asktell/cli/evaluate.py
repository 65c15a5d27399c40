"""One given point evaluated for real: `evaluate` applies what a study has found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asktell.cli.group import Exit, Failure
from asktell.cli.options import json_option, set_option, site_option
from asktell.cli.output import echo_json

if TYPE_CHECKING:
    from asktell.config import StudyConfig


@click.command()
@click.argument("study", metavar="DIR|STUDY.YAML", type=click.Path(path_type=Path))
@click.argument("point", metavar="FILE|NAME=VALUE...", nargs=-1, required=True)
@set_option
@site_option
@click.option(
    "--keep",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Leave what the evaluation reads and writes there; it must not exist.",
)
@json_option
def evaluate(
    study: Path,
    point: tuple[str, ...],
    overrides: tuple[str, ...],
    site: Path | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Evaluate one given point here, outside of any study.

    FILE: what `asktell export --config` writes, JSON or YAML with a value for each parameter. It runs as
    a trial would, in a temporary folder; nothing of the study is changed.

    \b
    asktell export beam.study --config -o best.json
    asktell evaluate beam.study best.json
    asktell evaluate study.yaml width=0.05 n_ribs=3 --keep run
    """
    from asktell.cli.feed import allowed_point, assigned_texts, read_point
    from asktell.cli.rehearsal import echo_rehearsal, rehearse
    from asktell.trial import Trial

    if keep is not None and keep.exists():
        raise Failure(f"{keep} exists already; choose another folder", Exit.BAD_INPUT)
    config = _config(study, overrides, site)
    space = config.build_space()
    if len(point) == 1 and "=" not in point[0]:
        params = allowed_point(space, _read(Path(point[0])))
    else:
        params = read_point(space, assigned_texts(point))
    found = rehearse(config, Trial(0, params), keep)
    if as_json:
        echo_json(found.as_json())
    else:
        echo_rehearsal(found)
    if not found.is_completed:
        raise click.exceptions.Exit(Exit.FAILURE)


def _config(study: Path, overrides: tuple[str, ...], site: Path | None) -> StudyConfig:
    from asktell.config import from_resolved, load, with_overrides
    from asktell.session import study_directory

    if not study.is_dir():
        return load(study, overrides, site=site)
    config = from_resolved(study_directory(study).config)
    return with_overrides(config, overrides) if overrides else config


def _read(file: Path) -> Mapping[str, object]:
    from asktell.config.source import read
    from asktell.errors import ConfigError

    found = read(file.read_text(encoding="utf-8"), str(file))  # JSON is YAML
    if found.problems:
        raise ConfigError(found.problems)
    if not isinstance(found.data, Mapping):
        raise Failure(
            f"{file}: no values by name; `asktell export --config` writes such a file", Exit.BAD_INPUT
        )
    return found.data

"""What an attempt is given: params.json, rendered templates, its argument list, its environment.

ASKTELL_STUDY, ASKTELL_STUDY_DIR    the study's name and directory
ASKTELL_TRIAL, ASKTELL_ATTEMPT      numbers from 0
ASKTELL_DIR                         the attempt's folder, which is its working directory
ASKTELL_CHECKPOINT                  a folder that all attempts of the trial share, empty at first
ASKTELL_METRICS                     where `asktell.log` writes
ASKTELL_SEED                        the same for all attempts of a trial
ASKTELL_CPUS, ASKTELL_GPUS          what one trial may use
ASKTELL_LAUNCHER                    `cluster.launcher` with its placeholders filled, where there is one
ASKTELL_ENDS_AT                     when its batch job ends, Unix seconds, where that is known
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asktell.config import EvaluateConfig
from asktell.errors import ConfigError
from asktell.evaluate.child import PARAMS_JSON
from asktell.execute.protocol import Task
from asktell.metrics import FILE_VARIABLE
from asktell.trial import Value

METRICS_FILE = "metrics.jsonl"
CHECKPOINT = "checkpoint"
ENDS_AT = "ASKTELL_ENDS_AT"
_TEMPLATE_SUFFIXES = (".j2", ".jinja", ".jinja2")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_STEP_MEMORY = ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_MEM_PER_GPU")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one trial may use. launcher: `cluster.launcher`, a template with {cpus} and {gpus}."""

    cpus: int = 1
    gpus: int = 0
    launcher: str | None = None

    def launch(self) -> str:
        """The launcher's text, '' without one. Raises ConfigError for a placeholder that it does not know."""
        names = {"cpus": self.cpus, "gpus": self.gpus}
        return "" if self.launcher is None else fill(self.launcher, names, "cluster.launcher")


def checkpoint_of(directory: Path) -> Path:
    """The folder that all attempts of a trial share, from the directory of one of them."""
    return directory.parent / CHECKPOINT


def names_of(task: Task, directory: Path, config: EvaluateConfig) -> dict[str, Value]:
    """What placeholders and templates can name: the parameters, and what only an attempt knows."""
    return {
        **task.params,
        "trial": task.number,
        "attempt": task.attempt,
        "directory": str(directory),
        "checkpoint": str(checkpoint_of(directory)),
        "folder": str(config.folder),
        "python": sys.executable,
    }


def write_inputs(task: Task, directory: Path, config: EvaluateConfig) -> None:
    """Write params.json and render the templates into the attempt's directory.

    Raises ConfigError for a template that cannot be rendered with this trial's parameters.
    """
    (directory / PARAMS_JSON).write_text(json.dumps(dict(task.params), indent=1))
    if not config.templates:
        return
    import jinja2

    loader = jinja2.Environment(
        loader=jinja2.FileSystemLoader(config.folder),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    names = names_of(task, directory, config)
    for template in config.templates:
        try:
            text = loader.get_template(template).render(names)
        except jinja2.TemplateNotFound as error:
            raise ConfigError(f"evaluate.templates: there is no {error.name} in {config.folder}") from error
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(f"{template}:{error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{template}: {error}; a parameter that is not active for a trial is not defined,"
                " test it with {% if name is defined %}"
            ) from error
        (directory / rendered_name(template)).write_text(text)


def rendered_name(template: str) -> str:
    """'inputs/filter.cir.j2' -> 'filter.cir'."""
    path = Path(template)
    return path.stem if path.suffix in _TEMPLATE_SUFFIXES else path.name


def arguments(task: Task, directory: Path, config: EvaluateConfig, launcher: str = "") -> tuple[str, ...]:
    """The program and its arguments, behind those of the launcher.

    Raises ConfigError for a placeholder without a value.
    """
    names = names_of(task, directory, config)
    if config.shell:
        # `shell` takes one text; a list with it is joined as it stands.
        text = config.command if isinstance(config.command, str) else " ".join(config.command or ())
        return ("/bin/sh", "-c", f"{launcher} {fill(text, names, quote=True)}".lstrip())
    command = shlex.split(config.command) if isinstance(config.command, str) else config.command or ()
    program, *rest = (fill(part, names) for part in command)
    beside = os.path.abspath(config.folder / program)
    if os.sep in program and os.path.isfile(beside):
        program = beside
    return (*shlex.split(launcher), program, *rest)


def hint(argv: Sequence[str], directory: Path, config: EvaluateConfig) -> str:
    """What a command that failed may have missed: files beside the study file are not in its directory."""
    for argument in argv:
        is_beside = not os.path.isabs(argument) and os.path.isfile(config.folder / argument)
        if is_beside and not os.path.exists(directory / argument):
            return f"({argument} is beside the study file: write {{folder}}/{argument})"
    return ""


def fill(text: str, names: Mapping[str, Value], key: str = "evaluate.command", *, quote: bool = False) -> str:
    """Replace {name} and {name:.3f}; `{{` and `}}` are braces. Raises ConfigError, which names `key`."""
    try:
        return _Filler(quote=quote).vformat(text, (), names)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    except ValueError as error:
        raise ConfigError(f"{key}: {text!r}: {error} (write {{{{ and }}}} for braces)") from error


class _Filler(string.Formatter):
    """Plain names only: no attributes, no indices, no positions."""

    def __init__(self, *, quote: bool) -> None:
        self._quote = quote

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        if field_name not in kwargs:
            raise ConfigError(
                f"{{{field_name}}} has no value in this trial; there are"
                f" {', '.join(kwargs)} (write {{{{ and }}}} for braces)"
            )
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        return shlex.quote(text) if self._quote else text


def seed_of(name: str, number: int) -> int:
    """What ASKTELL_SEED holds: the same for all attempts of a trial, so that a lost one can be repeated."""
    digest = hashlib.sha256(f"{name}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def job_end(environment: Mapping[str, str]) -> float | None:
    """What ASKTELL_ENDS_AT says, if it is there."""
    return float(environment[ENDS_AT]) if environment.get(ENDS_AT) else None


def study_environment(
    config: EvaluateConfig, resources: Resources, study_dir: Path, name: str
) -> dict[str, str]:
    """The worker's environment with what does not change from attempt to attempt.

    Numerical libraries get a thread per core, or one where a launcher starts a process per core, in
    place of the 1 that dask's nanny exports; `evaluate.env` has the last word.
    """
    return {
        **_for_steps(os.environ, resources),
        **dict.fromkeys(_THREAD_VARIABLES, str(1 if resources.launcher else resources.cpus)),
        "ASKTELL_STUDY": name,
        "ASKTELL_STUDY_DIR": str(study_dir),
        "ASKTELL_CPUS": str(resources.cpus),
        "ASKTELL_GPUS": str(resources.gpus),
        **config.env,
    }


def _for_steps(environment: Mapping[str, str], resources: Resources) -> dict[str, str]:
    """The environment of a SLURM job, such that `srun` in it starts at once.

    A memory variable, or a step that takes every core, makes the trials of one job wait for each other;
    two memory variables (one is an outer job's) are refused. Without any, a step may use what its job has.
    A step in a step waits for ever unless they may overlap. Seen with SLURM 22.05.
    """
    memory = {name for name in _STEP_MEMORY if name in environment}
    dropped = memory if resources.launcher is not None or len(memory) > 1 else set()
    options = {}
    if resources.launcher is not None and "SLURM_JOB_ID" in environment:
        options["SLURM_EXACT"] = "1"
    if "SLURM_STEP_ID" in environment:
        options["SLURM_OVERLAP"] = "1"
    return options | {name: value for name, value in environment.items() if name not in dropped}


def attempt_environment(
    task: Task, directory: Path, name: str, *, launcher: str = "", ends_at: float | None = None
) -> dict[str, str]:
    """What an attempt finds in its environment beyond its study's."""
    return {
        "ASKTELL_TRIAL": str(task.number),
        "ASKTELL_ATTEMPT": str(task.attempt),
        "ASKTELL_DIR": str(directory),
        "ASKTELL_CHECKPOINT": str(checkpoint_of(directory)),
        **({"ASKTELL_LAUNCHER": launcher} if launcher else {}),
        **({ENDS_AT: str(ends_at)} if ends_at is not None else {}),
        FILE_VARIABLE: str(directory / METRICS_FILE),
        "ASKTELL_SEED": str(seed_of(name, task.number)),
        "PWD": str(directory),
    }

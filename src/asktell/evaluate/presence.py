"""Whether what a study evaluates is to be had on this machine, without evaluating anything."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asktell.config import EvaluateConfig
from asktell.errors import ConfigError
from asktell.evaluate import inputs
from asktell.evaluate.processes import fresh_interpreter
from asktell.execute.protocol import Task
from asktell.trial import Params

_NOWHERE = Path(os.devnull, "0")
"""Stands for the directory of an attempt: nothing can be there, and no argument means it otherwise."""


@dataclass(frozen=True, slots=True)
class Presence:
    """what: the function, or the programs and where they are. missing: what is wrong, '' if nothing is.

    took_s: to import the function; every worker does so once, a `fresh` one at each attempt.
    """

    what: str
    missing: str = ""
    took_s: float = 0.0


def look(
    config: EvaluateConfig,
    resources: inputs.Resources,
    params: Params,
    environment: Mapping[str, str],
    within_s: float,
) -> Presence:
    """Import the function in an interpreter of its own, or look for the programs of this point's command."""
    if not config.folder.is_dir():
        return Presence(str(config.folder), f"there is no folder {config.folder} on this machine")
    if config.call is not None:
        return _import(config.call, config.folder, environment, within_s)
    try:
        return _find(config, resources, params, environment)
    except ConfigError as error:
        return Presence(_text(config), str(error))


def _import(call: str, folder: Path, environment: Mapping[str, str], within_s: float) -> Presence:
    began = time.monotonic()
    try:
        done = subprocess.run(
            fresh_interpreter(call, str(folder), only_import=True),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Presence(call, f"its import takes longer than {within_s:g} s", within_s)
    words = done.stderr.decode(errors="replace").strip()[-2000:]
    missing = "" if done.returncode == 0 else words or f"its import ended with code {done.returncode}"
    return Presence(call, missing, time.monotonic() - began)


def _find(
    config: EvaluateConfig, resources: inputs.Resources, params: Params, environment: Mapping[str, str]
) -> Presence:
    """Programs on the PATH, and files beside the study file that the arguments name."""
    argv = inputs.arguments(Task(0, 0, params, ""), _NOWHERE, config)
    programs = [*shlex.split(resources.launch())[:1], *([] if _is_made(argv[0]) else argv[:1])]
    found = {program: shutil.which(program, path=environment.get("PATH")) for program in programs}
    files = [Path(word) for word in argv[1:] if word.startswith(str(config.folder) + os.sep)]
    files += [config.folder / template for template in config.templates]
    absent = [f"{program} is not on the PATH of the jobs" for program, path in found.items() if path is None]
    absent += [f"there is no {file}" for file in files if not file.exists()]
    what = ", ".join(path or program for program, path in found.items())
    unseen = " (what the shell starts is not looked for)" if config.shell else ""
    return Presence(what + unseen, "; ".join(absent))


def _is_made(program: str) -> bool:
    """It comes to be in the attempt's directory, from a template."""
    return program.startswith(str(_NOWHERE))


def _text(config: EvaluateConfig) -> str:
    return config.command if isinstance(config.command, str) else shlex.join(config.command or ())

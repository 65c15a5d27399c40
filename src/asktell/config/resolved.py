"""What a study keeps of its configuration, and what a resume may change of it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from asktell.config.models import StudyConfig
from asktell.config.types import shorten
from asktell.errors import Problem

_FREE_SECTIONS = ("budget", "cluster", "failures", "schedule", "store")
_FREE_EVALUATE = (
    "timeout",
    "memory",
    "retries",
    "keep",
    "isolation",
    "env",
    "max_log",
    "grace",
    "folder",
    "checkpoint_signal",
)
_REMEDY = "set it back, or start a new study"


def resolved(config: StudyConfig, rng: random.Random | None = None) -> StudyConfig:
    """`config` as a new study records it: with a seed, drawn by `rng` or from the system's entropy."""
    if config.optimizer.seed is not None:
        return config
    seed = (rng or random.SystemRandom()).randrange(2**31)
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"seed": seed})})


def check_resume(old: StudyConfig, new: StudyConfig) -> list[Problem]:
    """What differs between a study's configuration and the one to resume it with, and may not.

    Trials under way and told belong to the old space, objectives, proposals and results; budget,
    cluster, failures, schedule, store and the limits on an evaluation may change.
    """
    problems = [
        Problem(place, f"is {shorten(after)} now, was {shorten(before)}", _REMEDY)
        for place, before, after in _differences(_fixed(old), _fixed(new), "")
    ]
    if old.space.keys() == new.space.keys() and list(old.space) != list(new.space):
        # Order is part of a space: it orders the columns that proposals are made in.
        problems.append(Problem("space", f"is in the order {', '.join(new.space)} now", _REMEDY))
    return problems


def _fixed(config: StudyConfig) -> dict[str, Any]:
    data = {key: value for key, value in config.dump().items() if key not in _FREE_SECTIONS}
    data["evaluate"] = {key: value for key, value in data["evaluate"].items() if key not in _FREE_EVALUATE}
    return data


def _differences(before: Any, after: Any, place: str) -> list[tuple[str, Any, Any]]:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return [] if before == after and type(before) is type(after) else [(place, before, after)]
    found = []
    for key in dict.fromkeys((*before, *after)):
        found += _differences(before.get(key), after.get(key), f"{place}.{key}".removeprefix("."))
    return found

"""What a study's view consists of before its first trial has ended: plain data, from its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from asktell.config import StudyConfig
from asktell.records import Opened
from asktell.space import Boolean, Constant, Integer, Parameter, Real
from asktell.store.cf import CONVENTIONS
from asktell.trial import Value

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """How a parameter is stored."""

    REAL = "real"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class ParameterLayout:
    """A parameter's coordinate. is_conditional: there are trials without it."""

    name: str
    kind: Kind
    is_conditional: bool = False
    choices: tuple[Value, ...] = ()
    units: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ObjectiveLayout:
    name: str
    direction: str = "minimize"
    units: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """What the study file says of an output; its shape and dtype come with the first completed trial.

    coords: values along each of its dimensions, by the dimension's name.
    """

    name: str
    units: str = ""
    description: str = ""
    coords: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """bounds: outcome constraints, (low, high) by result name. attrs: the view's own, JSON values."""

    parameters: tuple[ParameterLayout, ...]
    objectives: tuple[ObjectiveLayout, ...] = (ObjectiveLayout("objective"),)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    outputs: Mapping[str, OutputLayout] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_openings(cls, openings: Sequence[Opened]) -> Layout:
        """The view of a journaled study, from all its sessions' first records."""
        last = json.loads(json.dumps(dict(openings[-1].config)))  # a record's lists are tuples
        config = StudyConfig.model_validate(last)
        return cls.from_config(config, versions=openings[-1].versions, created_at=openings[0].at)

    @classmethod
    def from_config(
        cls, config: StudyConfig, *, versions: Mapping[str, str] | None = None, created_at: float = 0.0
    ) -> Layout:
        """The view of a configured study. created_at: Unix seconds of its first session, 0 if unknown."""
        directions = {name: item.direction for name, item in config.objectives.items()}
        space = config.build_space()
        attrs: dict[str, Any] = {
            "Conventions": CONVENTIONS,
            "title": config.name,
            "source": "asktell",
            "asktell_schema": SCHEMA_VERSION,
            "directions": json.dumps(directions),
            "space": json.dumps(space.specification()),
            "schedule": config.schedule.kind,
            "cpus_per_trial": config.cluster.cpus_per_trial,
            "seed": config.optimizer.seed if config.optimizer.seed is not None else "",
            "engine": config.optimizer.engine,
            "configuration": config.to_yaml(),
            "versions": json.dumps(dict(versions or {}), sort_keys=True),
        }
        if created_at:
            attrs["history"] = (
                f"{datetime.fromtimestamp(created_at, UTC):%Y-%m-%dT%H:%M:%SZ} created by asktell"
            )
        return cls(
            parameters=tuple(parameter_layout(name, item) for name, item in space.parameters.items()),
            objectives=tuple(
                ObjectiveLayout(name, item.direction, item.units, item.description)
                for name, item in config.objectives.items()
            ),
            bounds=dict(config.outcome_bounds()),
            outputs={
                name: OutputLayout(name, item.units, item.description, dict(item.coords))
                for name, item in config.outputs.items()
            },
            attrs=attrs,
        )


def parameter_layout(name: str, parameter: Parameter) -> ParameterLayout:
    """How a parameter of a search space is stored; a constant like its value."""
    choices: tuple[Value, ...] = tuple(getattr(parameter, "choices", ()))
    value = parameter.value if isinstance(parameter, Constant) else None
    if isinstance(parameter, Boolean) or isinstance(value, bool):
        kind, choices = Kind.BOOLEAN, ()
    elif isinstance(parameter, Real) or isinstance(value, float):
        kind = Kind.REAL
    elif isinstance(parameter, Integer) or isinstance(value, int):
        kind = Kind.INTEGER
    else:
        kind, choices = Kind.CHOICE, choices if value is None else (value,)
    is_conditional = parameter.when is not None
    return ParameterLayout(name, kind, is_conditional, choices, parameter.units, parameter.description)

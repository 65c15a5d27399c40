"""Checks that take more than one key: names, conditions, constraints, schedule, budget."""

from __future__ import annotations

import difflib
import graphlib
import keyword
from collections.abc import Collection, Iterator, Sequence

from asktell.config.constraints import read_bounds
from asktell.config.faults import Fault, did_you_mean
from asktell.config.models import StudyConfig
from asktell.config.source import Path
from asktell.config.types import message_and_remedy
from asktell.errors import ExpressionError, SpaceError
from asktell.expression import Expression
from asktell.trial import Value

RESERVED = frozenset(
    {"trial", "status", "cause", "error", "attempt", "feasible"}
    | {"asked_at", "submitted_at", "started_at", "ended_at", "told_at", "duration", "ask_duration"}
    | {"host", "worker", "job", "origin", "engine", "acquisition", "staleness", "pending", "told"}
    | {"exit_code", "proposal_details", "n_attempts", "n_lost", "lost_causes", "attempt_jobs"}
    | {"earlier_attempts"}
)
"""Variables that the store has in every study."""

_METRIC = "metric_"  # the store's prefix for what `asktell.log` kept
_CODE = "_code"  # the store's suffix for the integer codes of a categorical parameter


def check_study(config: StudyConfig, parameters: Collection[str]) -> Iterator[Fault]:
    """Everything but the `evaluate` section.

    parameters: every name in `space`, those too whose own faults keep them out of `config`.
    """
    yield from _check_names(config, parameters)
    yield from _check_conditions(config, parameters)
    yield from _check_constraints(config, parameters)
    yield from _check_outputs(config)
    yield from _check_search(config)


def expression_fault(text: str, path: Path) -> Fault | None:
    """What is wrong with `text` as a condition, if anything."""
    try:
        if Expression(text).is_condition:
            return None
    except ExpressionError as error:
        message, remedy = message_and_remedy(error)
        return Fault(path, message, remedy or "write a comparison such as a < b")
    return Fault(path, f"{text!r} is no condition", "compare it with something: a < b")


def _check_names(config: StudyConfig, parameters: Collection[str]) -> Iterator[Fault]:
    if not config.objectives:
        yield Fault(("objectives",), "is empty", "name a result: {quality: maximize}, or leave it out")
    owners: dict[str, str] = {}
    named: Sequence[tuple[str, str, Collection[str]]] = (
        ("space", "parameter", parameters),
        ("objectives", "objective", config.objectives),
        ("outputs", "output", config.outputs),
    )
    for section, kind, names in named:
        for name in names:
            path = (section, name)
            if (fault := _name_fault(name, path)) is not None:
                yield fault
            elif name in owners:
                yield Fault(path, f"{name!r} is the name of a {owners[name]} already", "rename one of them")
            owners.setdefault(name, kind)
    for name, item in config.space.items():
        if item.type in ("categorical", "ordinal") and (owner := owners.get(name + _CODE)):
            message = f"the store keeps the codes of {name!r} under the name of the {owner} {name + _CODE!r}"
            yield Fault(("space", name), message, "rename one of them")


def _name_fault(name: str, path: Path) -> Fault | None:
    if keyword.iskeyword(name):
        return Fault(path, f"{name!r} is a keyword of Python", f"rename it: {name}_")
    if not name.isidentifier():
        suggestion = "".join(letter if letter.isidentifier() or letter.isdigit() else "_" for letter in name)
        suggestion = suggestion if suggestion.isidentifier() else f"x{suggestion}"
        return Fault(path, f"{name!r} is no name", f"use letters, digits and '_': {suggestion}")
    if name in RESERVED or name.startswith(_METRIC):
        return Fault(path, f"{name!r} is a name that the store uses itself", f"rename it: my_{name}")
    return None


def _check_conditions(config: StudyConfig, parameters: Collection[str]) -> Iterator[Fault]:
    graph: dict[str, Sequence[str]] = {}
    for name, item in config.space.items():
        graph[name] = list(item.when or {})
        for parent, values in (item.when or {}).items():
            path = ("space", name, "when", parent)
            if parent not in parameters:
                remedy = did_you_mean(parent, parameters, f"there are {', '.join(parameters)}")
                yield Fault(path, f"there is no parameter {parent!r}", remedy)
            elif parent in config.space:
                yield from _check_values(config, parent, values, path)
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        loop = list(reversed(error.args[1]))
        message = f"{' depends on '.join(loop)}: a circle"
        yield Fault(("space", loop[0], "when"), message, "remove one of these conditions")


def _check_values(config: StudyConfig, parent: str, values: Sequence[Value], path: Path) -> Iterator[Fault]:
    parameter = config.space[parent].build()
    if parameter.cardinality is None:
        yield Fault(path, f"{parent} is real, so it has no values to name", "depend on another parameter")
        return
    for value in values:
        try:
            parameter.normalise(value)
        except SpaceError as error:
            message, remedy = message_and_remedy(error)
            choices = map(str, getattr(parameter, "choices", ()))
            yield Fault(path, message, did_you_mean(str(value), choices, remedy))


def _check_constraints(config: StudyConfig, parameters: Collection[str]) -> Iterator[Fault]:
    for index, text in enumerate(config.constraints):
        path = ("constraints", index)
        if (fault := expression_fault(text, path)) is not None:
            yield fault
            continue
        results = Expression(text).names - set(parameters)
        slips = {
            name: close[0]
            for name in results - config.objectives.keys()
            if (close := difflib.get_close_matches(name, list(parameters), n=1, cutoff=0.8))
        }
        if slips:
            for name, known in slips.items():
                yield Fault(path, f"there is no parameter {name!r}", f"did you mean {known!r}?")
        elif not Expression(text).names:
            yield Fault(path, f"{text!r} names nothing", "name a parameter or a result")
        elif results:
            yield from _check_outcome(text, results, parameters, path)


def _check_outcome(
    text: str, results: Collection[str], parameters: Collection[str], path: Path
) -> Iterator[Fault]:
    if parameter := next(iter(sorted(Expression(text).names & set(parameters))), None):
        message = f"{text!r} mixes the parameter {parameter!r} with the result {min(results)!r}"
        yield Fault(path, message, "return their difference as a result of its own and bound that")
        return
    try:
        name, _ = read_bounds(text)
    except ExpressionError as error:
        message, remedy = message_and_remedy(error)
        yield Fault(path, message, remedy)
    else:
        if (fault := _name_fault(name, path)) is not None:
            yield fault


def _check_outputs(config: StudyConfig) -> Iterator[Fault]:
    taken = config.space.keys() | config.objectives.keys() | config.outputs.keys()
    seen: dict[str, tuple[str, list[Value]]] = {}
    for name, output in config.outputs.items():
        for dim in output.dims or ():
            if (fault := _name_fault(dim, ("outputs", name, "dims"))) is not None:
                yield fault
            elif dim in taken:
                yield Fault(("outputs", name, "dims"), f"{dim!r} is a variable already", "rename the dim")
        for dim, values in output.coords.items():
            other, known = seen.setdefault(dim, (name, values))
            if known != values:
                message = f"differ from those of the same dim in output {other!r}"
                yield Fault(
                    ("outputs", name, "coords", dim), message, "give both the same, or rename one dim"
                )


def _check_search(config: StudyConfig) -> Iterator[Fault]:
    if len(config.objectives) > 1:
        if config.optimizer.engine == "skopt":
            message = f"skopt handles one objective, not {len(config.objectives)}"
            yield Fault(("optimizer", "engine"), message, "use gp, random, sobol or grid")
        for key in ("target", "patience"):
            if getattr(config.budget, key) is not None:
                yield Fault(("budget", key), "means nothing with several objectives", "drop it")


def check_space(config: StudyConfig) -> Iterator[Fault]:
    """What only the whole space shows; for a study that has no other fault."""
    try:
        config.build_space()
    except (SpaceError, ExpressionError) as error:
        message, remedy = message_and_remedy(error)
        yield Fault(("space",), message, remedy)

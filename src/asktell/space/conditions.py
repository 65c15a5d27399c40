"""Which parameters exist at a point: the `when`s of a space as a graph, checked once.

A parameter exists if each of its parents exists and has one of the values named for it.
"""

from __future__ import annotations

import difflib
import graphlib
from collections import Counter
from collections.abc import Iterable, Mapping

from asktell.errors import SpaceError
from asktell.space.parameters import Parameter
from asktell.trial import Value


class Conditions:
    """order: every name, parents before children. conditional: the names that have a `when`."""

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        self._parameters = parameters
        self._allowed = {
            name: {parent: _allowed(parameters, name, parent) for parent in parameter.when}
            for name, parameter in parameters.items()
            if parameter.when is not None
        }
        self.conditional = frozenset(self._allowed)
        self.order = self._sort()
        self._conditional_order = [name for name in self.order if name in self.conditional]

    def is_active(self, name: str, params: Mapping[str, object]) -> bool:
        """Whether `name` exists where its ancestors are as in `params` (native values)."""
        conditions = self._allowed.get(name)
        return conditions is None or all(
            params.get(parent) in values and self.is_active(parent, params)
            for parent, values in conditions.items()
        )

    def drop_inactive(self, params: dict[str, Value]) -> None:
        """Removes from `params`, which has every name, those that do not exist at this point."""
        for name in self._conditional_order:  # a parent that does not exist is gone before its children come
            if any(params.get(parent) not in values for parent, values in self._allowed[name].items()):
                del params[name]

    def count(self) -> int | None:
        """Number of distinct points, input constraints aside; None where there is a continuum.

        One pass over the parameters with the number of points for every way in which those seen so
        far decide about children to come: a state holds, for each child, how many parents agree.
        """
        waiting: Counter[tuple[tuple[str, int], ...]] = Counter({(): 1})
        children = {
            parent: [c for c, on in self._allowed.items() if parent in on] for parent in self._parameters
        }
        for name in self.order:
            following: Counter[tuple[tuple[str, int], ...]] = Counter()
            for state, points in waiting.items():
                agreeing = dict(state)
                if agreeing.pop(name, 0) < len(self._allowed.get(name, ())):
                    following[tuple(sorted(agreeing.items()))] += points
                    continue
                total = self._parameters[name].cardinality
                if total is None:
                    return None
                for permitted, values in self._permissions(name, children[name], total).items():
                    after = agreeing | {child: agreeing.get(child, 0) + 1 for child in permitted}
                    following[tuple(sorted(after.items()))] += points * values
            waiting = following
        return sum(waiting.values())

    def _permissions(self, parent: str, children: Iterable[str], total: int) -> Counter[tuple[str, ...]]:
        """How many of the parent's values permit each set of children."""
        named: set[Value] = set().union(*(self._allowed[child][parent] for child in children))
        found = Counter(
            tuple(child for child in children if value in self._allowed[child][parent]) for value in named
        )
        found[()] += total - len(named)
        return +found

    def _sort(self) -> tuple[str, ...]:
        graph = {name: self._allowed.get(name, {}).keys() for name in self._parameters}
        try:
            return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            loop = " -> ".join(reversed(error.args[1]))
            raise SpaceError(f"the conditions go in a circle ({loop}); remove one of these `when`s") from None


def _allowed(parameters: Mapping[str, Parameter], name: str, parent: str) -> frozenset[Value]:
    if parent not in parameters:
        raise SpaceError(f"{name}.when: there is no parameter {parent!r}; {suggestion(parent, parameters)}")
    if parameters[parent].cardinality is None:
        raise SpaceError(f"{name}.when: {parent} is real; a condition needs a parent with distinct values")
    when = parameters[name].when or {}
    try:
        return frozenset(parameters[parent].normalise(value) for value in when[parent])
    except SpaceError as error:
        raise SpaceError(f"{name}.when.{parent}: {error}") from None


def suggestion(name: str, known: Iterable[str]) -> str:
    """'did you mean ...?', or what there is."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"

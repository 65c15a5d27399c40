"""The `constraints` section: conditions on parameters (inputs) and bounds on results (outcomes)."""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Sequence

from asktell.errors import ExpressionError
from asktell.expression import Expression

Bounds = tuple[float, float]


def split(texts: Sequence[str], parameters: Collection[str]) -> tuple[list[str], list[str]]:
    """(inputs, outcomes): a constraint that names parameters only is an input constraint."""
    inputs = [text for text in texts if Expression(text).names <= set(parameters)]
    return inputs, [text for text in texts if text not in inputs]


def outcome_bounds(texts: Sequence[str], parameters: Collection[str]) -> dict[str, Bounds]:
    """Result name -> (low, high) of all outcome constraints together; infinite where open.

    Raises ExpressionError where a constraint does not compare one result with numbers.
    """
    bounds: dict[str, Bounds] = {}
    for text in split(texts, parameters)[1]:
        name, (low, high) = read_bounds(text)
        known_low, known_high = bounds.get(name, (-math.inf, math.inf))
        bounds[name] = (max(low, known_low), min(high, known_high))
    return bounds


def read_bounds(text: str) -> tuple[str, Bounds]:
    """'0.1 <= density < 0.9' -> ('density', (0.1, 0.9)); < and <= are one in floating point.

    Raises ExpressionError where the text is anything else than one name compared with numbers.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{text!r} does not parse: {error.msg}; write such as density < 0.9") from error
    if not isinstance(node, ast.Compare):
        raise _not_bounds(text)
    terms = [node.left, *node.comparators]
    low, high, names = -math.inf, math.inf, set()
    for left, operator, right in zip(terms, node.ops, terms[1:], strict=False):
        if isinstance(operator, (ast.Gt, ast.GtE)):
            left, right = right, left
        elif not isinstance(operator, (ast.Lt, ast.LtE)):
            raise _not_bounds(text)
        match left, right:
            case ast.Name(id=name), _:
                high = min(high, _number(right, text))
            case _, ast.Name(id=name):
                low = max(low, _number(left, text))
            case _:
                raise _not_bounds(text)
        names.add(name)
    if len(names) != 1:
        raise _not_bounds(text)
    if low > high:
        raise ExpressionError(f"{text!r} can never hold; swap its bounds")
    return names.pop(), (low, high)


def _number(node: ast.expr, text: str) -> float:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        raise _not_bounds(text) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _not_bounds(text)
    return float(value)


def _not_bounds(text: str) -> ExpressionError:
    return ExpressionError(
        f"{text!r} neither names parameters only nor compares one result with numbers;"
        " write such as density < 0.9 or 0.1 <= density < 0.9"
    )

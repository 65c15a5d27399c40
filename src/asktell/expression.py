"""Expressions over names: `min_length < max_length`, `0 < density < 0.9`, `method in ['a', 'b']`.

Text is parsed by `ast`, checked against what is allowed and turned into closures; it is never
evaluated as Python. Numbers are IEEE doubles throughout, so that no expression takes long or fails
half way: what is undefined (1 / 0, log(-1)) is NaN, what overflows is infinite, and no comparison
with NaN holds but `!=`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import cast

from asktell.errors import ExpressionError

Value = float | int | str | bool
_Evaluate = Callable[[Mapping[str, Value]], Value]

_MAX_LENGTH = 2000
_MAX_DEPTH = 100


class Expression:
    """A checked expression; immutable, picklable, equal where the text is equal.

    names: every name that it mentions, functions aside. is_condition: it can be true or false
    (False for what is a number or a text for certain). tested: literal values that a name is
    compared with by ==, != or in, so that a misspelt category can be told.
    Raises ExpressionError for text that does not parse or uses what it may not.
    """

    __slots__ = ("_evaluate", "is_condition", "names", "tested", "text")

    def __init__(self, text: str) -> None:
        root = _parse(text)
        compiler = _Compiler(text)
        self.text = text
        self._evaluate = compiler.compile(root)
        self.names = frozenset(compiler.names)
        self.tested: Mapping[str, frozenset[Value]] = {
            name: frozenset(values) for name, values in compiler.tested.items()
        }
        self.is_condition = _is_condition(root)

    def value(self, names: Mapping[str, Value]) -> float | bool:
        """The value with `names` filled in. Raises ExpressionError on a missing name or mixed-up types."""
        if missing := self.names - names.keys():
            there = ", ".join(names) or "nothing"
            raise ExpressionError(f"{self.text!r}: {min(missing)} has no value here; there is {there}")
        found = self._evaluate(names)
        return found if isinstance(found, bool) else _number(found)

    def holds(self, names: Mapping[str, Value]) -> bool:
        """Whether the condition is met; true where it mentions a name that `names` does not have.

        That is what an input constraint over an inactive parameter needs. Who finds an absent name
        wrong compares `names` first. Raises ExpressionError if the value is no condition.
        """
        if not self.names <= names.keys():
            return True
        found = self._evaluate(names)
        try:
            return _truth(found)
        except ExpressionError as error:
            raise ExpressionError(f"{self.text!r}: {error}") from None

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        return Expression, (self.text,)


def _parse(text: str) -> ast.expr:
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(f"{text!r} is not an expression; write one such as 'a < b'")
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"{text[:40]!r}...: longer than {_MAX_LENGTH} characters; split it")
    try:
        return ast.parse(_one_line(text), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "too deeply nested"
        raise ExpressionError(f"{text!r} does not parse: {reason}") from None


def _one_line(text: str) -> str:
    """An expression that goes over several lines in YAML is one line to Python."""
    return text.replace("\n", " ").strip()


def _is_condition(root: ast.expr) -> bool:
    match root:
        case (
            ast.Compare() | ast.BoolOp() | ast.Name() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool())
        ):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name == "isfinite"
    return False


class _Compiler:
    """Turns allowed syntax into closures and collects the names on its way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: set[str] = set()
        self.tested: defaultdict[str, set[Value]] = defaultdict(set)
        self._line = _one_line(text)

    def compile(self, node: ast.expr, depth: int = 0) -> _Evaluate:
        if depth > _MAX_DEPTH:
            raise ExpressionError(f"{self.text[:40]!r}...: nested deeper than {_MAX_DEPTH} levels; split it")
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=("true" | "True" | "false" | "False") as word):  # YAML's spelling, too
                return self._constant(word.lower() == "true")
            case ast.Name(id=name):
                self.names.add(name)
                return operator.itemgetter(name)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _apply(_UNARY[type(op)], self.compile(operand, depth + 1))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.compile(operand, depth + 1)
                return lambda names: not _truth(inner(names))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _apply(
                    _BINARY[type(op)], self.compile(left, depth + 1), self.compile(right, depth + 1)
                )
            case ast.BoolOp(op=op, values=values):
                parts = [self.compile(value, depth + 1) for value in values]
                decide = all if isinstance(op, ast.And) else any
                # Every part is evaluated, so that mixed-up types show at the first point, not at the 100th.
                return lambda names: decide([_truth(part(names)) for part in parts])
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[rest]):
                return self._membership(left, rest, isinstance(op, ast.In), depth)
            case ast.Compare(left=left, ops=ops, comparators=rest) if all(
                type(op) in _COMPARISONS for op in ops
            ):
                operands = [self.compile(item, depth + 1) for item in (left, *rest)]
                for relation, (one, other) in zip(ops, pairwise((left, *rest)), strict=True):
                    if isinstance(relation, ast.Eq | ast.NotEq):
                        self._note_test(one, other)
                        self._note_test(other, one)
                return _chain([_COMPARISONS[type(op)] for op in ops], operands)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return self._call(name, args, depth)
        raise self._refused(node)

    def _constant(self, value: object) -> _Evaluate:
        if isinstance(value, bool | str):
            return lambda names: value
        if isinstance(value, int | float):
            try:
                number = float(value)
            except OverflowError:
                raise ExpressionError(f"{self.text[:60]!r}: a number is too large") from None
            return lambda names: number
        raise ExpressionError(f"{self.text!r}: {value!r} is no number, text, true or false")

    def _membership(self, left: ast.expr, rest: ast.expr, is_in: bool, depth: int) -> _Evaluate:
        if not isinstance(rest, ast.List | ast.Tuple | ast.Set):
            raise ExpressionError(f"{self.text!r}: `in` wants a list, such as method in ['a', 'b']")
        item = self.compile(left, depth + 1)
        members = [self.compile(member, depth + 1) for member in rest.elts]
        for member in rest.elts:
            self._note_test(left, member)

        def evaluate(names: Mapping[str, Value]) -> bool:
            value = item(names)
            return is_in == any(_equal(value, member(names)) for member in members)

        return evaluate

    def _note_test(self, name: ast.expr, value: ast.expr) -> None:
        match name, value:
            case ast.Name(id=known), ast.Constant(value=bool() | int() | float() | str() as literal):
                self.tested[known].add(literal)

    def _call(self, name: str, args: list[ast.expr], depth: int) -> _Evaluate:
        function, least, most = _FUNCTIONS[name]
        if not least <= len(args) <= most:
            wanted = "one argument" if most == 1 else f"at least {least} arguments"
            raise ExpressionError(f"{self.text!r}: {name} takes {wanted}, not {len(args)}")
        return _apply(function, *(self.compile(arg, depth + 1) for arg in args))

    def _refused(self, node: ast.expr) -> ExpressionError:
        what = ast.get_source_segment(self._line, node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in _FUNCTIONS:
            remedy = f"the functions are {', '.join(_FUNCTIONS)}"
        else:
            remedy = "use numbers, texts, names, + - * / // % **, comparisons, and, or, not, in [..]"
        return ExpressionError(f"{self.text!r}: {what} is not allowed; {remedy}")


def _number(value: Value) -> float:
    if isinstance(value, str):
        raise ExpressionError(f"{value!r} is text where a number is needed")
    return float(value)


def _truth(value: Value) -> bool:
    # NOTE: numpy's bool is no subclass of bool; only its repr of type tells it without importing numpy.
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ExpressionError(f"{value!r} is neither true nor false; compare it with something")


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    return float(left) == float(right)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Value, Value], bool]:
    def holds(left: Value, right: Value) -> bool:
        if isinstance(left, str) or isinstance(right, str):
            raise ExpressionError(f"{left!r} and {right!r} have no order; compare texts by ==, != or in")
        return compare(float(left), float(right))

    return holds


def _chain(comparisons: list[Callable[[Value, Value], bool]], operands: list[_Evaluate]) -> _Evaluate:
    def evaluate(names: Mapping[str, Value]) -> bool:
        values = [operand(names) for operand in operands]
        holds = [compare(*pair) for compare, pair in zip(comparisons, pairwise(values), strict=True)]
        return all(holds)

    return evaluate


def _apply(function: Callable[..., float | bool], *operands: _Evaluate) -> _Evaluate:
    if len(operands) == 2:  # the common case, without building a list
        first, second = operands
        return lambda names: function(_number(first(names)), _number(second(names)))
    return lambda names: function(*[_number(operand(names)) for operand in operands])


def _total(function: Callable[..., float]) -> Callable[..., float]:
    """`function` with NaN where it is undefined and infinity where it overflows."""

    def evaluate(*args: float) -> float:
        try:
            return function(*args)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return evaluate


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:  # 0 ** -1, (-1) ** 0.5
        return math.nan


def _extreme(choose: Callable[[tuple[float, ...]], float]) -> Callable[..., float]:
    return lambda *args: math.nan if any(map(math.isnan, args)) else choose(args)


_UNARY: Mapping[type[ast.unaryop], Callable[..., float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_BINARY: Mapping[type[ast.operator], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _total(operator.truediv),
    ast.FloorDiv: _total(operator.floordiv),
    ast.Mod: _total(operator.mod),
    ast.Pow: _power,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: not _equal(left, right),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
}
_MANY = 100
_FUNCTIONS: Mapping[str, tuple[Callable[..., float | bool], int, int]] = {
    "abs": (abs, 1, 1),
    "min": (_extreme(cast("Callable[[tuple[float, ...]], float]", min)), 2, _MANY),
    "max": (_extreme(cast("Callable[[tuple[float, ...]], float]", max)), 2, _MANY),
    "sqrt": (_total(math.sqrt), 1, 1),
    "log": (_total(math.log), 1, 1),
    "log10": (_total(math.log10), 1, 1),
    "exp": (_total(math.exp), 1, 1),
    "floor": (lambda x: float(math.floor(x)) if math.isfinite(x) else x, 1, 1),
    "ceil": (lambda x: float(math.ceil(x)) if math.isfinite(x) else x, 1, 1),
    "isfinite": (math.isfinite, 1, 1),
}

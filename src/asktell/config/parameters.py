"""The `space` section: each parameter as it stands in the file, and what it is in the search space."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

import asktell.space as spaces
from asktell.config.types import Scalar, Scalars, Section, wrong
from asktell.trial import Value


class _Conditional(Section):
    when: dict[str, Scalars] | None = Field(
        None,
        description="Exists only where each parent has one of these values: {method: [fast, exact]}.",
    )
    units: str = Field("", description="Unit, for plots and the store.")
    description: str = Field("", description="What it is, for the store.")

    @property
    def _common(self) -> dict[str, Any]:
        return {"when": self.when, "units": self.units, "description": self.description}


class RealConfig(_Conditional):
    """A real number between two bounds, both included."""

    type: Literal["real"] = "real"
    low: float = Field(description="Lower bound.")
    high: float = Field(description="Upper bound.")
    log: bool = Field(False, description="Search on a logarithmic scale (low must be above 0).")

    @model_validator(mode="after")
    def _check(self) -> RealConfig:
        check_bounds(self.low, self.high, self.log)
        return self

    def build(self) -> spaces.Parameter:
        return spaces.Real(self.low, self.high, log=self.log, **self._common)


class IntegerConfig(_Conditional):
    """A whole number between two bounds, both included."""

    type: Literal["integer"] = "integer"
    low: int = Field(description="Lower bound.")
    high: int = Field(description="Upper bound.")
    log: bool = Field(False, description="Search on a logarithmic scale (low must be above 0).")

    @model_validator(mode="after")
    def _check(self) -> IntegerConfig:
        check_bounds(self.low, self.high, self.log)
        if max(abs(self.low), abs(self.high)) > 2**53:
            raise wrong("bounds beyond 2^53 are not exact in the results", "rescale the parameter")
        return self

    def build(self) -> spaces.Parameter:
        return spaces.Integer(self.low, self.high, log=self.log, **self._common)


class OrdinalConfig(_Conditional):
    """One of several values that have an order."""

    type: Literal["ordinal"] = "ordinal"
    choices: list[Scalar] = Field(description="The values, in their order.")

    @model_validator(mode="after")
    def _check(self) -> OrdinalConfig:
        check_choices(self.choices)
        return self

    def build(self) -> spaces.Parameter:
        return spaces.Ordinal(self.choices, **self._common)


class CategoricalConfig(_Conditional):
    """One of several values without an order."""

    type: Literal["categorical"] = "categorical"
    choices: list[Scalar] = Field(description="The values.")

    @model_validator(mode="after")
    def _check(self) -> CategoricalConfig:
        check_choices(self.choices)
        return self

    def build(self) -> spaces.Parameter:
        return spaces.Categorical(self.choices, **self._common)


class BooleanConfig(_Conditional):
    """true or false."""

    type: Literal["boolean"] = "boolean"

    def build(self) -> spaces.Parameter:
        return spaces.Boolean(**self._common)


class ConstantConfig(Section):
    """A value that every trial gets. `n: 3` is short for {type: constant, value: 3}."""

    type: Literal["constant"] = "constant"
    value: Scalar = Field(description="The value.")

    def build(self) -> spaces.Parameter:
        return spaces.Constant(self.value)


def _expand(value: Any) -> Any:
    return {"type": "constant", "value": value} if isinstance(value, (str, int, float, bool)) else value


_Typed = Annotated[
    RealConfig | IntegerConfig | OrdinalConfig | CategoricalConfig | BooleanConfig | ConstantConfig,
    Field(discriminator="type"),
]
ParameterConfig = Annotated[_Typed, BeforeValidator(_expand, json_schema_input_type=_Typed | Scalar)]


def check_bounds(low: float, high: float, log: bool) -> None:
    """Raise the loader's error unless low < high, and low > 0 on a logarithmic scale."""
    if low == high:
        raise wrong(f"low and high are both {low}", f"write a constant ({low}) or widen the range")
    if low > high:
        raise wrong(f"low ({low}) is not below high ({high})", "swap them")
    if log and low <= 0:
        raise wrong(f"low ({low}) must be above 0 on a logarithmic scale", "raise low or drop `log: true`")


def check_choices(choices: list[Value]) -> None:
    """Raise the loader's error unless there are two choices or more, all different."""
    if len(choices) < 2:
        remedy = f"write it as a constant: {choices[0]}" if choices else "list at least two values"
        raise wrong(f"{len(choices) or 'no'} choice{'s' * (not choices)} to choose from", remedy)
    repeated = [choice for choice, count in Counter(choices).items() if count > 1]
    if repeated:
        raise wrong(f"{repeated[0]!r} is listed more than once", "keep one (1, 1.0 and true count as equal)")

"""The `space` section: each parameter as it stands in the file, and what it is in the search space."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

import asktell.space as spaces
from asktell.config.types import Scalar, Scalars, Section, message_and_remedy, wrong
from asktell.errors import SpaceError


class _Parameter(Section):
    """What every kind has in common. The search space decides what makes sense: it is built to see."""

    type: str
    when: dict[str, Scalars] | None = Field(
        None,
        description="Exists only where each parent has one of these values: {method: [fast, exact]}.",
    )
    units: str = Field("", description="Unit, for plots and the store.")
    description: str = Field("", description="What it is, for the store.")

    def build(self) -> spaces.Parameter:
        """The parameter in the search space."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            self.build()
        except SpaceError as error:
            raise wrong(*message_and_remedy(error)) from None
        return self

    @property
    def _common(self) -> dict[str, Any]:
        return {"when": self.when, "units": self.units, "description": self.description}


class RealConfig(_Parameter):
    """A real number between two bounds, both included."""

    type: Literal["real"] = "real"
    low: float = Field(description="Lower bound.")
    high: float = Field(description="Upper bound.")
    log: bool = Field(False, description="Search on a logarithmic scale (low must be above 0).")

    def build(self) -> spaces.Parameter:
        return spaces.Real(self.low, self.high, log=self.log, **self._common)


class IntegerConfig(_Parameter):
    """A whole number between two bounds, both included."""

    type: Literal["integer"] = "integer"
    low: int = Field(description="Lower bound.")
    high: int = Field(description="Upper bound.")
    log: bool = Field(False, description="Search on a logarithmic scale (low must be above 0).")

    def build(self) -> spaces.Parameter:
        return spaces.Integer(self.low, self.high, log=self.log, **self._common)


class OrdinalConfig(_Parameter):
    """One of several values that have an order."""

    type: Literal["ordinal"] = "ordinal"
    choices: list[Scalar] = Field(description="The values, in their order.")

    def build(self) -> spaces.Parameter:
        return spaces.Ordinal(self.choices, **self._common)


class CategoricalConfig(_Parameter):
    """One of several values without an order."""

    type: Literal["categorical"] = "categorical"
    choices: list[Scalar] = Field(description="The values.")

    def build(self) -> spaces.Parameter:
        return spaces.Categorical(self.choices, **self._common)


class BooleanConfig(_Parameter):
    """true or false."""

    type: Literal["boolean"] = "boolean"

    def build(self) -> spaces.Parameter:
        return spaces.Boolean(**self._common)


class ConstantConfig(_Parameter):
    """A value that every trial gets. `n: 3` is short for {type: constant, value: 3}."""

    type: Literal["constant"] = "constant"
    value: Scalar = Field(description="The value.")

    def build(self) -> spaces.Parameter:
        return spaces.Constant(self.value, **self._common)


def _expand(value: Any) -> Any:
    return {"type": "constant", "value": value} if isinstance(value, (str, int, float, bool)) else value


_Typed = Annotated[
    RealConfig | IntegerConfig | OrdinalConfig | CategoricalConfig | BooleanConfig | ConstantConfig,
    Field(discriminator="type"),
]
ParameterConfig = Annotated[_Typed, BeforeValidator(_expand, json_schema_input_type=_Typed | Scalar)]

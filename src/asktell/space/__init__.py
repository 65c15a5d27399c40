"""The search space: what may be tried, and how it maps to the unit cube and back."""

from asktell.space.parameters import (
    Boolean,
    Categorical,
    Constant,
    Integer,
    Ordinal,
    Parameter,
    Real,
)
from asktell.space.space import Space

__all__ = ["Boolean", "Categorical", "Constant", "Integer", "Ordinal", "Parameter", "Real", "Space"]

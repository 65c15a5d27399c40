"""What is wrong with a value, before it is known in which file and line it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from asktell.config.source import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the value at `path`; becomes a Problem once file and line are known."""

    path: Path
    message: str
    remedy: str


def did_you_mean(word: str, options: Iterable[str], otherwise: str = "") -> str:
    """A remedy that names the closest of `options`, upper and lower case alike; `otherwise` where none is."""
    folded = {option.casefold(): option for option in options}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f"did you mean {folded[close[0]]!r}?" if close else otherwise

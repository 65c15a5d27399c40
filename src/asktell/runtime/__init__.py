"""How long a trial will take, learned from those that have run."""

from asktell.runtime.attempts import FEW, Runtime
from asktell.runtime.model import RuntimeModel

__all__ = ["FEW", "Runtime", "RuntimeModel"]

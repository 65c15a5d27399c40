"""How long a trial will take, learned from those that have run."""

from asktell.runtime.model import FEW, Runtime, RuntimeModel

__all__ = ["FEW", "Runtime", "RuntimeModel"]

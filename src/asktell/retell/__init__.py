"""Objectives computed anew from what trials have left, and a new study that goes on from there.

measure      a person's function of one trial, and what it returned
reading      calls it for every completed trial, on dask workers
creation     the new study: its trials, their outputs, its study file
evaluation   what a trial of the new study runs: what the old study ran, then the function
"""

from asktell.retell.creation import Retold, retell

__all__ = ["Retold", "retell"]

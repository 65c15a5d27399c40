"""`asktell check --cluster`: tries out, with one tiny job, what a study needs of the place where it will run.

course       the way through it: submission, start, connection, then the probe
probe        what runs on the worker: looks, and tries
machine      cores, memory, GPUs and file systems as a process sees them
verdicts     what was found against what is needed                     (pure)
diagnosis    from the words of a batch system or a log to a remedy     (pure)
report       checks and their marks
"""

from asktell.preflight.course import preflight
from asktell.preflight.report import Check, Mark, Report

__all__ = ["Check", "Mark", "Report", "preflight"]

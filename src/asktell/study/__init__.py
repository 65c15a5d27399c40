"""The study as a pure state machine: facts in, commands out, no I/O, no clock, no randomness."""

from asktell.study.machine import Ask, Command, Finish, StudyMachine, Submit, TrialState, replay
from asktell.study.rules import Budget, Rules, Schedule, ScheduleKind, is_feasible

__all__ = [
    "Ask",
    "Budget",
    "Command",
    "Finish",
    "Rules",
    "Schedule",
    "ScheduleKind",
    "StudyMachine",
    "Submit",
    "TrialState",
    "is_feasible",
    "replay",
]

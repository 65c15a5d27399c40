"""The study as a pure state machine: facts in, commands out, no I/O, no clock, no randomness."""

from asktell.study.commands import Ask, Command, Finish, Release, Submit, Warn
from asktell.study.machine import Key, StudyMachine, replay
from asktell.study.results import schema_of
from asktell.study.rules import POLICIES, Budget, Policy, Rules, Schedule, ScheduleKind, is_feasible
from asktell.study.state import TrialState

__all__ = [
    "POLICIES",
    "Ask",
    "Budget",
    "Command",
    "Finish",
    "Key",
    "Policy",
    "Release",
    "Rules",
    "Schedule",
    "ScheduleKind",
    "StudyMachine",
    "Submit",
    "TrialState",
    "Warn",
    "is_feasible",
    "replay",
    "schema_of",
]

"""The driver itself as a batch job, and the chain of such jobs that outlives every walltime."""

from asktell.submission.chain import (
    Chain,
    HandOver,
    Link,
    await_predecessor,
    cancel_drivers,
    read_chain,
    submit_driver,
)
from asktell.submission.script import DIRECTIVES, batch_system, driver_log, driver_script

__all__ = [
    "DIRECTIVES",
    "Chain",
    "HandOver",
    "Link",
    "await_predecessor",
    "batch_system",
    "cancel_drivers",
    "driver_log",
    "driver_script",
    "read_chain",
    "submit_driver",
]

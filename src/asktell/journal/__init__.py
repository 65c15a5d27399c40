"""The truth about a study: checksummed lines in segments, one writer each.

    journal/driver-000002.jsonl           the driver with token 2; its first line is `Opened`
    journal/worker-<host>-<pid>-<hex>.jsonl
    journal/user-<host>-<pid>-<hex>.jsonl
    journal/heartbeat                     rewritten by the driver; says nothing but 'alive'

A line is the CRC-32 of its JSON (8 hex digits), a blank, the JSON, a newline; it is fsynced before
anyone hears of it. A process never appends to another's segment, so there are no locks. A last
line that is torn was never acknowledged and is cut; damage anywhere else is named.

The driver segments are the lease as well: whoever links the segment of the next number holds it.
Each begins with the number of bytes of its predecessors that it stands on, so that whatever a
superseded driver still writes counts for nothing.
"""

from asktell.journal.lease import DriverJournal, holder, open_driver, openings, replay_driver
from asktell.journal.segment import Damage, Reading, Segment, Tail, read_segment, segments

__all__ = [
    "Damage",
    "DriverJournal",
    "Reading",
    "Segment",
    "Tail",
    "holder",
    "open_driver",
    "openings",
    "read_segment",
    "replay_driver",
    "segments",
]

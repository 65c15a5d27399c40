"""What a batch job says before it is killed, for whoever asks later why it went."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from asktell.directory import StudyDirectory, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastWords:
    """The signal that ended a job ('SIGTERM'), and when by its node's clock.

    ends_at: end of its walltime as far as the job knew. Times are Unix seconds.
    """

    signal: str
    at: float
    ends_at: float | None = None
    host: str = ""


def write(directory: StudyDirectory, job: str, words: LastWords) -> None:
    """Leave them where `read` finds them."""
    directory.jobs.mkdir(exist_ok=True)
    write_json(_path(directory, job), asdict(words))


def read(directory: StudyDirectory, job: str) -> LastWords | None:
    """A job's last words; None if it had no time for any, or still runs."""
    try:
        return LastWords(**json.loads(_path(directory, job).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("job %s: its last words cannot be read: %s", job, error)
        return None


def forget(directory: StudyDirectory, job: str) -> None:
    """Drop what an earlier run of this job said: a job that is queued again keeps its number."""
    _path(directory, job).unlink(missing_ok=True)


def _path(directory: StudyDirectory, job: str) -> Path:
    # Numbers of arrays hold brackets, and on some systems there may be anything in them.
    return directory.jobs / f"{quote(job, safe='')}.last.json"

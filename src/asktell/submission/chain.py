"""The driver's jobs, each of which submits the next one before its walltime ends.

    submit ─► driver job 1 ─hand-over─► driver job 2 ─hand-over─► ... ─► the study is done

A successor waits for the end of its predecessor in the batch system's queue, and for its lease in the
study's journal; so two jobs at once cannot happen, and would do no harm.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from asktell.cluster.queues import JobState, Phase, SubmitRefused, batch_queue
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory, write_json
from asktell.durable import replace_files
from asktell.errors import StudyError, StudyLocked
from asktell.inbox import Inbox
from asktell.job.allocation import find
from asktell.journal import holder, openings
from asktell.records import StopRequested
from asktell.submission.script import batch_system, driver_script

logger = logging.getLogger(__name__)

PREDECESSOR_S = 120.0
"""A predecessor that was killed on another node is given up after so long at most."""
_CLOSING_S = 15.0  # of the warning's time, for what comes after the submission
_FIRST_PAUSE_S = 5.0
_MOST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Link:
    """One driver job. after: the job whose end it waits for, '' for the first."""

    job: str
    at: float
    after: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """DIR/jobs/driver.json: what `asktell submit` began. links: oldest first; system: of `DIRECTIVES`."""

    system: str
    links: tuple[Link, ...] = ()

    def states(self) -> Sequence[JobState]:
        """Its jobs that wait or run, oldest first. Raises QueueSilent."""
        recent = [link.job for link in self.links[-2:]]
        found = batch_queue(self.system).jobs(recent)
        return [found[job] for job in recent if job in found and found[job].phase is not Phase.ENDED]


def read_chain(directory: StudyDirectory) -> Chain | None:
    """The study's driver jobs, None where it was never submitted."""
    try:
        data = json.loads(directory.driver_jobs.read_bytes())
    except FileNotFoundError:
        return None
    return Chain(data["system"], tuple(Link(**link) for link in data["links"]))


def submit_driver(config: StudyConfig, directory: StudyDirectory, system: str) -> Link:
    """Begin a chain: write the script, submit it. Raises SubmitRefused."""
    script = script_path(directory)
    directory.jobs.mkdir(exist_ok=True)
    directory.logs.mkdir(exist_ok=True)
    replace_files([(script, driver_script(config, directory, system).encode())])
    return _append(directory, Chain(system))


def script_path(directory: StudyDirectory) -> Path:
    """The script, which the successors use as it is then: who edits it edits them all."""
    return directory.jobs / "driver.sh"


class HandOver:
    """Sees to the successor of this process's job; `Study.run` calls it when the walltime nears its end.

    at: when it should (Unix seconds); successor: the job that follows, '' before there is one.
    Raises StudyError outside a batch job.
    """

    def __init__(
        self,
        config: StudyConfig,
        directory: StudyDirectory,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._driver = config.cluster.driver
        self._directory = directory
        self._clock = clock
        self._sleep = sleep
        allocation = find(environ, clock())
        self._job = allocation.job
        if not self._job:
            raise StudyError(
                "--hand-over is for a driver in a batch job, and this is none;"
                f" `asktell submit {shlex.quote(str(directory.root))}` makes one"
            )
        chain = read_chain(directory) or Chain(batch_system(config))
        if self._job not in [link.job for link in chain.links]:  # a person submitted the script
            chain = Chain(chain.system, (Link(self._job, clock()),))
            _write(directory, chain)
        self._chain = chain
        self._ends_at = allocation.ends_at or clock() + self._driver.walltime_s
        self.at = self._ends_at - self._driver.warn_before_s
        self.successor = ""

    @property
    def is_called_off(self) -> bool:
        """A person has asked for a stop while no driver was there to hear it."""
        if self._job == self._chain.links[0].job:
            return False
        last = openings(self._directory.journal)[-1]
        requests = Inbox(self._directory.journal).requests(())
        return any(isinstance(request, StopRequested) and request.at >= last.at for _, request in requests)

    def __call__(self) -> str:
        """Submit the successor, again and again while time is left; returns what is to be said of it."""
        begin_anew = f"`asktell submit {shlex.quote(str(self._directory.root))}` goes on"
        if len(self._chain.links) >= self._driver.max_links:
            reason = f"the chain ends after {self._driver.max_links} driver jobs (cluster.driver.max_links)"
            logger.error("%s; %s", reason, begin_anew)
            return f"{reason}; {begin_anew}"
        until = min(self._clock() + self._driver.warn_before_s, self._ends_at) - _CLOSING_S
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                self.successor = _append(self._directory, self._chain, after=self._job).job
            except SubmitRefused as error:
                if self._clock() + pause_s > until:
                    reason = f"no successor could be submitted: {error}"
                    logger.error("%s; %s", reason, begin_anew)
                    return f"{reason}; {begin_anew}"
                logger.warning("the successor was refused; next try in %g s: %s", pause_s, error)
                self._sleep(pause_s)
                pause_s = min(2 * pause_s, _MOST_PAUSE_S)
            else:
                return f"handed over to job {self.successor}"


def await_predecessor(
    directory: StudyDirectory,
    *,
    patience_s: float = PREDECESSOR_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when no driver holds the study; raises StudyLocked when one still does after `patience_s`."""
    until = clock() + patience_s
    while (driver := holder(directory.journal)) is not None:
        if clock() > until:
            raise StudyLocked(
                f"{directory.root}: process {driver.pid} on {driver.host} drives this study, so this job ends"
            )
        sleep(1.0)


def cancel_drivers(directory: StudyDirectory, *, running: bool) -> list[str]:
    """Cancel the driver jobs that wait, and with `running` those that run; returns their ids."""
    chain = read_chain(directory)
    if chain is None:
        return []
    states = chain.states()
    jobs = [state.id for state in states if running or state.phase in (Phase.QUEUED, Phase.UNKNOWN)]
    if jobs:
        batch_queue(chain.system).cancel(jobs)
    return jobs


def _append(directory: StudyDirectory, chain: Chain, *, after: str = "") -> Link:
    job = batch_queue(chain.system).submit(script_path(directory), after=after)
    link = Link(job, time.time(), after)
    _write(directory, replace(chain, links=(*chain.links, link)))
    return link


def _write(directory: StudyDirectory, chain: Chain) -> None:
    directory.jobs.mkdir(exist_ok=True)
    write_json(directory.driver_jobs, asdict(chain))

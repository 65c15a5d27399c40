"""Opens a study directory for one driver: lease, replay, optimizer, store, all in agreement."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from asktell.config import StudyConfig, check_resume, from_resolved
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError, StudyError
from asktell.evaluate import cleanup
from asktell.foster import Foster
from asktell.heart import Heart
from asktell.inbox import Inbox
from asktell.journal import open_driver, openings, replay_driver
from asktell.loop import JournaledLedger, Parts, take
from asktell.optimize.optimizer import Optimizer
from asktell.publisher import Publisher
from asktell.records import Closed, Opened
from asktell.runtime import RuntimeModel
from asktell.store import Layout, RowBuilder, Store
from asktell.study import Budget, Policy, Rules, Schedule, ScheduleKind, StudyMachine
from asktell.trial import Cause
from asktell.versions import installed


def width_of(config: StudyConfig) -> int:
    """W: slots as configured; by default what the jobs hold, or this machine's cores allow."""
    if config.cluster.width is not None:
        return config.cluster.width
    return max(1, cores() // config.cluster.cpus_per_trial)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rules_of(config: StudyConfig) -> Rules:
    """What the state machine needs of a configuration."""
    return Rules(
        signs={name: 1 if item.direction == "minimize" else -1 for name, item in config.objectives.items()},
        bounds=config.outcome_bounds(),
        schedule=Schedule(
            kind=ScheduleKind(config.schedule.kind),
            width=width_of(config),
            k=config.schedule.k or 1,
            ahead=config.schedule.ahead,
        ),
        budget=Budget(
            trials=config.budget.trials,
            wall_time_s=config.budget.wall_time_s,
            core_hours=config.budget.core_hours,
            target=config.budget.target,
            patience=config.budget.patience,
        ),
        retries=config.evaluate.retries,
        max_lost=config.cluster.max_lost,
        cpus_per_trial=config.cluster.cpus_per_trial,
        policies={Cause(name): Policy(policy) for name, policy in config.failures.model_dump().items()},
        walltime_s=config.cluster.walltime_s,
        is_walltime_aware=config.cluster.walltime_aware,
        timeout_s=config.evaluate.timeout_s,
        has_checkpoints=config.evaluate.checkpoint_signal is not None,
    )


def runtime_of(config: StudyConfig) -> RuntimeModel | None:
    """What learns how long trials take, where slots end."""
    return RuntimeModel(config.build_space()) if config.cluster.is_batch else None


def optimizer_of(config: StudyConfig) -> Optimizer:
    """An optimizer with nothing told yet."""
    seed = config.optimizer.seed
    assert seed is not None, "a resolved configuration has a seed"
    return Optimizer(
        config.build_space(),
        {name: item.direction for name, item in config.objectives.items()},
        engine=config.optimizer.engine,
        seed=seed,
        initial=config.optimizer.initial,
        options=config.optimizer.options,
        outcome_bounds=config.outcome_bounds(),
    )


def code_hash(config: StudyConfig) -> str:
    """sha256 of the objective's own file, '' where a package or a program is called."""
    call = config.evaluate.call
    path = config.evaluate.folder / call.rpartition(":")[0] if call is not None else None
    if path is None or path.suffix != ".py" or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Session:
    """A study held by this process, from the lease to its end.

    directory: of an existing study; config: as it shall be from now on (cluster, budget, schedule
    and store may differ from what was); accept_code: go on although the objective's file changed.
    Raises StudyLocked if another driver holds the study, StudyError or ConfigError if it may not go
    on like this.
    """

    def __init__(
        self,
        directory: StudyDirectory,
        config: StudyConfig,
        *,
        accept_code: bool = False,
    ) -> None:
        self.directory = directory
        self.config = config
        code = code_hash(config)
        check_code(directory, config, code, accept=accept_code)
        journal = open_driver(
            directory.journal,
            Opened(0, time.time(), config=config.dump(), versions=installed(), code=code),
        )
        heart = Heart(journal)
        try:
            heart.start()
            study = StudyMachine(rules_of(config), runtime_of(config))
            self.publisher = Publisher(
                Store(directory.root, Layout.from_openings(openings(directory.journal))),
                every_s=config.store.publish_every_s,
                is_current=journal.is_current,
                after_publish=self._clean,
            )
            self.parts = Parts(
                study=study,
                optimizer=optimizer_of(config),
                journal=journal,
                heart=heart,
                inbox=Inbox(directory.journal),
                foster=Foster(directory.alive),
                rows=RowBuilder(),
                publisher=self.publisher,
            )
            for record in replay_driver(directory.journal):
                take(record, self.parts)
            self.ledger = JournaledLedger(self.parts)
            self.publisher.start()
        except BaseException:
            heart.close()
            journal.close()
            raise

    @property
    def study(self) -> StudyMachine:
        return self.parts.study

    @property
    def token(self) -> int:
        return self.parts.journal.token

    def close(self) -> None:
        """Publish what is left and give the lease back."""
        self.publisher.close()
        self.parts.heart.close()
        self.parts.journal.close()

    def finish(self, reason: str, *, done: bool) -> None:
        """Journal an orderly end."""
        self.ledger.commit([Closed(time.time(), reason, done)])

    def _clean(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            outcome = self.study.trials[number].outcome
            if outcome is not None:
                cleanup(self.directory.trial(number), outcome, self.config.evaluate.keep)


def check_code(directory: StudyDirectory, config: StudyConfig, code: str, *, accept: bool) -> None:
    """Refuse to go on with another objective, space or engine than the study was begun with."""
    previous = openings(directory.journal)
    if not previous:
        return
    last = previous[-1]
    problems = check_resume(from_resolved(dict(last.config)), config)
    if problems:
        raise ConfigError(problems)
    if last.code != code and not accept:
        raise StudyError(
            f"{config.evaluate.folder / str(config.evaluate.call).rpartition(':')[0]} has changed since the "
            "study last ran, so new results may not compare with the old ones; "
            "resume with --accept-changes if they do"
        )


def study_directory(path: Path) -> StudyDirectory:
    """The study in this folder; raises StudyError if there is none."""
    directory = StudyDirectory(path.resolve())
    if not directory.config.is_file():
        what = "there is no such folder" if not path.exists() else "it has no study.yaml"
        raise StudyError(f"{path} is no study: {what}; start one with `asktell run STUDY.yaml --dir {path}`")
    return directory

"""Where everything concrete is put together: a study from a file or from Python, run to its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from asktell.config import StudyConfig, check_resume, from_resolved, load, parse
from asktell.creation import create
from asktell.directory import write_json
from asktell.durable import replace_files
from asktell.errors import ConfigError, Problem, StudyError, TrialError
from asktell.execute.protocol import Executor, MetricsLogged
from asktell.executors import make_executor
from asktell.loop import Loop
from asktell.notebook import default_display, study_card
from asktell.overview import read_study
from asktell.progress import Incumbent, Progress, Snapshot, incumbent
from asktell.records import Closed, Ended, Enqueued, Record
from asktell.session import Session, study_directory
from asktell.stopping import Stopping, listening
from asktell.trial import Cause, Outcome, Status, Trial, Value
from asktell.warm_start import warm_starts

Display = Callable[[Snapshot, Record | MetricsLogged | None], None]


class Study:
    """One optimisation and its directory.

    Either `run` it, or drive it by hand with `ask` and `tell`; both journal everything, and the
    results open with `asktell.open(study.path)` at any time.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open an existing study. Raises StudyError if there is none."""
        self._directory = study_directory(Path(path))
        self.config = from_resolved(self._directory.config)
        self._session: Session | None = None

    @classmethod
    def create(
        cls,
        config: StudyConfig | Mapping[str, Any] | str | os.PathLike[str],
        path: str | os.PathLike[str] | None = None,
        *,
        overrides: Sequence[str] = (),
    ) -> Self:
        """A new study in a new directory.

        config: a study file, or what would stand in one; path: default `<name>.study` in the current
        folder; overrides: as for `--set`, 'key.path=value'.
        Raises ConfigError with every problem of the file, StudyError if the directory exists.
        """
        if isinstance(config, Mapping):
            config = parse(config)
        elif not isinstance(config, StudyConfig):
            config = load(Path(config), overrides)
        path = Path(path) if path is not None else Path(f"{config.name}.study")
        return cls(create(config, path, warm_starts(config)).root)

    @property
    def path(self) -> Path:
        return self._directory.root

    def run(
        self,
        *,
        trials: int | None = None,
        display: Display | None = None,
        executor: Callable[[Session], Executor] = make_executor,
        accept_code: bool = False,
        hand_over_at: float | None = None,
        on_hand_over: Callable[[], str] | None = None,
    ) -> Closed:
        """Run, or resume, until the budget is used or the study is stopped.

        trials: a new total for the budget; display: called with the state of things and the news; by
        default a notebook shows them, and an interrupt of its kernel stops the study as Ctrl-C does.
        on_hand_over: called when this driver shall leave the study to its successor, at SIGUSR1 or at
        `hand_over_at` (Unix seconds); returns what came of it. Workers in batch jobs finish what they run.
        """
        self._release()
        if trials is not None:
            budget = self.config.budget.model_copy(update={"trials": trials})
            self.configure(self.config.model_copy(update={"budget": budget}))
        display = display or default_display(tuple(self.config.objectives))
        can_hand_over = on_hand_over is not None
        with listening(hand_over_at=hand_over_at, hand_over_on_signal=can_hand_over) as stopping:
            closed = self._run(stopping, display, executor, on_hand_over, accept_code=accept_code)
        self._write_best()
        return closed

    def _run(
        self,
        stopping: Stopping,
        display: Display,
        executor: Callable[[Session], Executor],
        on_hand_over: Callable[[], str] | None,
        *,
        accept_code: bool,
    ) -> Closed:
        session = self._open(accept_code=accept_code)
        try:
            runner = executor(session)
            stopping.attach(runner)
            progress = Progress(
                self.config.name,
                session.study,
                path=self._directory.progress,
                dashboard=lambda: runner.dashboard,
                note=lambda: runner.note,
                display=display,
            )
            session.ledger.observers.append(progress)
            progress.on_tick(runner.now())  # before the workers start, which may take a while
            return Loop(session.ledger, runner, on_hand_over).run()
        finally:
            session.close()

    def configure(self, config: StudyConfig) -> None:
        """Change cluster, budget, schedule or store from the next session on.

        Written to study.yaml when that session holds the study. Raises ConfigError if anything else
        differs.
        """
        if problems := check_resume(self.config, config):
            raise ConfigError(problems)
        self.config = config

    def settle(self, reason: str, *, accept_code: bool = False) -> None:
        """Hold the study for a moment, on behalf of a driver that comes later.

        What would keep that one from it is raised here; `configure`d changes are written, and a changed
        objective is accepted. reason: what the journal says of it.
        """
        session = self._open(accept_code=accept_code)
        try:
            session.finish(reason, done=False)
        finally:
            session.close()

    def _open(self, *, accept_code: bool = False) -> Session:
        before = from_resolved(self._directory.config).budget.trials
        session = Session(self._directory, self.config, accept_code=accept_code)
        try:
            trials, asked = self.config.budget.trials, session.study.n_counted
            if trials is not None and trials != before and trials < asked:
                problem = f"{asked} trials were asked already, {trials} is a total over all sessions"
                raise ConfigError([Problem("budget.trials", problem, f"give {asked} or more")])
            replace_files([(self._directory.config, self.config.to_yaml(self.path).encode())])
        except BaseException:
            session.close()
            raise
        return session

    # ---- by hand -------------------------------------------------------------------------------

    def ask(self, n: int | None = None) -> Trial | Sequence[Trial]:
        """The next trial to evaluate, or `n` that are proposed together; journaled before it returns.

        Points and results that others have enqueued or added meanwhile are taken in first. The budget
        is for `run`; who asks by hand stops by hand. Raises StudyError when somebody has asked the
        study to stop, and when every point of the space was proposed.
        """
        session = self._hold()
        session.ledger.adopt(time.time())
        if session.study.stop_reason:
            self._release()
            raise StudyError(f"{self.path}: {session.study.stop_reason}; ask again to go on all the same")
        trials = session.ledger.ask(1 if n is None else n, time.time)
        if n is None:
            if not trials:
                raise StudyError("every point of the space was proposed")
            return trials[0]
        return trials

    def tell(self, number: int, values: float | Mapping[str, float]) -> None:
        """The result of a trial that `ask` gave; a number is the value of the single objective."""
        session = self._hold()
        if not isinstance(values, Mapping):
            if len(self.config.objectives) != 1:
                raise TrialError(f"trial {number}: tell a value for each of {list(self.config.objectives)}")
            values = {next(iter(self.config.objectives)): float(values)}
        session.parts.optimizer.check(number, values)
        self._end(number, Outcome(Status.COMPLETED, values=dict(values), ended_at=time.time()))

    def fail(self, number: int, error: str = "") -> None:
        """A trial that `ask` gave has no result."""
        self._hold().parts.optimizer.check(number)
        self._end(number, Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error=error, ended_at=time.time()))

    def enqueue(self, params: Mapping[str, Value]) -> None:
        """Let the next `ask` return this point. Raises SpaceError if it is not in the space."""
        session = self._hold()
        point = session.parts.optimizer.checked_point(params)
        session.ledger.commit([Enqueued(point, time.time())])

    @property
    def best(self) -> Incumbent | None:
        """The best feasible trial; None before there is one, and with several objectives."""
        study = self._session.study if self._session is not None else read_study(self.path).study
        return incumbent(study)

    def close(self) -> None:
        """Give the study back (only after `ask` and `tell`; `run` does it by itself)."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return study_card(read_study(self.path).snapshot(time.time()), [("directory", str(self.path))])

    def _end(self, number: int, outcome: Outcome) -> None:
        self._hold().ledger.commit([Ended(number, 0, outcome, time.time())])

    def _hold(self) -> Session:
        if self._session is None:
            self._session = self._open()
        self._session.parts.heart.look()
        return self._session

    def _release(self) -> None:
        if self._session is not None:
            self._session.finish("closed by its owner", done=False)
            self._session.close()
            self._session = None

    def _write_best(self) -> None:
        """best.json: the best trial, or with several objectives the front."""
        found = [
            {"number": item.number, "params": dict(item.params), "values": dict(item.values)}
            for item in read_study(self.path).best()
        ]
        if found:
            write_json(
                self._directory.best, found[0] if len(self.config.objectives) == 1 else {"front": found}
            )

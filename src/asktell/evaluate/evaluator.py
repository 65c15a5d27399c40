"""One attempt, from its task to its evaluation."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import partial
from pathlib import Path

from asktell.config import EvaluateConfig, OutputConfig
from asktell.errors import ConfigError, TrialError
from asktell.evaluate import child, inputs, presence, results
from asktell.evaluate.checks import check
from asktell.evaluate.presence import Presence
from asktell.evaluate.processes import Processes, fresh_interpreter
from asktell.evaluate.results import Array, Raised, Result
from asktell.evaluate.supervisor import Ending, Report, Request
from asktell.evaluate.tails import Metrics, MetricsTail, log_tail, stderr_tail
from asktell.execute.protocol import Task
from asktell.expression import Expression
from asktell.job_id import job_id
from asktell.trial import Cause, Outcome, Params, Status

_log = logging.getLogger(__name__)

_JOB_END_S = 30.0  # a signal so close to the end of a job, or later, means that end
_STALE = (child.RETURNED_JSON, child.RETURNED_ARRAYS, inputs.METRICS_FILE)

OnMetrics = Callable[[Metrics], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of an attempt. arrays: the outputs, checked; `outcome.arrays` is left to the caller.

    peak_bytes: the largest resident size that was seen, 0 where unknown.
    """

    outcome: Outcome
    arrays: Mapping[str, Array] = field(default_factory=dict)
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an attempt ended, and its result if there is one to be checked."""

    cause: Cause = Cause.NONE
    error: str = ""
    result: Result | None = None
    exit_code: int | None = None
    peak_bytes: int = 0
    is_warned: bool = False


@dataclass(eq=False)
class Evaluator:
    """Runs attempts of one study, each in a process tree of its own; picklable.

    objectives: the first is what a function's single number stands for. constraints: further results
    that must be finite numbers. parameters: every name of the space, so that `valid` can tell an
    inactive parameter from a missing result. cpus, gpus: what one trial may use. launcher: what MPI
    programs are started with, a template with {cpus} and {gpus}.

    ends_at: when the batch job ends in which this process runs, Unix seconds; None where it does not end,
    or nobody knows. Found in ASKTELL_ENDS_AT, and may be set at any time.

    `isolation: none` calls the function in the calling thread: its working directory is the worker's,
    nothing is captured, neither time nor memory is limited, it is not warned, and os.environ is changed
    for the time.
    """

    config: EvaluateConfig
    objectives: Sequence[str]
    outputs: Mapping[str, OutputConfig]
    cpus: int
    study_dir: Path
    name: str
    _: KW_ONLY
    constraints: Sequence[str] = ()
    parameters: Collection[str] = ()
    gpus: int = 0
    launcher: str | None = None

    def __post_init__(self) -> None:
        self.ends_at = inputs.job_end(os.environ)
        self._warned_of = Cause.WALLTIME
        self._valid = tuple(map(Expression, self.config.valid))
        self._resources = inputs.Resources(self.cpus, self.gpus, self.launcher)
        study_dir = Path(self.study_dir).absolute()
        self._environment = inputs.study_environment(self.config, self._resources, study_dir, self.name)
        self._processes = Processes(self._environment, self.config.grace_s)
        self._here = threading.Lock()  # os.environ is one for all threads
        self._function: child.Function | None = None

    def __reduce__(self) -> tuple[Callable[[], Evaluator], tuple[()]]:
        """Pickled as its arguments: processes and this machine's environment are found anew elsewhere."""
        arguments = {item.name: getattr(self, item.name) for item in fields(self)}
        return partial(Evaluator, **arguments), ()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper processes and whatever they run. They end by themselves when this process does."""
        self._processes.close()

    def look(self, params: Params, within_s: float) -> Presence:
        """Whether what this point would run is to be had on this machine; nothing is evaluated."""
        return presence.look(self.config, self._resources, params, self._environment, within_s)

    def warn(self, of: Cause = Cause.WALLTIME) -> None:
        """Send `evaluate.checkpoint_signal` to what runs: its job is about to end.

        An attempt that ends without a valid result after that has `of` as its cause: WORKER_LOST
        where the reason is not known yet. Callable from signal handlers and other threads; without
        a `checkpoint_signal` nothing is sent.
        """
        self._warned_of = of
        self._processes.warn()

    def run(self, task: Task, directory: Path, on_metrics: OnMetrics | None = None) -> Evaluation:
        """Evaluate one point in `directory`, which exists; blocks until all of it has ended.

        Whatever goes wrong is in the outcome. Metrics are handed on about once a second.
        """
        directory = Path(directory).absolute()
        started_at, began = time.time(), time.monotonic()
        tail = MetricsTail(directory / inputs.METRICS_FILE)

        def poll() -> None:
            nonlocal on_metrics
            metrics = tail.read()
            if metrics and on_metrics is not None:
                try:
                    on_metrics(metrics)
                except Exception:  # noqa: BLE001 - whoever watches must not cost a result
                    _log.warning("trial %d: its metrics cannot be sent", task.number, exc_info=True)
                    on_metrics = None

        ended = self._attempt(task, directory, poll)
        if ended.is_warned and ended.cause in (Cause.OBJECTIVE_ERROR, Cause.INVALID_RESULT):
            error = f"ended after it was warned that its job ends\n{ended.error}".strip()
            ended = replace(ended, cause=self._cause_of_loss(self._warned_of), error=error)
        poll()
        result = Result() if ended.result is None else ended.result
        outcome = Outcome(
            status=Status.FAILED if ended.cause else Status.COMPLETED,
            cause=ended.cause,
            error=ended.error.encode()[: child.ERROR_BYTES].decode(errors="ignore"),
            values=result.values,
            coords=result.coords,
            metrics=tail.kept,
            started_at=started_at,
            ended_at=time.time(),
            duration_s=time.monotonic() - began,
            host=socket.gethostname(),
            job=job_id(os.environ),
            exit_code=ended.exit_code,
            log_tail=tail.note + log_tail(directory),
        )
        return Evaluation(outcome, result.arrays, ended.peak_bytes)

    def _attempt(self, task: Task, directory: Path, poll: Callable[[], None]) -> _Ended:
        """Prepare, execute, read and check."""
        try:
            for name in _STALE:
                (directory / name).unlink(missing_ok=True)
            inputs.write_inputs(task, directory, self.config)
            inputs.checkpoint_of(directory).mkdir(exist_ok=True)
            if self.config.call is not None and self.config.isolation == "none":
                ended = self._call_here(task, directory)
            else:
                ended = self._execute(task, directory, poll)
            if ended.result is None:
                return ended
            try:
                return replace(ended, result=self._check(ended.result, task))
            except TrialError as error:
                return replace(ended, cause=Cause.INVALID_RESULT, error=str(error), result=None)
        except ConfigError as error:
            return _Ended(Cause.OBJECTIVE_ERROR, str(error))
        except OSError as error:
            return _Ended(Cause.WORKER_LOST, f"the attempt could not be run in {directory}: {error}")

    def _check(self, result: Result, task: Task) -> Result:
        return check(
            result,
            task.params,
            objectives=self.objectives,
            constraints=self.constraints,
            outputs=self.outputs,
            valid=self._valid,
            parameters=self.parameters,
        )

    def _execute(self, task: Task, directory: Path, poll: Callable[[], None]) -> _Ended:
        """Run the attempt in a process tree and read what it left."""
        config, folder = self.config, str(self.config.folder.absolute())
        if config.call is not None:
            argv = fresh_interpreter(config.call, folder)
        else:
            argv = inputs.arguments(task, directory, config, self._resources.launch())
        request = Request(
            argv=argv,
            directory=str(directory),
            environment={**self._environment, **self._attempt_environment(task, directory)},
            timeout_s=config.timeout_s,
            grace_s=config.grace_s,
            memory_bytes=config.memory_bytes,
            max_log_bytes=config.max_log_bytes,
            warning_signal=config.checkpoint_signal and signal.Signals[config.checkpoint_signal],
        )
        forked = (config.call, folder) if config.call is not None and config.isolation == "fork" else None
        report = self._processes.run(request, forked, poll)
        ended = self._blame(report, request)
        if ended.cause:
            return ended
        if config.call is None and report.exit_code != 0:
            hint = inputs.hint(argv, directory, config)
            error = "\n".join(filter(None, (_exit_text(report.exit_code), hint, stderr_tail(directory))))
            return replace(ended, cause=Cause.OBJECTIVE_ERROR, error=error)
        try:
            returned = (
                results.read_command(directory, config.result)
                if config.call is None
                else results.read_returned(directory)
            )
        except TrialError as error:
            return replace(ended, cause=Cause.INVALID_RESULT, error=str(error))
        match returned:
            case Result():
                return replace(ended, result=returned)
            case Raised():
                cause = Cause.OUT_OF_MEMORY if returned.is_memory else Cause.OBJECTIVE_ERROR
                return replace(ended, cause=cause, error=returned.error)
        text = f"{_exit_text(report.exit_code)} before the function returned\n{stderr_tail(directory)}"
        return replace(ended, cause=Cause.OBJECTIVE_ERROR, error=text.strip())

    def _blame(self, report: Report, request: Request) -> _Ended:
        """What ended the process tree, in a study's terms; no cause where it ended by itself."""
        detail = f": {report.detail}" if report.detail else ""
        cause, error = Cause.NONE, ""
        match report.ending:
            case Ending.TIMEOUT:
                cause, error = (
                    Cause.TIMEOUT,
                    f"took longer than its timeout of {request.timeout_s:g} s{detail}",
                )
            case Ending.MEMORY_LIMIT:
                cause = Cause.OUT_OF_MEMORY
                error = (
                    f"held {report.peak_bytes / 1e6:.0f} MB, more than its limit of"
                    f" {(request.memory_bytes or 0) / 1e6:.0f} MB{detail}"
                )
            case Ending.OOM_KILLED:
                cause = Cause.OUT_OF_MEMORY
                error = (
                    f"killed by the system for lack of memory, at {report.peak_bytes / 1e6:.0f} MB{detail}"
                )
            case Ending.TOLD:
                cause, error = self._cause_of_loss(), f"ended by a signal to its job{detail}"
            case Ending.ORPHANED | Ending.BROKEN:
                cause, error = self._cause_of_loss(), f"the worker's processes were ended{detail}"
            case Ending.NO_PROGRAM:
                cause, error = Cause.OBJECTIVE_ERROR, f"{request.argv[0]} cannot be executed{detail}"
        return _Ended(cause, error, None, report.exit_code, report.peak_bytes, report.is_warned)

    def _cause_of_loss(self, otherwise: Cause = Cause.WORKER_LOST) -> Cause:
        """What the end of a job is put down to: its walltime, if that is over."""
        is_over = self.ends_at is not None and time.time() >= self.ends_at - _JOB_END_S
        return Cause.WALLTIME if is_over else otherwise

    def _call_here(self, task: Task, directory: Path) -> _Ended:
        """Call the function in this thread."""
        environment = self._attempt_environment(task, directory)
        with self._here:
            previous = {name: os.environ.get(name) for name in environment}
            os.environ.update(environment)
            try:
                if self._function is None:
                    self._function = child.load(str(self.config.call), self.config.folder.absolute())
                child.seed_generators(int(environment["ASKTELL_SEED"]))
                returned = self._function(**task.params)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a person's code raises
                cause = Cause.OUT_OF_MEMORY if isinstance(error, MemoryError) else Cause.OBJECTIVE_ERROR
                return _Ended(cause, child.explain(error))
            finally:
                for name, value in previous.items():
                    if value is None:
                        os.environ.pop(name, None)
                    else:
                        os.environ[name] = value
        try:
            return _Ended(result=results.from_object(returned))
        except TrialError as error:
            return _Ended(Cause.INVALID_RESULT, str(error))

    def _attempt_environment(self, task: Task, directory: Path) -> dict[str, str]:
        own = inputs.attempt_environment(
            task, directory, self.name, launcher=self._resources.launch(), ends_at=self.ends_at
        )
        return {**own, **self.config.env}


def cleanup(directory: Path, outcome: Outcome, keep: str) -> None:
    """Remove an attempt's directory, or a trial's with all its attempts, unless `keep` wants it.

    keep: 'all', 'failed' (what is not completed stays) or 'none', as in `evaluate.keep`. A trial's
    folder for checkpoints goes in any case if nothing is in it.
    """
    if keep == "all" or (keep == "failed" and outcome.status is not Status.COMPLETED):
        with contextlib.suppress(OSError):  # it is not empty, or not there
            (directory / inputs.CHECKPOINT).rmdir()
        return
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning("%s could not be removed: %s", directory, error)


def _exit_text(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended in an unknown way"
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:  # a real-time signal
        name = f"signal {-exit_code}"
    return f"was killed by {name}"

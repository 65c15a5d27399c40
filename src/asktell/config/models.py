"""What a study file may say: every section, key, default and description. The only place with defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from asktell.config.cluster import ClusterConfig
from asktell.config.constraints import Bounds, outcome_bounds, split
from asktell.config.dialect import write
from asktell.config.parameters import ParameterConfig
from asktell.config.types import Bytes, Count, Scalar, Seconds, Section, Texts, describe, wrong
from asktell.space import Space

Direction = Literal["minimize", "maximize"]
EngineName = Literal["skopt", "gp", "random", "sobol", "grid", "botorch", "optuna"]
Keep = Literal["all", "failed", "none"]
Isolation = Literal["fork", "fresh", "none"]
ScheduleKind = Literal["sequential", "batch", "async", "hybrid"]
Policy = Literal["fail", "retry", "requeue"]


class ResultConfig(Section):
    """Where a command leaves its results."""

    json_file: str | None = Field(
        "result.json", alias="json", description="JSON file with the results by name; null for none."
    )
    arrays: dict[str, str] = Field(
        default_factory=dict,
        description="Output -> file that holds it: matrix.npy, all.npz[matrix], all.nc[matrix].",
    )
    stdout: dict[str, str] = Field(
        default_factory=dict,
        description="Result -> regular expression with one group; its last match on stdout counts.",
    )


class EvaluateConfig(Section):
    """What a trial runs: a Python function (`call`) or a program (`command`)."""

    call: str | None = Field(
        None,
        description="A Python function: objective.py:evaluate beside this file, or package.module:function."
        " It gets the parameters as keywords and returns a number, a dict or an xarray Dataset.",
        examples=["objective.py:evaluate"],
    )
    command: list[str] | str | None = Field(
        None,
        description="A program and its arguments, with {parameter} placeholders:"
        ' [./simulate, --width, "{width}"]. Also {trial}, {attempt}, {directory},'
        " {checkpoint}, {folder}, {python}.",
    )
    shell: bool = Field(
        False,
        description="Run the command, then one text, through the shell. Placeholders are quoted for it:"
        " put no quotes around them.",
    )
    templates: Texts = Field(
        default_factory=list,
        description="Input files rendered by Jinja2 for each trial: model.in.j2 -> model.in.",
    )
    result: ResultConfig = Field(
        default_factory=ResultConfig, description="Where the command leaves its results."
    )
    timeout_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        None, alias="timeout", description="An attempt that takes longer is ended and fails: 90s, 30min, 2h."
    )
    memory_bytes: Annotated[Bytes, Field(gt=0)] | None = Field(
        None, alias="memory", description="An attempt that uses more is ended and fails: 512MiB, 8GB."
    )
    retries: int = Field(0, ge=0, description="Further attempts when the objective itself fails.")
    valid: Texts = Field(
        default_factory=list,
        description="Conditions without which a result is no result, over results and parameters:"
        " 0 < density < 0.9.",
    )
    keep: Keep = Field("failed", description="Which attempts' directories stay.")
    isolation: Isolation = Field(
        "fork",
        description="A Python function runs in a fork of a process that has it imported (fork), in a new"
        " interpreter (fresh), or inside the worker without timeout or memory limit (none).",
    )
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables for the evaluation.")
    max_log_bytes: Annotated[Bytes, Field(gt=0)] = Field(
        10_000_000, alias="max_log", description="How much is kept of stdout, and of stderr."
    )
    checkpoint_signal: Literal["SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT", "SIGHUP", "SIGCONT"] | None = Field(
        None,
        description="Sent to an evaluation before its job ends, so that it saves what it has in the folder"
        " that ASKTELL_CHECKPOINT names; the next attempt finds it there.",
    )
    grace_s: Annotated[Seconds, Field(ge=0)] = Field(
        5.0, alias="grace", description="Time between SIGTERM and SIGKILL when an attempt is ended."
    )
    folder: Annotated[Path, Field(strict=False)] = Field(
        Path(), description="Where the function, templates and programs are; default: this file's folder."
    )

    @field_validator("command", mode="before")
    @classmethod
    def _check_command(cls, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise wrong(f"must be a list of texts, not {describe(value)}", "write [program, argument, ...]")
        for index, item in enumerate(value, start=1):
            if isinstance(item, dict) and len(item) == 1:
                placeholder = f'"{{{next(iter(item))}}}"'
                raise wrong(
                    f"item {index} is a section, not text", f"put a placeholder in quotes: {placeholder}"
                )
            if isinstance(item, (bool, dict, list)) or item is None:
                raise wrong(f"item {index} must be text, not {describe(item)}", "put it in quotes")
        return [str(item) for item in value]

    @field_validator("env", mode="before")
    @classmethod
    def _write_env(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: str(item) if isinstance(item, (int, float)) else item for key, item in value.items()}


class ObjectiveConfig(Section):
    """A result to optimise."""

    direction: Direction = Field("minimize", description="Which way is better.")
    units: str = Field("", description="Unit, for plots and the store.")
    description: str = Field("", description="What it is, for the store.")


class OutputConfig(Section):
    """An array that each trial returns, stored along its own named dimensions."""

    dims: list[str] | None = Field(None, description="Names of its dimensions: [roi, roi_2].")
    shape: list[Count] | None = Field(None, description="Its shape; default: that of the first trial's.")
    dtype: str | None = Field(
        None, description="Its numpy type: float32; default: that of the first trial's."
    )
    units: str = Field("", description="Unit, for plots and the store.")
    description: str = Field("", description="What it is, for the store.")
    coords: dict[str, list[Scalar]] = Field(
        default_factory=dict, description="Coordinate values along its dimensions: {roi: [V1, V2, MT]}."
    )

    @field_validator("dtype")
    @classmethod
    def _check_dtype(cls, value: str | None) -> str | None:
        try:
            is_numeric = value is None or np.dtype(value).kind in "biufc"
        except TypeError:
            is_numeric = False
        if not is_numeric:
            raise wrong(
                f"{value!r} is not a numeric type", "write float64, float32, int64, complex128, bool, ..."
            )
        return value

    @model_validator(mode="after")
    def _check(self) -> OutputConfig:
        if self.dims is None:
            if self.coords:
                raise wrong("has coords but no dims", "name its dimensions: dims: [...]")
            return self
        if len(set(self.dims)) < len(self.dims):
            raise wrong(f"dims {self.dims} repeat a name", "give each its own, as in [roi, roi_2]")
        if self.shape is not None and len(self.shape) != len(self.dims):
            raise wrong(
                f"has {len(self.dims)} dims but {len(self.shape)} sizes in shape", "give one size per dim"
            )
        for dim, values in self.coords.items():
            if dim not in self.dims:
                raise wrong(
                    f"coords name {dim!r}, which is not among dims {self.dims}", "add it or rename it"
                )
            size = self.shape[self.dims.index(dim)] if self.shape is not None else len(values)
            if len(values) != size:
                raise wrong(
                    f"{len(values)} coords for {dim!r}, whose size is {size}", "list one per position"
                )
        return self


class OptimizerConfig(Section):
    """Which engine proposes points, and how."""

    engine: EngineName = Field("gp", description="What proposes points.")
    seed: int | None = Field(
        None, ge=0, lt=2**32, description="Same seed, same proposals; drawn and recorded when left out."
    )
    initial: Count = Field(10, description="Space-filling points before the model takes over.")
    warm_start: Texts = Field(
        default_factory=list,
        description="Directories of earlier studies of the same or a similar problem: the initial points"
        " begin with the best of theirs.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="The engine's own settings, such as acquisition, pending and noise of gp;"
        " `asktell check` lists all of them when it meets one that the engine does not know.",
    )


class ScheduleConfig(Section):
    """When new points are asked for. `schedule: async` and `schedule: {hybrid: 4}` are short forms."""

    kind: ScheduleKind = Field(
        "async",
        description="sequential: one at a time; batch: one per slot, wait for all; async: refill a slot as"
        " soon as it is free; hybrid: when k have finished, ask for k more together.",
    )
    k: int | None = Field(None, ge=2, description="Group size of hybrid, 1 < k < workers.")
    ahead: int = Field(
        0, ge=0, description="async: trials queued behind each running one; pays below a few seconds a trial."
    )

    @model_validator(mode="after")
    def _check(self) -> ScheduleConfig:
        if self.kind == "hybrid" and self.k is None:
            raise wrong("hybrid needs the size of its groups", "write schedule: {hybrid: 4}")
        if self.kind != "hybrid" and self.k is not None:
            raise wrong(f"k belongs to hybrid, not to {self.kind}", "drop k or write schedule: {hybrid: 4}")
        if self.kind != "async" and self.ahead:
            raise wrong(f"ahead belongs to async, not to {self.kind}", "drop ahead or write kind: async")
        return self


class BudgetConfig(Section):
    """When to stop asking: whichever comes first. Trials that run then are finished and told."""

    trials: Count | None = Field(100, description="Trials in all, over every session; null for no limit.")
    wall_time_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        None, alias="wall_time", description="Time over all sessions: 12h, 2d."
    )
    core_hours: float | None = Field(
        None, gt=0, description="Core-hours over all attempts, lost ones included."
    )
    target: float | None = Field(None, description="Stop when the objective is this good.")
    patience: Count | None = Field(None, description="Stop after so many trials without improvement.")


class FailuresConfig(Section):
    """What follows when an attempt ends without a result, by cause.

    fail: the trial has failed; retry: try again, as often as evaluate.retries (worker_lost:
    cluster.max_lost) says; requeue: try again, free of charge, up to 20 times.
    """

    objective_error: Policy = Field("retry", description="It raised, or exited with another code than 0.")
    invalid_result: Policy = Field("retry", description="NaN, a missing result, a wrong shape.")
    timeout: Policy = Field("retry", description="It took longer than evaluate.timeout.")
    out_of_memory: Policy = Field("retry", description="It, or its job, used too much memory.")
    walltime: Policy = Field(
        "requeue", description="Its job ended. A trial that had a whole job to itself fails all the same."
    )
    preempted: Policy = Field("requeue", description="The scheduler took its job away.")
    node_failure: Policy = Field("requeue", description="Its node failed.")
    cancelled: Policy = Field("requeue", description="A person cancelled its job.")
    worker_lost: Policy = Field("retry", description="Its worker went away, and nobody knows why.")


class StoreConfig(Section):
    """How results.zarr is written."""

    publish_every_s: Annotated[Seconds, Field(ge=0)] = Field(
        2.0, alias="publish_every", description="Readers see new trials after so long at most."
    )


def _expand_objective(value: Any) -> Any:
    return {"direction": value} if isinstance(value, str) else value


def _expand_output(value: Any) -> Any:
    return {"dims": value} if isinstance(value, list) else value


def _expand_schedule(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and "hybrid" in value and not {"kind", "k"} & value.keys():
        return {"kind": "hybrid", "k": value["hybrid"], **{k: v for k, v in value.items() if k != "hybrid"}}
    return value


_Objective = Annotated[
    ObjectiveConfig, BeforeValidator(_expand_objective, json_schema_input_type=Direction | ObjectiveConfig)
]
_Output = Annotated[
    OutputConfig, BeforeValidator(_expand_output, json_schema_input_type=list[str] | OutputConfig)
]


class HybridShorthand(Section):
    """`{hybrid: 4}`: short for {kind: hybrid, k: 4}."""

    hybrid: int = Field(ge=2, description="Group size, 1 < k < workers.")


_Schedule = Annotated[
    ScheduleConfig,
    BeforeValidator(_expand_schedule, json_schema_input_type=ScheduleKind | HybridShorthand | ScheduleConfig),
]


class StudyConfig(Section):
    """A whole study file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = Field(
        "study",
        description="Names the study's directory and jobs; default: the file's name, or its folder's.",
    )
    evaluate: EvaluateConfig = Field(description="What a trial runs.")
    space: dict[str, ParameterConfig] = Field(
        description="The parameters, by name. `n: 3` is a constant.",
        examples=[
            {
                "width": {"type": "real", "low": 0.1, "high": 10.0, "log": True},
                "layers": {"type": "integer", "low": 1, "high": 8},
                "method": {"type": "categorical", "choices": ["fast", "exact"]},
                "tolerance": {"type": "real", "low": 0.0, "high": 1.0, "when": {"method": ["exact"]}},
            }
        ],
    )
    objectives: dict[str, _Objective] = Field(
        default_factory=lambda: {"objective": ObjectiveConfig()},
        description="Results to optimise, by name.",
        examples=[{"loss": "minimize"}],
    )
    constraints: list[str] = Field(
        default_factory=list,
        description="Conditions on parameters (min_length < max_length), or on one result (density < 0.9).",
    )
    outputs: dict[str, _Output] = Field(
        default_factory=dict, description="Arrays that each trial returns, by name."
    )
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="What proposes points.")
    schedule: _Schedule = Field(
        default_factory=ScheduleConfig,
        description="When points are asked for. Short forms: schedule: async, schedule: {hybrid: 4}.",
    )
    budget: BudgetConfig = Field(default_factory=BudgetConfig, description="When to stop.")
    cluster: ClusterConfig = Field(default_factory=ClusterConfig, description="Where trials run.")
    failures: FailuresConfig = Field(
        default_factory=FailuresConfig, description="What follows when an attempt ends without a result."
    )
    store: StoreConfig = Field(default_factory=StoreConfig, description="How results are written.")

    def build_space(self) -> Space:
        """The search space with its input constraints. Raises SpaceError or ExpressionError."""
        inputs, _ = split(self.constraints, self.space)
        return Space({name: item.build() for name, item in self.space.items()}, inputs)

    def outcome_bounds(self) -> dict[str, Bounds]:
        """Outcome constraints: result name -> (low, high), both included; infinite where open."""
        return outcome_bounds(self.constraints, self.space)

    def dump(self) -> dict[str, Any]:
        """The whole configuration as JSON values under the keys of the file."""
        return self.model_dump(mode="json", by_alias=True)

    def to_yaml(self, folder: Path | None = None) -> str:
        """The whole configuration, defaults included; `from_resolved` reads it back as equal.

        folder: where the file will lie. An objective in it is named from there, so that both can be moved.
        """
        dumped, place = self.dump(), self.evaluate.folder.resolve()
        if folder is not None and place.is_relative_to(folder := folder.resolve()):
            dumped["evaluate"]["folder"] = str(place.relative_to(folder))
        return write(dumped)

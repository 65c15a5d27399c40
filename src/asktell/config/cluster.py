"""The `cluster` section: where trials run. Its defaults stand here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from asktell.config.types import Bytes, Count, Heading, Seconds, Section, Texts, wrong

ClusterKind = Literal["local", "address", "slurm", "pbs", "sge", "lsf", "oar", "htcondor"]
BATCH_KINDS = ("slurm", "pbs", "sge", "lsf", "oar", "htcondor")
"""Kinds of `cluster` whose workers are batch jobs."""
TEXT_ONLY_KINDS = ("lsf", "oar", "htcondor")
"""Those whose job scripts are tested as text, and were never run by us."""


class DriverConfig(Section):
    """The batch job that `asktell submit` makes of the driver: small, and long."""

    walltime_s: Annotated[Seconds, Field(gt=0)] = Field(
        86400.0, alias="walltime", description="Of one link of the chain; the driver resubmits itself before."
    )
    cpus: Count = Field(1, description="Cores for the driver: proposals use them.")
    memory_bytes: Annotated[Bytes, Field(gt=0)] | None = Field(
        2 * 1024**3, alias="memory", description="Memory for the driver; null writes no directive."
    )
    queue: str | None = Field(None, description="Queue or partition; default: that of the workers.")
    account: str | None = Field(None, description="Account; default: that of the workers.")
    warn_before_s: Annotated[Seconds, Field(gt=0)] = Field(
        120.0, alias="warn_before", description="How long before its walltime the driver hands over."
    )
    max_links: Count = Field(100, description="The chain ends after so many driver jobs.")
    extra_directives: list[str] = Field(
        default_factory=list, description="Further lines for the driver's job, without #SBATCH or #PBS."
    )


class TlsConfig(Section):
    """Certificates for a scheduler that someone else runs."""

    ca: str = Field(description="PEM file of the authority that signed them.")
    cert: str = Field(description="PEM file of this client's certificate.")
    key: str = Field(description="PEM file of its key.")


class ClusterConfig(Section):
    """Where trials run."""

    kind: ClusterKind = Field(
        "local",
        description="local: processes on this machine; slurm, pbs, sge (lsf, oar, htcondor: job scripts only,"
        " never run by us): workers in batch jobs; address: a dask scheduler that runs already.",
    )
    workers: Count | None = Field(
        None,
        description="Trials that run at the same time; default: the cores, divided by cpus_per_trial; with"
        " batch jobs jobs x workers_per_job, which is also the most.",
    )
    cpus_per_trial: Count = Field(1, description="Cores that one trial uses.")
    gpus_per_trial: int = Field(0, ge=0, description="GPUs that one trial uses.")
    launcher: str | None = Field(
        None,
        description="Put before a command that is an MPI program: srun -n {cpus}, mpirun -np {cpus}. A"
        " function finds it in ASKTELL_LAUNCHER.",
    )
    max_lost: Count = Field(3, description="A point that has lost so many workers without explanation fails.")
    security: Literal["tls", "none"] = Field(
        "tls", description="tls: only who can read the study's directory reaches its workers."
    )
    dashboard: str | None = Field(
        "127.0.0.1:0", description="Where dask's dashboard listens (port 0: any free one); null for none."
    )

    jobs: Annotated[Count, Heading("Batch jobs: what each asks for.")] = Field(
        1, description="Batch jobs that are kept running or queued."
    )
    workers_per_job: Count = Field(1, description="Trials that run at the same time in one job.")
    memory_bytes: Annotated[Bytes, Field(gt=0)] | None = Field(
        None, alias="memory", description="Memory for each trial: 8GB; null: no directive."
    )
    memory_per_cpu_bytes: Annotated[Bytes, Field(gt=0)] | None = Field(
        None, alias="memory_per_cpu", description="The same for each core, where the site wants it so."
    )
    walltime_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        None, alias="walltime", description="Of one job: 30min, 2h, 2d; default: the queue's."
    )
    queue: str | None = Field(None, description="Queue, or SLURM partition; partition is read as queue.")
    account: str | None = Field(None, description="Account or project that is charged.")
    constraint: str | None = Field(None, description="Node features: SLURM's --constraint.")

    prologue: Annotated[Texts, Heading("Batch jobs: what a node needs.")] = Field(
        default_factory=list, description="Shell lines before the worker starts: module load ..., source ..."
    )
    python: str | None = Field(None, description="Python on the nodes; default: the one that runs now.")
    interface: str | None = Field(
        None,
        description="Network interface of the nodes that reaches the driver: ib0; default: dask's choice.",
    )
    driver_interface: str | None = Field(
        None, description="Network interface of the driver; default: the same as interface."
    )
    local_directory: str | None = Field(
        None, description="Scratch on the node; default: $TMPDIR there, or what takes its place."
    )

    syntax: Annotated[Literal["select", "nodes"], Heading("Batch jobs: what else a site may want.")] = Field(
        "select", description="PBS resources: select=1:ncpus=4 (PBS Pro), or nodes=1:ppn=4 (Torque)."
    )
    parallel_environment: str = Field("smp", description="Grid Engine's parallel environment for one node.")
    extra_directives: list[str] = Field(
        default_factory=list, description="Further directives, without #SBATCH, #PBS or #$."
    )
    skip_directives: list[str] = Field(
        default_factory=list, description="Leave out generated directives that contain one of these: --mem."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Anything else, passed on to dask-jobqueue's job class as it is."
    )
    submit_every_s: Annotated[Seconds, Field(ge=0)] = Field(
        1.0, alias="submit_every", description="Pause between two submissions."
    )
    max_queued: Count | None = Field(None, description="Most jobs that wait in the queue at a time.")
    query_every_s: Annotated[Seconds, Field(ge=1)] = Field(
        30.0,
        alias="query_every",
        description="Pause between two looks at the queue; a lost job pulls the next one forward,"
        " to 5 s after the last.",
    )

    walltime_aware: Annotated[bool, Heading("Batch jobs: how they end.")] = Field(
        True, description="Learn how long trials take, and start none that its job would not outlive."
    )
    warn_before_s: Annotated[Seconds, Field(ge=0)] = Field(
        60.0, alias="warn_before", description="How long before its walltime a job's trials are warned."
    )
    linger_s: Annotated[Seconds, Field(ge=0)] = Field(
        600.0,
        alias="linger",
        description="How long a worker waits for the driver that follows at a hand-over.",
    )
    driver: DriverConfig = Field(
        default_factory=DriverConfig, description="The driver's own batch job, for `asktell submit`."
    )
    single_allocation: bool = Field(
        False, description="Driver and workers in one big job, where jobs may not submit jobs."
    )

    address: Annotated[str | None, Heading("A dask scheduler that runs already.")] = Field(
        None, description="The scheduler's address: tcp://node17:8786."
    )
    tls: TlsConfig | None = Field(None, description="Certificates for a scheduler at tls://...")

    @property
    def is_batch(self) -> bool:
        return self.kind in BATCH_KINDS

    @property
    def width(self) -> int | None:
        """Trials at a time, as far as the file says; None where that depends on the machine."""
        return self.workers or (self.jobs * self.workers_per_job if self.is_batch else None)

    @model_validator(mode="after")
    def _check(self) -> ClusterConfig:
        if self.kind == "address" and self.address is None:
            raise wrong("kind address needs the scheduler's address", "write address: tcp://HOST:8786")
        if self.kind != "address" and self.address is not None:
            raise wrong(f"an address does not go with kind {self.kind}", "drop it or write kind: address")
        return self

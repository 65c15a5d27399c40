"""Study files: read, checked and resolved into frozen models."""

from asktell.config.checks import RESERVED
from asktell.config.cluster import BATCH_KINDS, TEXT_ONLY_KINDS, ClusterConfig, DriverConfig, TlsConfig
from asktell.config.faults import did_you_mean
from asktell.config.loader import from_resolved, load, parse, with_overrides
from asktell.config.models import (
    BudgetConfig,
    EvaluateConfig,
    FailuresConfig,
    ObjectiveConfig,
    OptimizerConfig,
    OutputConfig,
    ResultConfig,
    ScheduleConfig,
    StoreConfig,
    StudyConfig,
)
from asktell.config.parameters import ParameterConfig
from asktell.config.resolved import check_resume, resolved
from asktell.config.template import EXAMPLE_OBJECTIVE, EXAMPLE_OBJECTIVE_FILE, schema, template

__all__ = [
    "BATCH_KINDS",
    "EXAMPLE_OBJECTIVE",
    "EXAMPLE_OBJECTIVE_FILE",
    "RESERVED",
    "TEXT_ONLY_KINDS",
    "BudgetConfig",
    "ClusterConfig",
    "DriverConfig",
    "EvaluateConfig",
    "FailuresConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "OutputConfig",
    "ParameterConfig",
    "ResultConfig",
    "ScheduleConfig",
    "StoreConfig",
    "StudyConfig",
    "TlsConfig",
    "check_resume",
    "did_you_mean",
    "from_resolved",
    "load",
    "parse",
    "resolved",
    "schema",
    "template",
    "with_overrides",
]

"""Study files: read, checked and resolved into frozen models."""

from asktell.config.models import (
    BudgetConfig,
    ClusterConfig,
    EvaluateConfig,
    ObjectiveConfig,
    OptimizerConfig,
    OutputConfig,
    ResultConfig,
    ScheduleConfig,
    StoreConfig,
    StudyConfig,
)

__all__ = [
    "BudgetConfig",
    "ClusterConfig",
    "EvaluateConfig",
    "ObjectiveConfig",
    "OptimizerConfig",
    "OutputConfig",
    "ResultConfig",
    "ScheduleConfig",
    "StoreConfig",
    "StudyConfig",
]

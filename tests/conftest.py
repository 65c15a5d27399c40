"""Tests side by side, for `pytest -n 2 --dist loadgroup`: files as wholes, the scheduler's in turn."""

from pathlib import Path

import pytest

CLUSTER = Path(__file__).with_name("cluster")


@pytest.hookimpl(tryfirst=True)  # before the plugin reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        group = CLUSTER if item.path.is_relative_to(CLUSTER) else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))

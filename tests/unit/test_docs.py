"""The pages of the documentation: their tables are those of the models, their study files load."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from asktell.config import load
from asktell.optimize.engines import ENGINES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cluster.md").read_text()
STUDY_FILES = re.findall(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)


@pytest.fixture
def settings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings", DOCS / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_those_of_the_models(settings: ModuleType) -> None:
    for page in settings.PAGES:
        text = page.read_text()
        assert settings.with_tables(text) == text, "run `python docs/settings.py`"
        assert "-->\n|" in text


def test_every_engine_has_its_table() -> None:
    text = (DOCS / "engines.md").read_text()
    for name, options in ENGINES.items():
        assert f"`{name}`" in text
        assert not options.model_fields or f"<!-- engine: {name} -->" in text


def test_page_shows_study_files() -> None:
    assert STUDY_FILES


@pytest.mark.parametrize("text", STUDY_FILES)
def test_study_files_of_the_page_load(text: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(text)
    (tmp_path / "objective.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    load(tmp_path / "study.yaml")

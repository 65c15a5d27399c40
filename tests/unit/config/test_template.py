"""The template and the schema, which are made from the models, agree with what the loader takes."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import numpy as np
import pytest

from asktell.config import EXAMPLE_OBJECTIVE, StudyConfig, load, schema, template
from asktell.config.anatomy import entries, keys, section
from asktell.config.models import EngineName
from asktell.config.types import Section
from asktell.optimize.engines import ENGINES

OFF = re.compile(r"^( *)#(?=\w)")


def write(folder: Path, text: str) -> StudyConfig:
    (folder / "objective.py").write_text(EXAMPLE_OBJECTIVE)
    file = folder / "study.yaml"
    file.write_text(text)
    return load(file, environ={"XDG_CONFIG_HOME": str(folder)})


def test_the_template_loads_beside_its_objective(tmp_path: Path) -> None:
    config = write(tmp_path, template())
    point = config.build_space().sample(np.random.default_rng(0), 1)[0]
    names: dict[str, object] = {}
    exec(EXAMPLE_OBJECTIVE, names)
    assert names["evaluate"](**point).keys() == config.objectives.keys()  # type: ignore[operator]  # from exec


def test_every_key_that_is_turned_on_has_the_default_that_it_shows(tmp_path: Path) -> None:
    config = write(tmp_path, template())
    lines = template().splitlines()
    turned_on = [OFF.sub(r"\1", line) for line in lines]
    assert sum(a != b for a, b in zip(lines, turned_on, strict=True)) > 30
    text = "\n".join(line for line in turned_on if not line.startswith("name:"))
    assert write(tmp_path, text) == config


def sections(model: type[Section]) -> set[type[Section]]:
    found = {model}
    for info in keys(model).values():
        for inner in (section(info.annotation), *entries(info.annotation)):
            found |= sections(inner) if inner is not None else set()
    return found


@pytest.mark.parametrize("model", sorted(sections(StudyConfig), key=lambda model: model.__name__))
def test_every_key_is_described_and_in_template_and_schema(model: type[Section]) -> None:
    assert model.__doc__
    definition = schema() if model is StudyConfig else schema()["$defs"][model.__name__]
    assert definition["properties"].keys() == keys(model).keys()
    assert not definition["additionalProperties"]
    for key, info in keys(model).items():
        assert info.description or key == "type"
        assert re.search(rf"\b{key}\b", template())


def test_every_engine_can_be_named() -> None:
    assert set(typing.get_args(EngineName)) == set(ENGINES)

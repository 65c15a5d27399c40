"""Writes the tables of settings in the pages beside it from the models: `python docs/settings.py`.

A table stands between `<!-- settings: SECTION -->`, or `<!-- engine: NAME -->`, and `<!-- end -->`; a test
keeps it in step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic.fields import FieldInfo

from asktell.config.anatomy import choices, keys, section
from asktell.config.dialect import write_inline
from asktell.config.models import StudyConfig
from asktell.config.types import Section
from asktell.optimize.engines import ENGINES

PAGES = [Path(__file__).with_name(name) for name in ("cluster.md", "engines.md")]
_TABLE = re.compile(r"(<!-- (settings|engine): (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The page with each of its tables made anew."""
    tables = {"settings": settings_table, "engine": engine_table}
    return _TABLE.sub(lambda found: f"{found[1]}{tables[found[2]](found[3])}{found[4]}", text)


def settings_table(path: str) -> str:
    """The keys of a section (`cluster`, `cluster.driver`), their defaults and what they are."""
    model: type[Section] = StudyConfig
    for name in path.split("."):
        found = section(keys(model)[name].annotation)
        assert found is not None, f"{path} is not a section"
        model = found
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    rows = []
    for key, info in keys(model).items():
        if section(info.annotation) is not None:
            default = ""  # it has a table of its own, or is off
        else:
            default = f"`{write_inline(defaults[key])}`" if key in defaults else "required"
        rows.append((key, default, _meaning(info)))
    return _table("key", rows)


def engine_table(name: str) -> str:
    """The options of an engine, their defaults and what they are."""
    defaults = ENGINES[name]().model_dump(mode="json")
    fields = ENGINES[name].model_fields
    return _table(
        "option", [(key, f"`{write_inline(defaults[key])}`", _meaning(fields[key])) for key in fields]
    )


def _meaning(info: FieldInfo) -> str:
    options = choices(info.annotation)
    parts = [info.description or "", f"({', '.join(options)})" if options else ""]
    return " ".join(filter(None, parts))


def _table(what: str, rows: Iterable[tuple[str, str, str]]) -> str:
    lines = [f"| {what} | default | what it is |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))

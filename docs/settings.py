"""Writes the tables of settings in docs/cluster.md from the configuration model: `python docs/settings.py`.

A table stands between `<!-- settings: SECTION -->` and `<!-- end -->`; a test keeps it in step.
"""

from __future__ import annotations

import re
from pathlib import Path

from asktell.config.anatomy import choices, keys, section
from asktell.config.dialect import write_inline
from asktell.config.models import StudyConfig
from asktell.config.types import Section

PAGES = [Path(__file__).with_name("cluster.md")]
_TABLE = re.compile(r"(<!-- settings: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """The page with each of its tables made anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{table(found[2])}{found[3]}", text)


def table(path: str) -> str:
    """The keys of a section (`cluster`, `cluster.driver`), their defaults and what they are."""
    model: type[Section] = StudyConfig
    for name in path.split("."):
        found = section(keys(model)[name].annotation)
        assert found is not None, f"{path} is not a section"
        model = found
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    rows = ["| key | default | what it is |", "| --- | --- | --- |"]
    for key, info in keys(model).items():
        if section(info.annotation) is not None:
            default = ""  # it has a table of its own, or is off
        else:
            default = f"`{write_inline(defaults[key])}`" if key in defaults else "required"
        options = choices(info.annotation)
        meaning = f"{info.description} ({', '.join(options)})" if options else str(info.description)
        rows.append(f"| `{key}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))

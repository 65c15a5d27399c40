"""Puts a study's page together: what its journal and results say, in one file of HTML."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr
from bokeh.document import Document
from bokeh.resources import Resources
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from asktell.analysis import facts
from asktell.analysis import open as open_results
from asktell.config import StudyConfig
from asktell.config.dialect import write as to_yaml
from asktell.durable import check_folder, replace_files
from asktell.errors import StudyError
from asktell.overview import read_study
from asktell.plots.workers import LOOKS
from asktell.report.columns import columns
from asktell.report.figures import Drawing, Figures, best_numbers
from asktell.report.summary import best, cost, failures, summary
from asktell.versions import installed


def write(path: Path, file: Path) -> int:
    """Write the page of the study in `path`; returns the file's size in bytes.

    Raises StudyError where there is no study, FileNotFoundError where there is no folder for the file.
    """
    check_folder(file)
    page = render(path).encode()
    replace_files([(file, page)])
    return len(page)


def render(path: Path) -> str:
    """The page of the study in `path`, whether it runs, has ended or was never run."""
    found = read_study(path)
    config = without_secrets(found.config)
    ds = _results(path)
    figures = Figures(ds) if ds is not None else None
    drawings = [] if figures is None else list(figures.all())
    shown = [drawing for drawing in drawings if drawing.model is not None]
    libraries = [] if figures is None else Resources(mode="inline", components=["bokeh"]).js_raw
    scripts = [*libraries, _asset("page.js")]
    now = time.time()
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    text: str = environment.from_string(_asset("page.html")).render(
        name=found.config.name,
        state=str(found.state),
        reason=found.reason,
        made=datetime.fromtimestamp(now, UTC),
        version=installed()["asktell"],
        style=Markup(_asset("page.css")),
        script_hashes=" ".join(map(_hash, scripts)),
        scripts=[Markup(script) for script in scripts],
        summary=summary(found, ds, now),
        best=best(found, ds, path),
        configuration={"brief": brief(config), "full": config.to_yaml()},
        versions=json.loads(ds.attrs["versions"]) if ds is not None else {},
        attempt_colours={name: colour for name, (colour, _) in LOOKS.items()},
        figures=figures,
        drawings=drawings,
        cost=cost(ds) if ds is not None else None,
        failures=failures(ds) if ds is not None else None,
        data=Markup(_json(_data(ds, figures, shown) if ds is not None and figures is not None else {})),
    )
    return text


def without_secrets(config: StudyConfig) -> StudyConfig:
    """The configuration as it may be passed on: variables of the environment are often keys and passwords."""
    hidden = dict.fromkeys(config.evaluate.env, "not shown")
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"env": hidden})})


def brief(config: StudyConfig) -> str:
    """The configuration without what is at its default, as a study file says it."""
    plain = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for name, item in config.dump()["space"].items():
        plain["space"][name] = {"type": item["type"], **plain["space"].get(name, {})}
    return to_yaml(plain)


def _results(path: Path) -> xr.Dataset | None:
    """The trials that have ended; None where there are none yet."""
    try:
        ds = open_results(path)
    except StudyError:
        return None  # nothing was published
    return ds if ds.sizes["trial"] else None


def _data(ds: xr.Dataset, figures: Figures, drawings: Sequence[Drawing]) -> dict[str, Any]:
    """What the page's script reads."""
    document = Document()
    for drawing in drawings:
        document.add_root(drawing.model)
    return {
        "columns": [{**asdict(column), "is_number": column.is_number} for column in columns(ds)],
        "sort": _first_sort(ds),
        "best": best_numbers(ds),
        "quantities": [asdict(item) for item in figures.quantities],
        "figures": document.to_json(deferred=False),
        "roots": {drawing.model.id: drawing.key for drawing in drawings},
    }


def _first_sort(ds: xr.Dataset) -> dict[str, Any]:
    """The best first, where there is one; else by number."""
    signs = facts.signs(ds)
    name, sign = next(iter(signs.items())) if len(signs) == 1 else ("trial", 1)
    return {"column": name, "descending": sign < 0}


def _json(value: Mapping[str, Any]) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    """What the page's policy knows a script by: no other one runs, whatever a text of the study says."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")

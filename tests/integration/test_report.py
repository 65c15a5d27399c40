"""A report in a real browser without a network: it complains of nothing, and table and figures react."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from click.testing import CliRunner

import asktell
from asktell.cli import main
from asktell.execute.protocol import Task
from asktell.execute.virtual import VirtualExecutor
from asktell.trial import Cause, Outcome, Status

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    if "chromium" in os.environ.get("ASKTELL_CI_PROVIDES", "").split():
        raise FileNotFoundError("chromium should be here (Debian: apt-get install chromium)")
    pytest.skip("chromium is not installed (Debian: apt-get install chromium)", allow_module_level=True)

pytestmark = pytest.mark.slow

TRIALS, WORKERS = 2000, 64
MOST_BYTES = 15e6

READY = "'ready' in document.documentElement.dataset"
TOOLTIPS = """function text(node) {
  const inner = (item) => (item.className.includes?.("bk-Tooltip") ? item.shadowRoot.textContent : "");
  const deeper = (item) => (item.shadowRoot ? inner(item) + text(item.shadowRoot) : "");
  return [...node.querySelectorAll("*")].map(deeper).join("");
}"""
EVIL = "</script><img src=x onerror=console.error(1)>"
STUDY = """\
name: large
evaluate: {command: ["true"]}
space:
  x: {type: real, low: 0, high: 1, units: mm}
  rate: {type: real, low: 0.01, high: 1, log: true}
  method: {type: categorical, choices: [fast, exact]}
  tolerance: {type: real, low: 0, high: 1, when: {method: exact}}
objectives: {loss: minimize}
constraints: [mass < 0.9]
optimizer: {engine: random, seed: 5}
budget: {trials: 2000}
cluster: {workers: 64}
"""


def _evaluate(task: Task) -> Outcome:
    x = float(task.params["x"])
    if x > 0.9:
        return Outcome(Status.FAILED, Cause.OBJECTIVE_ERROR, error=f"ValueError: too far out {EVIL}")
    return Outcome(Status.COMPLETED, values={"loss": (x - 0.3) ** 2, "mass": float(task.params["rate"])})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "study.yaml").write_text(STUDY)
    study = asktell.Study.create(folder / "study.yaml", folder / "large.study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # no power will fail here, and disks of CI are slow
        executor = VirtualExecutor(_evaluate, lambda _: 1.0, slots=WORKERS, start_at=time.time())
        assert study.run(executor=lambda _: executor).done
    page = folder / "large.html"
    done = CliRunner().invoke(main, ["report", str(study.path), "-o", str(page)])
    assert done.exit_code == 0, done.output
    return page


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    assert CHROMIUM is not None
    with browser.browsing(CHROMIUM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(tab: browser.Page, file: Path) -> Iterator[browser.Page]:
    """The report at a desk; nothing in it may end in a complaint or ask for anything else."""
    tab.errors.clear()
    tab.requests.clear()
    tab.show(file, ready=READY)
    yield tab
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("data:", "blob:"))] == [file.as_uri()]


def _first_rows(page: browser.Page, column: int) -> list[str]:
    rows = "[...document.querySelectorAll('#rows tbody tr:not([aria-hidden])')]"
    found: list[str] = page.value(f"{rows}.map((row) => row.cells[{column}].innerText)")
    return found


def _place(page: browser.Page, selector: str) -> tuple[float, float]:
    """The middle of an element that is scrolled to."""
    box = page.value(
        f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
        " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    return float(box[0]), float(box[1])


def _point(page: browser.Page, key: str, row: int) -> tuple[float, float]:
    """Where a row of the trials' source is drawn in the figure `key`, which is scrolled to."""
    _place(page, f"#{key}")
    found = page.value(
        f"(() => {{ const root = {_figure(key)}, [dots] = root.renderers;"
        " const { frame } = Object.values(Bokeh.index.roots ?? Bokeh.index).find((v) => v.model === root);"
        f" const [x, y] = [dots.glyph.x, dots.glyph.y].map((at) => dots.data_source.data[at.field][{row}]);"
        f" const box = document.getElementById({key!r}).getBoundingClientRect();"
        " return [box.x + frame.x_scale.compute(x), box.y + frame.y_scale.compute(y)]; })()"
    )
    return float(found[0]), float(found[1])


def _figure(key: str) -> str:
    return f"Bokeh.documents[0].roots().find((root) => data.roots[root.id] === {key!r})"


def _change(page: browser.Page, control: str, value: str, event: str = "change") -> None:
    """Choose or type a value (JavaScript) in a control."""
    page.value(f"document.querySelector({control!r}).value = {value}")
    page.value(f"document.querySelector({control!r}).dispatchEvent(new Event({event!r}))")


def test_two_thousand_trials_fit_a_page_of_a_few_megabytes(file: Path) -> None:
    assert file.stat().st_size < MOST_BYTES


def test_the_table_sorts_and_draws_only_what_is_in_view(page: browser.Page) -> None:
    losses = [float(text) for text in _first_rows(page, 2)]
    assert losses == sorted(losses)
    assert len(losses) < 100
    page.click(*_place(page, "#rows th:first-child button"))
    assert _first_rows(page, 0)[:3] == ["0", "1", "2"]
    page.click(*_place(page, "#rows th:first-child button"))
    assert _first_rows(page, 0)[:2] == ["1999", "1998"]
    assert page.value("document.querySelector('#rows th').ariaSort") == "descending"
    page.value("document.querySelector('#rows').scrollTop = 1e6")
    page.wait("[...document.querySelectorAll('#rows tbody td:first-child')].some((c) => c.innerText === '0')")


def test_the_table_is_filtered_and_the_figures_follow(page: browser.Page) -> None:
    n_failed = page.value(
        "data.columns.find((c) => c.name === 'outcome').values.filter((o) => o === 'failed').length"
    )
    assert n_failed > 0
    _change(page, "#find", "'too far'", "input")
    page.wait(f"document.querySelector('#shown').innerText.startsWith('{n_failed} of {TRIALS}')")
    assert set(_first_rows(page, 1)) == {"failed"}
    assert page.value("Bokeh.documents[0].get_model_by_name('trials').selected.indices.length") == n_failed
    page.click(*_place(page, "#clear"))
    page.wait(f"document.querySelector('#shown').innerText.startsWith('{TRIALS} of')")


def test_a_trial_tells_its_whole_error_as_text(page: browser.Page) -> None:
    _change(page, "#outcome", "'failed'")
    page.click(*_place(page, "#rows tbody td button"))
    page.wait("document.querySelector('#trial').open")
    assert EVIL in page.value("document.querySelector('#trial').innerText")
    assert page.value("document.images.length") == 0


def test_a_tap_on_a_point_selects_its_trial(page: browser.Page) -> None:
    row = page.value("data.columns[0].values.indexOf(data.best[0])")
    page.click(*_point(page, "parameter-0", row))
    page.wait("document.querySelector('#shown').innerText.endsWith('selected in a figure')")
    assert str(page.value("data.best[0]")) in _first_rows(page, 0)


def test_the_pointer_is_told_of_a_trial_and_drags_the_figure(page: browser.Page) -> None:
    row = page.value("data.columns[0].values.indexOf(data.best[0])")
    x, y = _point(page, "convergence", row)
    page.mouse(("mouseMoved", x - 3, y), ("mouseMoved", x, y))
    page.wait(f"({TOOLTIPS})(document).includes('completed')")
    start = f"{_figure('convergence')}.y_range.start"
    before = page.value(start)
    page.mouse(("mouseMoved", x, y - 40))
    page.mouse(("mousePressed", x, y - 40))
    page.mouse(*(("mouseMoved", x, y - 40 - step) for step in range(5, 60, 5)))
    page.mouse(("mouseReleased", x, y - 100))
    page.wait(f"{start} !== {before}")


def test_figures_show_another_quantity_and_another_axis(page: browser.Page) -> None:
    _change(page, "#quantity", "data.quantities.findIndex((quantity) => quantity.label === 'mass')")
    assert page.value(f"{_figure('parameter-1')}.left[0].axis_label") == "mass"
    assert page.value(f"{_figure('parameter-1')}.renderers[0].glyph.y.field") == "y_1"
    assert page.value(f"{_figure('runtime')}.left[0].axis_label") != "mass"
    _change(page, "#against", "'wall_time'")
    assert page.value(f"{_figure('convergence')}.renderers[0].glyph.x.field") == "wall_time"


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_scrolls_the_table_and_not_the_page(page: browser.Page, file: Path, dark: bool) -> None:
    page.requests.clear()
    page.show(file, browser.PHONE, dark=dark, ready=READY)
    assert page.value("document.documentElement.scrollWidth") <= browser.PHONE[0]
    assert page.value("document.querySelector('#rows').scrollWidth") > browser.PHONE[0]
    ink = page.value("Bokeh.documents[0].roots()[0].left[0].axis_label_text_color.trim()")
    assert (
        ink == page.value("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
    ) is True

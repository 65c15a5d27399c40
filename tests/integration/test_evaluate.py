"""Attempts in real process trees: every way in which they end, and that nothing is left over."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from asktell.config import EvaluateConfig, OutputConfig, ResultConfig
from asktell.evaluate import Evaluation, Evaluator, cleanup, processes
from asktell.execute.protocol import Task
from asktell.trial import Cause, Status

OBJECTIVES = Path(__file__).parents[1] / "objectives"
MISBEHAVING = "evaluate_misbehaving.py:evaluate"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and subreapers")


def marked(mark: str) -> dict[int, str]:
    """Living processes that inherited the mark, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found


def await_that(holds: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def mark() -> Iterator[str]:
    value = uuid.uuid4().hex
    os.environ["EVALUATE_TEST_MARK"] = value
    yield value
    del os.environ["EVALUATE_TEST_MARK"]
    await_that(lambda: not marked(value), "no process is left", within_s=5.0)


class Bench:
    """Runs attempts in directories of their own."""

    def __init__(self, evaluator: Evaluator, root: Path) -> None:
        self.evaluator = evaluator
        self.root = root
        self._numbers = count()

    def run(self, number: int = 7, on_metrics=None, **params) -> Evaluation:
        return self.evaluator.run(Task(number, 2, params, "token"), self.directory(), on_metrics)

    def directory(self) -> Path:
        self.last = self.root / f"attempt-{next(self._numbers)}"
        self.last.mkdir(parents=True)
        return self.last


SETTINGS = {
    "call": MISBEHAVING,
    "timeout_s": 60.0,
    "grace_s": 0.3,
    "memory_bytes": 300_000_000,
    "max_log_bytes": 20_000,
    "valid": ["y >= 0"],
    "env": {"OWN_VARIABLE": "42"},
}


@pytest.fixture(scope="module")
def bench(mark: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("evaluate")
    with Evaluator(EvaluateConfig(folder=OBJECTIVES, **SETTINGS), ["y"], {}, 3, root, "study") as evaluator:
        bench = Bench(evaluator, root / "trials")
        bench.run(mode="returns_number")
        yield bench


@pytest.fixture(scope="module")
def hasty(mark: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """For attempts that only the timeout ends."""
    root = tmp_path_factory.mktemp("hasty")
    settings = {**SETTINGS, "isolation": "fresh", "timeout_s": 1.5}
    with Evaluator(EvaluateConfig(folder=OBJECTIVES, **settings), ["y"], {}, 3, root, "study") as evaluator:
        bench = Bench(evaluator, root / "trials")
        bench.run(mode="never_returns")
        yield bench


@pytest.mark.parametrize(
    ("mode", "cause", "error"),
    [
        ("returns_nan", Cause.INVALID_RESULT, "'y' is nan"),
        ("returns_wrong_key", Cause.INVALID_RESULT, "holds z, yy; did you mean 'yy'?"),
        ("returns_nothing", Cause.INVALID_RESULT, "forget to return"),
        ("returns_text", Cause.INVALID_RESULT, "'y' is 'high', not a number"),
        ("returns_invalid", Cause.INVALID_RESULT, "y >= 0 does not hold (y = -1.0)"),
        ("returns_parameter", Cause.INVALID_RESULT, "'x' has a parameter's name"),
        ("raises", Cause.OBJECTIVE_ERROR, "ValueError: no convergence at 0.5"),
        ("lacks_memory", Cause.OUT_OF_MEMORY, "MemoryError: a matrix of 10 TB"),
        ("exits", Cause.OBJECTIVE_ERROR, "exited with code 3 before the function returned"),
        ("exits_politely", Cause.OBJECTIVE_ERROR, "SystemExit: 0"),
        ("crashes", Cause.OBJECTIVE_ERROR, "was killed by SIGSEGV before the function returned"),
        ("uses_memory", Cause.OUT_OF_MEMORY, "more than its limit of 300 MB"),
        ("uses_memory_in_children", Cause.OUT_OF_MEMORY, "more than its limit of 300 MB"),
        ("kills_supervisor", Cause.WORKER_LOST, "supervisor was killed"),
        ("is_preempted", Cause.WORKER_LOST, "signal to its job"),
        ("warns_everybody", Cause.NONE, ""),
        ("talks", Cause.NONE, ""),
        ("leaves_daemon", Cause.NONE, ""),
        ("forks_and_both_return", Cause.NONE, ""),
        ("shares_memory", Cause.NONE, ""),
    ],
)
def test_each_way_to_end_has_its_cause_and_leaves_no_process(
    bench: Bench, mark: str, mode: str, cause: Cause, error: str
) -> None:
    before = marked(mark)
    outcome = bench.run(mode=mode, x=0.5).outcome
    assert (outcome.cause, outcome.status) == (cause, Status.FAILED if cause else Status.COMPLETED)
    assert error in outcome.error
    assert outcome.values == ({} if cause else {"y": 0.5})
    await_that(lambda: marked(mark).items() <= before.items(), "only launchers are left", within_s=5.0)


@pytest.mark.parametrize("mode", ["never_returns", "ignores_term", "stops_itself", "leaves_tree_and_hangs"])
def test_the_timeout_ends_whatever_hangs(hasty: Bench, mark: str, mode: str) -> None:
    before = marked(mark)
    outcome = hasty.run(mode=mode).outcome
    assert outcome.cause is Cause.TIMEOUT
    assert outcome.error == "took longer than its timeout of 1.5 s"
    await_that(lambda: marked(mark).items() <= before.items(), "only launchers are left", within_s=5.0)


def test_a_stopped_supervisor_is_killed_with_all_it_watches(
    hasty: Bench, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_BACKSTOP_S", 2.0)
    before = marked(mark)
    assert hasty.run(mode="stops_supervisor").outcome.cause is Cause.TIMEOUT
    await_that(lambda: marked(mark).items() <= before.items(), "only launchers are left", within_s=5.0)


def test_an_error_shows_the_persons_frames_only(bench: Bench) -> None:
    error = bench.run(mode="raises").outcome.error
    assert error.startswith("ValueError: no convergence at 0.5\nTraceback")
    assert "evaluate_misbehaving.py" in error
    assert "asktell" not in error.replace("asktell-", "").replace(str(OBJECTIVES), "")


def test_results_keep_types_and_get_dimensions(bench: Bench) -> None:
    evaluation = bench.run(mode="returns_arrays", x=0.25)
    assert evaluation.outcome.values == {"y": 0.25, "n": 3.0}
    field, spectrum = evaluation.arrays["field"], evaluation.arrays["spectrum"]
    assert (field.data.dtype, field.dims) == (np.dtype("<f4"), ("field_dim_0", "field_dim_1"))
    np.testing.assert_array_equal(field.data, np.full((2, 3), 0.25))
    np.testing.assert_array_equal(spectrum.data, [1j, 2.0])


def test_an_attempt_knows_where_it_is(bench: Bench) -> None:
    values = bench.run(mode="tells_environment").outcome.values
    expected = {"y": 7.0, "which": 2.0, "threads": 3.0, "own": 42.0, "is_in_directory": 1.0}
    assert {name: values[name] for name in expected} == expected
    assert json.loads((bench.last / "params.json").read_text()) == {"mode": "tells_environment"}


def test_forks_draw_their_own_random_numbers_and_can_be_repeated(bench: Bench) -> None:
    draws = [bench.run(number, mode="draws").outcome.values for number in (1, 2, 1)]
    assert draws[0] == draws[2]
    assert draws[0]["y"] != draws[1]["y"]
    assert draws[0]["z"] != draws[1]["z"]


def test_fifty_megabytes_of_text_are_cut_in_the_middle(bench: Bench) -> None:
    outcome = bench.run(mode="talks").outcome
    text = (bench.last / "stdout").read_bytes()
    assert len(text) < 21_000
    assert b"49980000 bytes left out" in text
    assert outcome.log_tail.endswith("the end\n")


def test_metrics_arrive_while_it_runs_and_in_the_outcome(bench: Bench) -> None:
    seen: list[tuple[float, str, float]] = []
    outcome = bench.run(mode="logs_metrics", on_metrics=seen.extend).outcome
    assert outcome.metrics == tuple(seen) == ((0, "loss", 1.0), (1, "loss", 0.5), (2, "loss", 1 / 3))


def test_times_and_place_are_kept(bench: Bench) -> None:
    outcome = bench.run(mode="returns_number").outcome
    assert outcome.started_at <= outcome.ended_at
    assert outcome.duration_s > 0
    assert outcome.host
    assert outcome.exit_code == 0


@pytest.mark.parametrize("isolation", ["fresh", "none"])
def test_other_isolations_give_the_same_results(
    tmp_path: Path, bench: Bench, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    config = EvaluateConfig(folder=OBJECTIVES, **{**SETTINGS, "isolation": isolation})
    with Evaluator(config, ["y"], {}, 3, tmp_path, "study") as evaluator:
        other = Bench(evaluator, tmp_path / "trials")
        for mode in ("returns_arrays", "draws", "raises", "returns_nan", "returns_text", "logs_metrics"):
            here, there = bench.run(mode=mode), other.run(mode=mode)
            assert there.outcome.values == here.outcome.values
            assert there.outcome.metrics == here.outcome.metrics
            assert there.outcome.error.splitlines() == here.outcome.error.splitlines()
            assert there.arrays.keys() == here.arrays.keys()
    assert "ASKTELL_TRIAL" not in os.environ


@pytest.mark.parametrize(
    ("how", "cause", "error"),
    [
        ("", Cause.NONE, ""),
        ("import fails", Cause.OBJECTIVE_ERROR, "RuntimeError: no licence for this library"),
        ("import exits", Cause.OBJECTIVE_ERROR, "exited with code 7"),
        ("import hangs", Cause.TIMEOUT, "import of its module"),
    ],
)
def test_modules_that_cannot_be_forked_run_in_a_fresh_interpreter(
    mark: str, tmp_path: Path, how: str, cause: Cause, error: str
) -> None:
    before = marked(mark)
    config = EvaluateConfig(
        folder=OBJECTIVES,
        call="evaluate_unforkable.py:evaluate",
        timeout_s=3.0,
        grace_s=0.2,
        env={"UNFORKABLE": how},
    )
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        outcome = Bench(evaluator, tmp_path / "trials").run(x=1.0).outcome
    assert (outcome.cause, outcome.values) == (cause, {} if cause else {"y": 1.0})
    assert error in outcome.error
    await_that(lambda: marked(mark).items() <= before.items(), "no process is left", within_s=5.0)


WORKER = """
import sys
from pathlib import Path
from asktell.config import EvaluateConfig
from asktell.evaluate import Evaluator
from asktell.execute.protocol import Task

config = EvaluateConfig(folder=Path(sys.argv[1]), grace_s=0.2, **{settings!r})
Evaluator(config, ["y"], {{}}, 1, Path(sys.argv[2]), "study").run(
    Task(0, 1, {{"mode": "leaves_tree_and_hangs"}}, ""), Path(sys.argv[2])
)
"""


@pytest.mark.parametrize(
    "settings",
    [
        {"call": MISBEHAVING},
        {"call": MISBEHAVING, "isolation": "fresh"},
        {"command": ["sh", "-c", "(setsid sleep 1000 &); setsid sleep 1000 & echo ready; exec sleep 1000"]},
    ],
    ids=["fork", "fresh", "command"],
)
def test_nothing_survives_a_worker_that_is_killed(tmp_path: Path, settings: dict[str, object]) -> None:
    mark = uuid.uuid4().hex
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER.format(settings=settings), str(OBJECTIVES), str(tmp_path)],
        env={**os.environ, "EVALUATE_TEST_MARK": mark},
    )
    log = tmp_path / "stdout"
    await_that(lambda: log.exists() and "ready" in log.read_text(), "the evaluation runs")
    assert len([line for line in marked(mark).values() if "sleep 1000" in line]) >= 2
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    await_that(lambda: not marked(mark), "every process is gone")


def test_closing_ends_what_runs(mark: str, tmp_path: Path) -> None:
    before = marked(mark)
    config = EvaluateConfig(folder=OBJECTIVES, call=MISBEHAVING, grace_s=0.2)
    evaluator = Evaluator(config, ["y"], {}, 1, tmp_path, "study")
    with ThreadPoolExecutor() as pool:
        bench = Bench(evaluator, tmp_path / "trials")
        future = pool.submit(bench.run, mode="leaves_tree_and_hangs")
        await_that(lambda: "ready" in _text(tmp_path / "trials" / "attempt-0" / "stdout"), "it runs")
        evaluator.close()
        assert future.result().outcome.cause is Cause.WORKER_LOST
    await_that(lambda: marked(mark).items() <= before.items(), "no process is left", within_s=5.0)


def test_a_killed_launcher_is_replaced(mark: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = EvaluateConfig(folder=OBJECTIVES, call=MISBEHAVING, grace_s=0.2)
    before = marked(mark)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        bench = Bench(evaluator, tmp_path / "trials")
        bench.run(mode="returns_number")
        launchers = marked(mark).keys() - before.keys()
        for pid in launchers:
            with contextlib.suppress(ProcessLookupError):  # the fork that evaluated may end just now
                os.kill(pid, signal.SIGKILL)
        await_that(lambda: not launchers & marked(mark).keys(), "they are dead")
        assert bench.run(mode="returns_number").outcome.cause is Cause.NONE
    await_that(lambda: marked(mark).items() <= before.items(), "no process is left", within_s=5.0)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_launchers_and_evaluations_load_nothing_big(tmp_path: Path) -> None:
    (tmp_path / "light.py").write_text(
        "import sys\n"
        "def evaluate():\n"
        "    big = {'numpy', 'xarray', 'zarr', 'distributed', 'dask', 'pydantic', 'yaml', 'jinja2'}\n"
        "    return {'y': len(big & sys.modules.keys())}\n"
    )
    config = EvaluateConfig(folder=tmp_path, call="light.py:evaluate")
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        assert Bench(evaluator, tmp_path / "trials").run().outcome.values == {"y": 0.0}


def test_an_evaluator_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    config = EvaluateConfig(folder=OBJECTIVES, call=MISBEHAVING)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study", parameters={"x"}) as evaluator:
        Bench(evaluator, tmp_path / "a").run(mode="returns_number")
        sent = pickle.loads(pickle.dumps(evaluator))
    with sent:
        assert Bench(sent, tmp_path / "b").run(mode="returns_number", x=2.0).outcome.values == {"y": 4.0}


def test_datasets_keep_dimensions_coordinates_and_attributes(tmp_path: Path) -> None:
    (tmp_path / "labelled.py").write_text(
        "import numpy as np, xarray as xr\n"
        "def evaluate(n):\n"
        "    dims, coords = ('roi', 'roi_2'), {'roi': ['a', 'b']}\n"
        "    matrix = xr.DataArray(np.eye(n), dims=dims, coords=coords, attrs={'units': 'mm'})\n"
        "    return xr.Dataset({'y': 1.5, 'matrix': matrix})\n"
    )
    config = EvaluateConfig(folder=tmp_path, call="labelled.py:evaluate")
    outputs = {"matrix": OutputConfig(dims=["roi_2", "roi"], dtype="float32", coords={"roi_2": [10, 20]})}
    with Evaluator(config, ["y"], outputs, 1, tmp_path, "study") as evaluator:
        evaluation = Bench(evaluator, tmp_path / "trials").run(n=2)
    matrix = evaluation.arrays["matrix"]
    assert evaluation.outcome.values == {"y": 1.5}
    assert (matrix.dims, matrix.data.dtype, dict(matrix.attrs)) == (
        ("roi_2", "roi"),
        "float32",
        {"units": "mm"},
    )
    assert evaluation.outcome.coords["roi"].values == ("a", "b")
    assert evaluation.outcome.coords["roi_2"].values == (10, 20)


def test_a_command_gets_its_inputs_and_leaves_results_everywhere(tmp_path: Path) -> None:
    (tmp_path / "simulate.sh").write_text(
        "#!/bin/sh\ncp model.in copied\necho gain 1\necho gain $1\n"
        'echo \'{"y": 2, "m": [[1, 2], [3, 4]]}\' > result.json\n'
        "$2 -c 'import numpy as n; n.savez(\"all.npz\", a=n.arange(3), b=n.float64(7))'\n"
    )
    (tmp_path / "simulate.sh").chmod(0o755)
    (tmp_path / "model.in.j2").write_text("width = {{ width }}\ntrial = {{ trial }}\n")
    config = EvaluateConfig(
        folder=tmp_path,
        command=["./simulate.sh", "{width:.2f}", "{python}"],
        templates=["model.in.j2"],
        result=ResultConfig(arrays={"a": "all.npz", "seven": "all.npz[b]"}, stdout={"gain": r"gain (\S+)"}),
    )
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        bench = Bench(evaluator, tmp_path / "trials")
        evaluation = bench.run(width=0.125)
    assert evaluation.outcome.error == ""
    assert evaluation.outcome.values == {"y": 2.0, "gain": 0.12, "seven": 7.0}
    np.testing.assert_array_equal(evaluation.arrays["m"].data, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(evaluation.arrays["a"].data, [0, 1, 2])
    assert (bench.last / "copied").read_text() == "width = 0.125\ntrial = 7\n"


@pytest.mark.parametrize(
    ("settings", "cause", "error"),
    [
        ({"command": ["false"]}, Cause.OBJECTIVE_ERROR, "exited with code 1"),
        ({"command": ["no-such-program"]}, Cause.OBJECTIVE_ERROR, "no-such-program cannot be executed"),
        ({"command": ["true"]}, Cause.INVALID_RESULT, "left no result.json"),
        ({"command": ["echo", "{width}"]}, Cause.OBJECTIVE_ERROR, "{width} has no value"),
        ({"command": ["sh", "beside.sh"]}, Cause.OBJECTIVE_ERROR, "write {folder}/beside.sh"),
        ({"command": "echo diverged >&2; exit 4", "shell": True}, Cause.OBJECTIVE_ERROR, "diverged"),
        ({"command": ["sleep", "100"], "timeout_s": 0.5}, Cause.TIMEOUT, "0.5 s"),
        ({"command": ["true"], "templates": ["beside.sh"]}, Cause.OBJECTIVE_ERROR, "'width' is undefined"),
    ],
)
def test_a_command_that_fails_says_why(
    mark: str, tmp_path: Path, settings: dict[str, object], cause: Cause, error: str
) -> None:
    (tmp_path / "beside.sh").write_text("echo {{ width }}")
    with Evaluator(EvaluateConfig(folder=tmp_path, **settings), ["y"], {}, 1, tmp_path, "study") as evaluator:
        outcome = Bench(evaluator, tmp_path / "trials").run(x=1).outcome
    assert outcome.cause is cause
    assert error in outcome.error


def test_shell_commands_quote_their_values(tmp_path: Path) -> None:
    config = EvaluateConfig(
        folder=tmp_path, shell=True, command="printf '%s' {text} > got; echo '{{\"y\": 1}}' > result.json"
    )
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        bench = Bench(evaluator, tmp_path / "trials")
        assert bench.run(text="a b; touch {x} $HOME 'q'").outcome.cause is Cause.NONE
    assert (bench.last / "got").read_text() == "a b; touch {x} $HOME 'q'"


CHECKPOINTING = {"call": "evaluate_checkpointing.py:evaluate", "checkpoint_signal": "SIGUSR1"}


def warned(bench: Bench, ready: str, of: Cause = Cause.WALLTIME, **params: object) -> Evaluation:
    """Run an attempt that is warned once it has written `ready`."""
    with ThreadPoolExecutor() as pool:
        future = pool.submit(bench.run, **params)
        await_that(lambda: hasattr(bench, "last") and ready in _text(bench.last / "stdout"), "it is ready")
        bench.evaluator.warn(of)
        return future.result()


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_warned_evaluation_saves_and_the_next_attempt_continues(
    mark: str, tmp_path: Path, isolation: str
) -> None:
    config = EvaluateConfig(folder=OBJECTIVES, isolation=isolation, **CHECKPOINTING)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        bench = Bench(evaluator, tmp_path / "trial")
        outcome = warned(bench, "half way", until=10, goes_on=False).outcome
        assert (outcome.status, outcome.cause) == (Status.FAILED, Cause.WALLTIME)
        assert "ended after it was warned that its job ends\nSystemExit: saved, and left" in outcome.error
        assert bench.run(until=10, goes_on=False).outcome.values == {"y": 10.0, "first": 5.0}


def test_a_warned_evaluation_that_ends_in_time_has_its_result(mark: str, tmp_path: Path) -> None:
    config = EvaluateConfig(folder=OBJECTIVES, **CHECKPOINTING)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        outcome = warned(Bench(evaluator, tmp_path / "trial"), "half way", until=10, goes_on=True).outcome
    assert (outcome.cause, outcome.values) == (Cause.NONE, {"y": 10.0, "first": 0.0})


SAVES = "trap 'echo 5 > {checkpoint}/count; exit 3' USR1; echo ready; while :; do sleep 0.02; done"


@pytest.mark.parametrize(
    ("of", "ends_in_s", "cause"),
    [
        (Cause.WALLTIME, None, Cause.WALLTIME),
        (Cause.WORKER_LOST, None, Cause.WORKER_LOST),
        (Cause.WORKER_LOST, 1000.0, Cause.WORKER_LOST),
        (Cause.WORKER_LOST, 5.0, Cause.WALLTIME),
    ],
)
def test_what_a_warned_command_leaves_is_kept_and_its_cause_is_the_jobs(
    tmp_path: Path, of: Cause, ends_in_s: float | None, cause: Cause
) -> None:
    config = EvaluateConfig(folder=tmp_path, command=SAVES, shell=True, checkpoint_signal="SIGUSR1")
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        evaluator.ends_at = None if ends_in_s is None else time.time() + ends_in_s
        outcome = warned(Bench(evaluator, tmp_path / "trial"), "ready", of).outcome
    assert (outcome.cause, outcome.exit_code) == (cause, 3)
    assert (tmp_path / "trial" / "checkpoint" / "count").read_text() == "5\n"


def test_without_a_signal_a_warning_changes_nothing(tmp_path: Path) -> None:
    command = "echo ready; sleep 0.5; echo '{{\"y\": 1}}' > result.json"
    config = EvaluateConfig(folder=tmp_path, command=command, shell=True)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        assert warned(Bench(evaluator, tmp_path / "trial"), "ready").outcome.values == {"y": 1.0}


def test_a_signal_to_the_job_at_its_end_is_its_walltime(mark: str, tmp_path: Path) -> None:
    config = EvaluateConfig(folder=OBJECTIVES, call=MISBEHAVING, grace_s=0.2)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        evaluator.ends_at = time.time() + 20.0
        outcome = Bench(evaluator, tmp_path / "trial").run(mode="is_preempted").outcome
    assert outcome.cause is Cause.WALLTIME


def test_an_evaluation_knows_when_its_job_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASKTELL_ENDS_AT", "1234.5")
    command = 'echo {{\\"y\\": $ASKTELL_ENDS_AT}} > result.json'
    config = EvaluateConfig(folder=tmp_path, command=command, shell=True)
    with Evaluator(config, ["y"], {}, 1, tmp_path, "study") as evaluator:
        assert Bench(evaluator, tmp_path / "trial").run().outcome.values == {"y": 1234.5}


def test_a_launcher_starts_the_command_and_functions_find_it(tmp_path: Path) -> None:
    (tmp_path / "ranks.py").write_text(
        "import os, subprocess\n"
        "def evaluate():\n"
        "    return float(subprocess.check_output(os.environ['ASKTELL_LAUNCHER'], shell=True))\n"
    )
    function = EvaluateConfig(folder=tmp_path, call="ranks.py:evaluate")
    with Evaluator(function, ["y"], {}, 3, tmp_path, "study", launcher="echo {cpus}") as evaluator:
        assert Bench(evaluator, tmp_path / "function").run().outcome.values == {"y": 3.0}
    program = EvaluateConfig(
        folder=tmp_path, command=["ranks"], result=ResultConfig(json=None, stdout={"y": r"(\d) ranks"})
    )
    with Evaluator(program, ["y"], {}, 3, tmp_path, "study", launcher="echo {cpus}") as evaluator:
        assert Bench(evaluator, tmp_path / "program").run().outcome.values == {"y": 3.0}


@pytest.mark.parametrize(("is_used", "is_kept"), [(True, True), (False, False)])
def test_an_unused_folder_for_checkpoints_goes(
    bench: Bench, tmp_path: Path, is_used: bool, is_kept: bool
) -> None:
    outcome = bench.run(mode="returns_nan").outcome
    place = tmp_path / "checkpoint"
    place.mkdir()
    if is_used:
        (place / "state").touch()
    cleanup(tmp_path, outcome, "failed")
    assert place.exists() is is_kept


@pytest.mark.parametrize(("keep", "kept"), [("all", {0, 1}), ("failed", {1}), ("none", set())])
def test_cleanup_keeps_what_was_asked_for(bench: Bench, keep: str, kept: set[int]) -> None:
    places = []
    for mode in ("returns_number", "returns_nan"):
        outcome = bench.run(mode=mode).outcome
        cleanup(bench.last, outcome, keep)
        places.append(bench.last)
    assert {index for index, place in enumerate(places) if place.exists()} == kept

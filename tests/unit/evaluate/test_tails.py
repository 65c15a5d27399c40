from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asktell.evaluate.tails import LOG_TAIL_BYTES, METRICS_KEPT, MetricsTail, log_tail


@given(cuts=st.lists(st.integers(0, 80), max_size=5))
def test_lines_are_read_once_however_they_arrive(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("attempt") / "metrics.jsonl"
    content = b'{"step": 1, "loss": 0.5}\nnot ours\n{"step": 2, "loss": 0.25, "error": 1}\n'
    tail = MetricsTail(path)
    assert tail.read() == ()
    seen = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(content)], strict=True):
        with path.open("ab") as file:
            file.write(content[start:end])
        seen += tail.read()
    assert tuple(seen) == tail.kept == ((1, "loss", 0.5), (2, "loss", 0.25), (2, "error", 1.0))
    assert tail.note == ""


def test_the_last_metrics_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    count = METRICS_KEPT + 5
    path.write_text("".join(f'{{"step": {step}, "loss": 1}}\n' for step in range(count)))
    tail = MetricsTail(path)
    tail.read()
    assert tail.kept[0][0] == 5
    assert str(count) in tail.note


@given(stdout=st.binary(max_size=9000), stderr=st.binary(max_size=9000))
def test_the_end_of_both_logs_is_shown(
    tmp_path_factory: pytest.TempPathFactory, stdout: bytes, stderr: bytes
) -> None:
    directory = tmp_path_factory.mktemp("attempt")
    (directory / "stdout").write_bytes(b"a" * len(stdout))
    (directory / "stderr").write_bytes(b"b" * len(stderr))
    text = log_tail(directory).replace("\n--- stderr\n", "")
    assert len(text) == min(LOG_TAIL_BYTES, len(stdout) + len(stderr))
    assert text.endswith("b" * min(len(stderr), LOG_TAIL_BYTES // 2))
    assert text.startswith("a" * min(len(stdout), LOG_TAIL_BYTES // 2))

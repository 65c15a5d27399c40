"""What a worker does without its driver, and which GPUs are its own."""

from __future__ import annotations

import pytest

from asktell.cluster.rendezvous import Rendezvous
from asktell.config import ClusterConfig
from asktell.errors import ExecutorError
from asktell.job.afterwards import Step, is_replaced, next_step
from asktell.job.crew import Plan
from asktell.job.slot import address_of, choose_gpus

MINE = Rendezvous("tls://10.0.0.1:1", 3)


@pytest.mark.parametrize(
    ("present", "step"),
    [
        (None, Step.LEAVE),  # the driver has ended, and said so
        (MINE, Step.KNOCK),  # it was killed, or only the connection is broken
        (Rendezvous(MINE.address, 3, successor_until=1e9), Step.WAIT),
        (Rendezvous("tls://10.0.0.2:1", 4), Step.JOIN),
        (Rendezvous("tls://10.0.0.2:1", 4, successor_until=1e9), Step.WAIT),  # and that one goes already
    ],
)
def test_a_worker_without_its_driver_does_what_the_study_says(present: Rendezvous | None, step: Step) -> None:
    assert next_step(MINE, present) is step


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (None, False),
        (MINE, False),
        (Rendezvous("tls://10.0.0.2:1", 4), True),
        (Rendezvous("tls://10.0.0.2:1", 4, successor_until=1e9), False),
        (Rendezvous(MINE.address, 4), False),  # it was joined by its address, before it announced itself
    ],
)
def test_a_worker_whose_driver_is_silent_sees_that_another_one_is_there(
    present: Rendezvous | None, expected: bool
) -> None:
    assert is_replaced(MINE, present) is expected


@pytest.mark.parametrize(
    ("gpus", "workers", "visible", "expected"),
    [
        (1, 2, "0,1", ["0", "1"]),
        (2, 2, "GPU-a,GPU-b,GPU-c,GPU-d", ["GPU-a,GPU-b", "GPU-c,GPU-d"]),
        (1, 1, "0,1", ["0,1"]),
        (0, 2, "0,1", ["0,1", "0,1"]),
    ],
)
def test_slots_of_one_job_share_its_gpus(gpus: int, workers: int, visible: str, expected: list[str]) -> None:
    cluster = ClusterConfig(kind="slurm", gpus_per_trial=gpus)
    for number in range(workers):
        environ = {"CUDA_VISIBLE_DEVICES": visible}
        choose_gpus(environ, cluster, Plan("s", "a", "n", workers, 1.0, "/tmp", number=number))
        assert environ == {"CUDA_VISIBLE_DEVICES": expected[number]}


def test_a_network_that_the_node_does_not_have_is_named_with_its_setting_and_those_there_are() -> None:
    assert address_of(None) is None
    assert address_of("lo") == "127.0.0.1"
    with pytest.raises(ExecutorError, match=r"cluster\.interface: 'ib9'.*'lo'"):
        address_of("ib9")

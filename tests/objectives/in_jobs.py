"""An objective for studies in batch jobs: notes each evaluation, and waits while a file `hold` is there.

NOTES names the folder of both; SECONDS is how long an evaluation takes besides.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["NOTES"])


def note(event: str) -> None:
    """Append a line; lines this short are not torn."""
    trial, attempt = int(os.environ["ASKTELL_TRIAL"]), int(os.environ["ASKTELL_ATTEMPT"])
    job = os.environ.get("SLURM_JOB_ID") or os.environ["JOB_ID"]
    line = json.dumps({"event": event, "trial": trial, "attempt": attempt, "job": job})
    with (FOLDER / "evaluations.jsonl").open("a") as file:
        file.write(line + "\n")


def evaluate(x: float, y: float) -> dict[str, float]:
    note("start")
    while (FOLDER / "hold").exists():
        time.sleep(0.05)
    time.sleep(float(os.environ["SECONDS"]))
    note("end")
    return {"f": (x - 0.3) ** 2 + (y - 0.6) ** 2}


def evaluate_in_parts(x: float, y: float) -> dict[str, float]:
    """Saves at SIGUSR1 that it has begun; only an attempt that finds this comes to its end."""
    checkpoint = Path(os.environ["ASKTELL_CHECKPOINT"]) / "state"

    def save(*_: Any) -> None:
        checkpoint.write_text("begun")
        note("saved")

    signal.signal(signal.SIGUSR1, save)
    note("start")
    while not checkpoint.exists() or checkpoint.read_text() != "begun" or _is_first_attempt():
        time.sleep(0.05)
    note("end")
    return {"f": (x - 0.3) ** 2 + (y - 0.6) ** 2}


def _is_first_attempt() -> bool:
    return os.environ["ASKTELL_ATTEMPT"] == "0"

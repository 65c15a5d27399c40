"""One objective, many ways to go wrong; `mode` chooses."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def evaluate(mode: str, repeat: int) -> Any:
    good = {"y": float(repeat), "field": np.arange(6.0).reshape(2, 3)}
    match mode:
        case "exit":
            os._exit(7)
        case "raise":
            raise ValueError("no such mesh")
        case "orphan":
            subprocess.Popen(SLEEPER, start_new_session=True)
        case "nan":
            good["y"] = float("nan")
        case "wrong_key":
            return {"why": 1.0, "field": good["field"]}
        case "wrong_shape":
            good["field"] = np.arange(4.0)
        case "flood":
            for _ in range(50):
                sys.stdout.write("x" * 1_000_000)
        case "hang":
            while True:
                time.sleep(1)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "kill_worker":
            _kill_worker_once()
    return good


def _kill_worker_once() -> None:
    """SIGKILL the dask worker above this process, in the trial's first attempt only."""
    import psutil

    if os.environ["ASKTELL_ATTEMPT"] != "0":
        return
    subprocess.Popen(SLEEPER, start_new_session=True)
    above = psutil.Process().parents()
    worker = next(item for item in above if "spawn_main" in " ".join(item.cmdline()))
    Path("killed").touch()
    worker.kill()
    time.sleep(600)

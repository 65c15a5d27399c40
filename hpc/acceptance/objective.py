"""An evaluation that takes 20 to 60 seconds, depending on its parameter, and notes that it began."""

import os
import time
from pathlib import Path


def evaluate(x: float) -> dict[str, float]:
    notes = Path(os.environ["ASKTELL_STUDY_DIR"]) / "evaluations"
    with notes.open("a") as file:
        file.write(f"{os.environ['ASKTELL_TRIAL']}\n")
    time.sleep(20 + 40 * x)
    return {"f": (x - 0.3) ** 2}

"""Counts up to `until`; saves its count when it is warned, and continues from it in the next attempt."""

import os
import signal
import time
from pathlib import Path


def evaluate(until: int, goes_on: bool) -> dict[str, float]:
    saved = Path(os.environ["ASKTELL_CHECKPOINT"], "count")
    count = first = int(saved.read_text()) if saved.exists() else 0

    def save(*_: object) -> None:
        saved.write_text(str(count))
        if not goes_on:
            raise SystemExit("saved, and left")

    signal.signal(signal.SIGUSR1, save)
    while count < until:
        count += 1
        if first == 0 and count == until // 2:
            print("half way")
            while not saved.exists():
                time.sleep(0.01)
    return {"y": count, "first": first}

"""Modules that cannot live in a template: their import starts a thread, or fails."""

import os
import threading
import time

if os.environ.get("UNFORKABLE") == "import fails":
    raise RuntimeError("no licence for this library")
if os.environ.get("UNFORKABLE") == "import exits":
    os._exit(7)
if os.environ.get("UNFORKABLE") == "import hangs":
    time.sleep(1000)

_thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True)
_thread.start()


def evaluate(x: float) -> float:
    return float(_thread.is_alive())  # a fork would have the object, but not the thread

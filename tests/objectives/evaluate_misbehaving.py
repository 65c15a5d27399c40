"""An objective that misbehaves in the way that its parameter names."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np

import asktell


def evaluate(mode: str, x: float = 0.5) -> object:
    return globals()[mode](x)


def returns_number(x):
    return x**2


def returns_arrays(x):
    return {"y": x, "field": np.full((2, 3), x, dtype="f4"), "spectrum": [1j, 2.0], "n": np.int64(3)}


def returns_nan(x):
    return float("nan")


def returns_wrong_key(x):
    return {"z": x, "yy": 1.0}


def returns_nothing(x):
    pass


def returns_text(x):
    return {"y": "high"}


def returns_wrong_shape(x):
    return {"y": x, "declared": np.zeros((3, 2))}


def returns_invalid(x):
    return {"y": -1.0}


def returns_parameter(x):
    return {"y": x, "x": x}


def raises(x):
    raise ValueError(f"no convergence at {x}\nsecond line")


def lacks_memory(x):
    raise MemoryError("a matrix of 10 TB")


def exits(x):
    os._exit(3)


def exits_politely(x):
    sys.exit(0)


def crashes(x):
    os.kill(os.getpid(), signal.SIGSEGV)


def never_returns(x):
    while True:
        time.sleep(1000)


def ignores_term(x):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    never_returns(x)


def stops_itself(x):
    os.kill(os.getpid(), signal.SIGSTOP)


def talks(x):
    line = "x" * 99 + "\n"
    for _ in range(500_000):
        sys.stdout.write(line)
    sys.stderr.write("the end\n")
    return x


def leaves_daemon(x):
    """A grandchild in a session of its own, whose parent is gone: nothing in sight has its group."""
    script = "(setsid sleep 1000 &) ; setsid sleep 1000 & exit 0"
    subprocess.run(["/bin/sh", "-c", script], check=True, stdout=subprocess.DEVNULL)
    return x


def leaves_tree_and_hangs(x):
    leaves_daemon(x)
    print("ready")
    never_returns(x)


def forks_and_both_return(x):
    os.fork()
    return x


def uses_memory(x):
    held = []
    while True:
        held.append(bytes(bytearray(b"x" * 20_000_000)))
        time.sleep(0.01)


def uses_memory_in_children(x):
    """Two processes, each of them below the limit."""
    code = "held = b'x' * 200_000_000; import time; time.sleep(1000)"
    for child in [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(2)]:
        child.wait()


def shares_memory(x):
    """Resident sizes of these forks sum up to more than the limit, the memory they hold does not."""
    held = b"x" * 120_000_000
    pids = []
    for _ in range(4):
        pids.append(os.fork())
        if pids[-1] == 0:
            time.sleep(0.8)
            os._exit(len(held) & 0)
    for pid in pids:
        os.waitpid(pid, 0)
    return x


def logs_metrics(x):
    for step in range(3):
        asktell.log(step, loss=1.0 / (step + 1))
    return x


def draws(x):
    return {"y": random.random(), "z": np.random.random()}


def kills_supervisor(x):
    os.kill(os.getppid(), signal.SIGKILL)
    never_returns(x)


def stops_supervisor(x):
    os.kill(os.getppid(), signal.SIGSTOP)
    never_returns(x)


def is_preempted(x):
    """A batch system signals every process of the job; this one happens to be the first to hear."""
    parent = os.getppid()
    if os.fork() == 0:
        time.sleep(0.1)
        os.kill(parent, signal.SIGTERM)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGTERM)


def warns_everybody(x):
    """Some batch systems send their warning to every process of a job."""
    with open(f"/proc/{os.getppid()}/stat") as file:
        launcher = int(file.read().rpartition(")")[2].split()[1])
    for pid in (os.getppid(), launcher):
        os.kill(pid, signal.SIGUSR1)
        os.kill(pid, signal.SIGUSR2)
    return x


def tells_environment(x):
    return {
        "y": float(os.environ["ASKTELL_TRIAL"]),
        "which": float(os.environ["ASKTELL_ATTEMPT"]),
        "threads": float(os.environ["OMP_NUM_THREADS"]),
        "own": float(os.environ["OWN_VARIABLE"]),
        "is_in_directory": os.getcwd() == os.environ["ASKTELL_DIR"],
        "seed": float(os.environ["ASKTELL_SEED"]),
    }

"""`python -m asktell` is the command `asktell`."""

import signal
import sys

if "--hand-over" in sys.argv:
    # The end of a walltime may be announced during the imports below; it waits until there is a listener.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

from asktell.cli import main

main(prog_name="asktell")

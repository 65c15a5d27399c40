"""The program that a batch job executes."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence

from asktell.job import allocation
from asktell.job.crew import Crew, Plan

DEATH_TIMEOUT_S = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job's workers; the exit code of the job."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return Crew(parse(arguments), allocation.find(os.environ)).run()


def parse(arguments: Sequence[str] | None) -> Plan:
    """The plan that a command line asks for; options of dask's own worker program are passed over."""
    parser = argparse.ArgumentParser(prog="python -m asktell.job", description=__doc__, allow_abbrev=False)
    parser.add_argument("address", help="scheduler to join when the study's directory names none")
    parser.add_argument("--study", required=True, help="directory of the study")
    parser.add_argument("--workers", type=int, default=1, help="trials at the same time")
    parser.add_argument("--name", default="", help="name of the worker")
    parser.add_argument(
        "--death-timeout", type=float, default=DEATH_TIMEOUT_S, help="seconds to look for a driver"
    )
    parser.add_argument("--local-directory", help="scratch on the node; default: $TMPDIR")
    options, _ = parser.parse_known_args(arguments)
    return Plan(
        study=os.path.abspath(options.study),
        address=options.address,
        name=options.name or f"job-{os.getpid()}",
        workers=options.workers,
        death_timeout_s=options.death_timeout,
        scratch=os.path.abspath(options.local_directory or tempfile.gettempdir()),
    )


if __name__ == "__main__":
    sys.exit(main())

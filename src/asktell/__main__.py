"""`python -m asktell` is the command `asktell`."""

from asktell.cli import main

main(prog_name="asktell")

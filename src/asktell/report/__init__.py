"""A study as one HTML page that needs nothing else: no network, no server, no Python."""

from asktell.report.page import render, write

__all__ = ["render", "write"]

"""The command line: parse, call one function, print."""

from sightlab.cli.app import main

__all__ = ["main"]

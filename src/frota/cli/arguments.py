"""Building the parser of one command; every command takes the common options too."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import NoReturn

from frota.cli.outcome import Exit
from frota.cli.terminal import Terminal

Run = Callable[[argparse.Namespace, Terminal], int]
DEFAULT_STORE = ".frota/frota.db"
_WIDTH = 90
OUTPUTS = ("table", "json", "yaml")
COMMON_HELP = """\
common options:
  --store PATH              the store (default: $FROTA_STORE, else .frota/frota.db)
  --output table|json|yaml  the form of the result (default: table)
  --no-color                no colours (as does the variable NO_COLOR)"""


class Parser(argparse.ArgumentParser):
    """A parser that takes no shortened options and ends with the code for bad usage."""

    def __init__(self, prog: str, **_more: object) -> None:
        super().__init__(
            prog=prog,
            allow_abbrev=False,
            add_help=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("-h", "--help", action="help", help="show this and end")

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where help is."""
        self.exit(Exit.BAD_INPUT, f"{self.prog}: {message}; see: {self.prog} --help\n")


def add_common(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
    """The options that every command takes; described in ``COMMON_HELP``. Those of a
    nested parser say nothing when they are not given, so that the outer ones stand."""
    quiet = argparse.SUPPRESS
    form, plain, store = (quiet, quiet, quiet) if nested else ("table", False, None)
    parser.add_argument("--store", metavar="PATH", default=store, help=quiet)
    parser.add_argument("--output", choices=OUTPUTS, default=form, help=quiet)
    parser.add_argument("--no-color", action="store_true", default=plain, help=quiet)


def describe(parser: argparse.ArgumentParser, text: str, *examples: str) -> None:
    """What a command does, and at least one example of it, for its help."""
    parser.description = fill(text, _WIDTH)
    shown = "\n".join(f"  {line}" for line in examples)
    parser.epilog = f"{COMMON_HELP}\n\nexamples:\n{shown}"


def store_path(given: str | None) -> Path:
    """The store that was asked for, on the line or in the environment."""
    return Path(given or os.environ.get("FROTA_STORE") or DEFAULT_STORE)

"""Where a command's words go, and in which form."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_GAP = "  "


def printable(text: str) -> str:
    """One line of text with nothing in it that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)


@dataclass(frozen=True, slots=True)
class Cell:
    """A word in a table, with the style it has on a terminal."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What every command is given: ``output`` is ``table``, ``json`` or ``yaml``."""

    store: Path
    output: str = "table"
    color: bool = False
    out: TextIO = sys.stdout
    err: TextIO = sys.stderr

    def say(self, text: str = "") -> None:
        """One line for people, on standard output."""
        self.out.write(f"{text}\n")

    def note(self, text: str) -> None:
        """One line that is no part of the result, on standard error."""
        self.err.write(f"{text}\n")

    def paint(self, text: str, style: str) -> str:
        """Text in a style, on a terminal that shows it."""
        if not self.color or not style:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def data(self, value: Any) -> None:
        """A result as JSON or YAML, as was asked for."""
        if self.output == "yaml":
            import yaml

            yaml.safe_dump(value, self.out, sort_keys=False, allow_unicode=True, width=100)
            return
        import json

        self.out.write(f"{json.dumps(value, indent=2, ensure_ascii=False)}\n")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> None:
        """Columns with a head; the last one may be of any width."""
        cells = [
            [cell if isinstance(cell, Cell) else Cell(printable(cell)) for cell in row]
            for row in rows
        ]
        widths = [len(word) for word in head]
        for row in cells:
            widths = [max(w, len(c.text)) for w, c in zip(widths, row, strict=True)]
        self.say(self.paint(self._line([Cell(word) for word in head], widths), "bold"))
        for row in cells:
            self.say(self._line(row, widths))

    def _line(self, row: Sequence[Cell], widths: Sequence[int]) -> str:
        last = len(row) - 1
        parts = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            pad = "" if place == last else " " * (width - len(cell.text))
            parts.append(self.paint(cell.text, cell.style) + pad)
        return _GAP.join(parts).rstrip()


def wants_color(out: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are welcome: on a terminal, unless NO_COLOR (no-color.org) is set."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return out.isatty()

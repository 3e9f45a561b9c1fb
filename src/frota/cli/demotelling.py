"""How ``frota demo`` tells an act: on a screen, and as data."""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from frota.cli import shapes
from frota.cli.terminal import printable
from frota.model.decision import Decision, Stage
from frota.runtime.alarm import PipeAlarm

_STYLES = {
    Stage.CAUSE: "yellow",
    Stage.DECISION: "cyan",
    Stage.ACTION: "bold",
    Stage.OUTCOME: "green",
}
_KINDS_SAID = ("Host", "Cluster", "Wave", "Fleet")


class Telling:
    """One act. ``pause`` is how long a reader gets after each chapter, in s; ``failed`` is
    what did not come as it must."""

    def __init__(self, act: str, console: Console, pause: float) -> None:
        self.act = act
        self.failed: list[str] = []
        self._console = console
        self._pause = pause
        self._steps: list[dict[str, Any]] = []

    def title(self, title: str, text: str) -> None:
        """A chapter begins."""
        self._steps.append({"title": title, "text": text, "found": [], "journal": []})
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
        self.say(text)
        self._console.print()

    def say(self, text: str) -> None:
        """Words for a reader alone."""
        self._console.print(Text(printable(text)))

    def rule(self) -> None:
        """The chapters are over."""
        self._console.print(Rule(style="dim"))

    def must(self, holds: bool, text: str) -> None:
        """What must have come of it, and whether it did."""
        mark = Text("  ✓ ", style="green") if holds else Text("  ✗ ", style="red")
        self._console.print(mark.append(printable(text), style="" if holds else "red"))
        self._steps[-1]["found"].append({"holds": holds, "text": text})
        if not holds:
            self.failed.append(text)

    def line(self, line: Decision, began: float) -> None:
        """One line of the journal; its time is shown since ``began``."""
        text = Text(f"  {_clock(line.at - began)}  ", style="dim")
        text.append(f"{printable(_subject(line))}  ", style=_STYLES[line.stage])
        text.append(printable(line.message), style="not dim")
        self._console.print(text)
        self._steps[-1]["journal"].append(shapes.decision(line))

    def show(self, state: dict[str, Any], *tables: RenderableType) -> None:
        """How it stands: tables for a reader, and the same as data. A later picture of one
        chapter stands for the one before."""
        for table in tables:
            self._console.print()
            self._console.print(table)
        self._steps[-1].update(state)

    def rest(self) -> None:
        """A reader's time between two chapters."""
        PipeAlarm().wait(self._pause)

    def data(self) -> dict[str, Any]:
        """The act for programs."""
        return {"act": self.act, "asItMust": not self.failed, "steps": self._steps}


def _subject(line: Decision) -> str:
    kind, _, name = line.subject.partition("/")
    if kind == "HostGroup":
        return "plan"
    return f"{kind.lower()} {name}" if kind in _KINDS_SAID else name


def _clock(at: float) -> str:
    minutes, seconds = divmod(int(at), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"

"""Reading the files that a command was given: files, directories, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal, printable
from frota.resources.documents import Loaded, load
from frota.resources.errors import Problem, report

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")
_BYTES_MOST = 256 * 1024 * 1024  # the reader refuses 64 Mi characters, of at most 4 bytes


def loaded(names: Sequence[str], known: Iterable[Mapping[str, Any]], terminal: Terminal) -> Loaded:
    """What the files hold, checked together and against what is stored.

    Shows warnings on standard error. Raises Failure after showing every problem of every
    file, those of files that cannot be read included.
    """
    found, unreadable = read_all(names)
    return checked(found, known, terminal, unreadable)


def checked(
    texts: Sequence[tuple[str, str]],
    known: Iterable[Mapping[str, Any]],
    terminal: Terminal,
    unreadable: Sequence[Problem] = (),
) -> Loaded:
    """``loaded`` of files that were read."""
    result = load(texts, known)
    for line in report(result.warnings):
        terminal.note(f"warning: {printable(line)}")
    problems = [*unreadable, *result.problems]
    if problems:
        for line in report(problems):
            terminal.note(printable(line))
        raise Failure(Exit.BAD_INPUT, f"{_count(problems)}; nothing was changed")
    return result


def read_all(names: Sequence[str]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Every file with its text, and a problem for each that cannot be read."""
    found: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for name in _expanded(names, problems):
        try:
            found.append((name, read_text(name)))
        except OSError as error:
            said = error.strerror or "an error"
            problems.append(Problem(name, 1, 1, "", "a file that can be read", said))
        except UnicodeDecodeError as error:
            place = f"the byte 0x{error.object[error.start]:02x} at offset {error.start}"
            problems.append(Problem(name, 1, 1, "", "UTF-8 text", place))
    return found, problems


def read_text(name: str) -> str:
    """The text of one file, or of standard input. Raises OSError and UnicodeDecodeError."""
    if name == STDIN:
        data = sys.stdin.buffer.read(_BYTES_MOST + 1)
    else:
        with Path(name).open("rb") as file:
            data = file.read(_BYTES_MOST + 1)
    if len(data) > _BYTES_MOST:
        raise OSError(0, f"more than {_BYTES_MOST} bytes")
    return data.decode("utf-8")


def _expanded(names: Sequence[str], problems: list[Problem]) -> Iterable[str]:
    """Directories as the files in them, by name; each file once."""
    seen: dict[str, None] = {}
    for name in names:
        if name == STDIN or not Path(name).is_dir():
            seen.setdefault(name)
            continue
        inside = sorted(
            str(Path(folder) / file)
            for folder, _, files in os.walk(name)
            for file in files
            if file.endswith(_SUFFIXES)
        )
        if not inside:
            expected = f"files ending in {', '.join(_SUFFIXES)}"
            problems.append(Problem(name, 1, 1, "", expected, "none in this directory"))
        for file in inside:
            seen.setdefault(file)
    return seen


def _count(problems: Sequence[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def problem_data(problem: Problem) -> dict[str, Any]:
    """One problem for programs."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
    }

"""YAML text to plain values, with the line and column of every value and key.

The parser's events are walked with an own stack (``building``). The node composer of
libyaml would recurse: a deeply nested text ends the process with a segmentation fault,
and it is four times slower. After an error in one document reading goes on with the
next, so that what is wrong in all of them is reported at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from frota.resources.building import Builder, Document
from frota.resources.errors import Problem
from frota.resources.syntax import explain, unreadable

TEXT_MOST = 64 * 1024 * 1024  # characters of one file
_SYNTAX_ERRORS_MOST = 100  # of one file; then reading of it stops
_DOCUMENT_MARK = re.compile(r"---(\s|$)")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one file holds: its non-empty documents in order, and what is wrong so far.
    ``complete`` is false when a document is missing because it could not be read."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    complete: bool = True


def read(file: str, text: str) -> Reading:
    """Read one file. Never raises for anything that the text holds."""
    if len(text) > TEXT_MOST:
        expected = f"at most {TEXT_MOST} characters in one file"
        found = f"{len(text)} characters"
        return Reading((), (Problem(file, 1, 1, "", expected, found, "split the file"),), False)
    problems = unreadable(file, text)
    if problems:
        return Reading((), tuple(problems), complete=False)
    builder = Builder(file)
    complete = _read_documents(file, text, builder)
    if not builder.documents and not builder.problems:
        expected = "a document with apiVersion, kind, metadata and spec"
        builder.problems.append(Problem(file, 1, 1, "", expected, "an empty file"))
    return Reading(tuple(builder.documents), tuple(builder.problems), complete)


def _read_documents(file: str, text: str, builder: Builder) -> bool:
    """Whether every document could be read."""
    lines: list[str] = []
    part, first = text, 0  # what is still to be read, and its first line in the file
    for _ in range(_SYNTAX_ERRORS_MOST):
        builder.begin(first)
        error = _read_stretch(part, builder)
        if error is None and not builder.gave_up:
            return not lines
        lines = lines or _LINE_END.split(text)
        if isinstance(error, yaml.MarkedYAMLError):
            builder.problems.append(explain(file, error, lines, first))
        elif error is not None:
            found = f"text that cannot be read: {type(error).__name__}"
            builder.problems.append(Problem(file, first + 1, 1, "", "valid YAML", found))
            return False
        # "---" at the start of a line begins a document, whatever stands before it.
        begun = max(builder.document_line, first)
        marks = (n for n in range(begun + 1, len(lines)) if _DOCUMENT_MARK.match(lines[n]))
        first = next(marks, -1)
        if first < 0:
            return False
        part = "\n".join(lines[first:])
    found = f"{_SYNTAX_ERRORS_MOST} documents that are not; the rest of the file was not read"
    builder.problems.append(Problem(file, first + 1, 1, "", "valid YAML", found))
    return False


def _read_stretch(text: str, builder: Builder) -> yaml.YAMLError | None:
    """Read until the end, an error, or a document that the builder gives up. To parse on
    in one that is nested too deeply would take the square of its length."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
            if builder.gave_up:
                break
    except yaml.YAMLError as error:
        return error
    return None

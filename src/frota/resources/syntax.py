"""What the YAML parser says, in plain words and at the place that needs the mend."""

from __future__ import annotations

import re

from yaml import MarkedYAMLError

from frota.resources.errors import Problem, quoted

# What is not text in YAML: control characters, lone surrogates, the two non-characters.
_NOT_TEXT = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_INDENT = "the same indentation as the lines it belongs to"
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "one key: value on a line",
     'put text with ": " in quotes, or align the key with its neighbours'),
    ("did not find expected key", _INDENT, "align the key with its neighbours"),
    ("did not find expected '-' indicator", _INDENT, 'align it with the "-" of the other items'),
    ("could not find expected ':'", "key: value", 'put ": " after the key'),
    ("block sequence entries are not allowed", "a list that starts on its own line",
     'put "- " on the next line'),
    ("found unknown escape character", "a known escape after \\",
     "use '…' quotes, in which \\ is plain"),
    ("did not find expected node content", "a value",
     "end the list or mapping, or take the last comma away"),
    ("found unexpected ':'", "a space after :", 'write "key: value", or quotes around it all'),
    ("invalid Unicode character escape", "a character that UTF-8 has",
     "write the character itself, not its escape"),
    ("found undefined tag handle", "no tags", "take the ! away"),
    ("found incompatible YAML document", "YAML 1.1 or 1.2", "take the %YAML line away"),
)  # fmt: skip
_OPENED = {
    "while parsing a flow sequence": ("a , or ] in this list", "put ] where the list ends"),
    "while parsing a flow mapping": ("a , or } in this mapping", "put } where the mapping ends"),
    "while scanning a quoted scalar": ("text that ends with its quote", "put the closing quote"),
}


def unreadable(file: str, text: str) -> list[Problem]:
    """A problem for the first character of each line that is not text."""
    problems: dict[int, Problem] = {}
    start = 1 if text.startswith("\ufeff") else 0
    line, line_start, seen = 1, 0, 0
    for match in _NOT_TEXT.finditer(text, start):
        at = match.start()
        line += text.count("\n", seen, at)
        line_start = text.rfind("\n", 0, at) + 1
        seen = at
        problems.setdefault(
            line,
            Problem(file, line, at - line_start + 1, "", "UTF-8 text",
                    f"the character U+{ord(match.group()):04X}", "take it out"),
        )  # fmt: skip
    return list(problems.values())


def explain(file: str, error: MarkedYAMLError, lines: list[str], offset: int) -> Problem:
    """One parser error as a problem; ``lines`` are those of the text that was parsed,
    ``offset`` is the number of lines before it in the file."""
    mark = error.problem_mark or error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    expected, found, hint = _meaning(error, lines, row, column)
    opened = _OPENED.get(error.context or "")
    # The end of what was left open is nowhere: its beginning is where a person looks.
    if opened and error.context_mark and "escape" not in (error.problem or ""):
        expected, hint = opened
        found = f"none before line {row + 1 + offset}" if row < len(lines) - 1 else "none"
        row, column = error.context_mark.line, error.context_mark.column
    return Problem(file, row + 1 + offset, column + 1, "", expected, found, hint)


def _meaning(
    error: MarkedYAMLError, lines: list[str], row: int, column: int
) -> tuple[str, str, str]:
    line = lines[row] if row < len(lines) else ""
    char = line[column : column + 1]
    found = quoted(char) if char else "the end of the text" if row >= len(lines) else "a line end"
    problem = error.problem or "text that is not YAML"
    if char == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        return "spaces for indentation", "a tab", "replace tabs by spaces"
    if "cannot start any token" in problem:
        return "text in quotes when it starts with this character", found, 'put "…" around it'
    for words, expected, hint in _WORDS:
        if words in problem:
            return expected, found, hint
    return "valid YAML", f"{found}: {problem}", ""

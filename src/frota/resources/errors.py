"""What is wrong with a file, where, and how to mend it: one line for each problem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Path = tuple[str | int, ...]

SHOWN_MOST = 100  # problems printed; the rest are counted
_CHOICES_SHOWN = 12
_CHOICES_SEARCHED = 2000
_TEXT_SHOWN = 60
_NEAR_ENOUGH = 0.6  # similarity, 0 to 1, from which a word is worth proposing
_SHORT, _NEAR_SHORT = 3, 0.5  # in so short a word one letter is much
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECRET = re.compile(r"pass(wd|word|phrase)|secret|token|community|credential|(api|private)_?key")
_SECRET_PLACE = re.compile(r"(script|file|path)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one place. Lines and columns start at 1.

    ``choices`` are the right words where only certain words are right; the nearest one to
    ``word`` is proposed. ``found`` never holds a secret.
    """

    file: str
    line: int
    column: int
    path: str
    expected: str
    found: str
    hint: str = ""
    word: str = ""
    choices: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What was expected, what was found, and a mend where there is one."""
        hint = self.hint
        if not hint and self.choices:
            near = nearest(self.word, self.choices)
            hint = f"did you mean {near}?" if near else ""
        text = f"expected {self.expected}; found {self.found}"
        return f"{text} ({hint})" if hint else text

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: "
        return f"{place}{self.path}: {self.message}" if self.path else place + self.message


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file and place, each place and path once: the first thing said of it stands."""
    found: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        found.setdefault(_place(problem), problem)
    return tuple(found[place] for place in sorted(found))


def in_order_beside(first: Iterable[Problem], more: Iterable[Problem]) -> tuple[Problem, ...]:
    """Both by file and place; of ``more`` what is about other places than ``first``."""
    said = in_order(first)
    places = {_place(problem) for problem in said}
    beside = (problem for problem in dict.fromkeys(more) if _place(problem) not in places)
    return tuple(sorted((*said, *beside), key=_place))


def _place(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line, problem.column, problem.path


def report(problems: Sequence[Problem], most: int = SHOWN_MOST) -> list[str]:
    """One line for each of the first ``most`` problems, and one that counts the rest."""
    lines = [str(problem) for problem in problems[:most]]
    rest = len(problems) - most
    if rest > 0:
        lines.append(f"and {rest} more; mend these first")
    return lines


def one_of(words: Iterable[str]) -> str:
    """``one of a, b, c``, shortened where there are many."""
    every = list(words)
    return listed(every) if len(every) == 1 else f"one of {listed(every)}"


def listed(words: Sequence[str]) -> str:
    """``a, b, c``, shortened where there are many."""
    shown_words = ", ".join(words[:_CHOICES_SHOWN])
    more = len(words) - _CHOICES_SHOWN
    return f"{shown_words}, … ({more} more)" if more > 0 else shown_words


def nearest(word: str, choices: Sequence[str]) -> str:
    """The choice most like ``word``, the first of equals; empty when none is like it."""
    best, best_ratio = "", _NEAR_SHORT if len(word) <= _SHORT else _NEAR_ENOUGH
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(word[:_TEXT_SHOWN].lower())
    for choice in choices[:_CHOICES_SEARCHED]:
        matcher.set_seq1(choice[:_TEXT_SHOWN].lower())
        if matcher.real_quick_ratio() < best_ratio or matcher.quick_ratio() < best_ratio:
            continue
        ratio = matcher.ratio()
        if ratio > best_ratio or (not best and ratio == best_ratio):
            best, best_ratio = choice, ratio
    return best


def path_text(path: Path) -> str:
    """``spec.hosts[2].rack``; a key that is no plain word stands in brackets and quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif len(part) <= _TEXT_SHOWN and _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str) -> str:
    """Text in double quotes on one line, shortened, with nothing a terminal would obey."""
    if len(text) > _TEXT_SHOWN:
        text = text[:_TEXT_SHOWN] + "…"
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in escaped
    )


def secret_word(word: str) -> bool:
    """Whether a field of this name holds a secret itself, not the place of one."""
    name = word.lower().replace("-", "_")
    return bool(_SECRET.search(name)) and not _SECRET_PLACE.search(name)


def shown(value: object, path: Path = ()) -> str:
    """What stands at a path, in a few words; what may be a secret is not shown."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if any(isinstance(part, str) and secret_word(part) for part in path):
        return "a value (not shown: it may be secret)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)

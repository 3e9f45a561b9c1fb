"""What rules see and say.

Rules run also on documents in which other things are wrong, so that one run reports
everything; they take any value and pass over what has not the right form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from frota.resources.errors import Path
from frota.resources.quantity import QuantityError, parse_bytes, parse_duration


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found at a path. ``at_key``: the key there is what is wrong."""

    path: Path
    expected: str
    found: str
    hint: str = ""
    word: str = ""
    choices: tuple[str, ...] = ()
    at_key: bool = False
    warning: bool = False


Rule = Callable[[Any], Iterable[Finding]]


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path, or None."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def text(value: Any, *path: str | int) -> str:
    """The text at a path, or the empty text."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Any, *path: str | int) -> int | None:
    """The whole number at a path, or None."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def size(value: Any, *path: str | int) -> int | None:
    """The bytes at a path, or None."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    try:
        return parse_bytes(found)
    except QuantityError:
        return None


def duration(value: Any, *path: str | int) -> float | None:
    """The seconds at a path, or None."""
    found = at(value, *path)
    try:
        return parse_duration(found) if isinstance(found, str) else None
    except QuantityError:
        return None


def entries(value: Any, *path: str | int) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The mappings in the list at a path, each with its own path."""
    found = at(value, *path)
    if isinstance(found, list):
        for index, item in enumerate(found):
            if isinstance(item, dict):
                yield (*path, index), item


def repeated(items: Iterable[tuple[Path, str]], thing: str) -> Iterator[Finding]:
    """A finding for each text that was there before; empty texts do not count."""
    seen: set[str] = set()
    for path, word in items:
        if word and word in seen:
            yield Finding(path, f"each {thing} once", f'"{word}" again')
        seen.add(word)

"""The sorts of arguments in scenario files, each read from YAML with its errors in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from frota.controllers.brake import DELETIONS_BRAKED, MOVES_BRAKED
from frota.resources.building import Document
from frota.resources.errors import Path, Problem, one_of, path_text, quoted, shown
from frota.resources.quantity import QuantityError, parse_duration, parse_share
from frota.twin import Bmc, Crash, Leftovers

HOST_FIELDS = ("memory", "cpus", "vms", "gpus", "rack", "fence")
CAPACITY_FIELDS = ("memory", "cpus", "vms", "gpus")
POOL_FIELDS = (
    "count", "memory", "cpus", "gpus", "priority", "mobility", "levels", "adopt",
)  # fmt: skip
HELD = {"moves": MOVES_BRAKED, "deletions": DELETIONS_BRAKED}  # what can be approved


@dataclass(slots=True)
class Names:
    """What a scenario has declared, for references; timelines add to it."""

    hosts: set[str] = field(default_factory=set)
    pools: set[str] = field(default_factory=set)


class Reader:
    """Reads one scenario document; collects every problem and goes on."""

    def __init__(self, document: Document, names: Names) -> None:
        self.document = document
        self.names = names
        self.problems: list[Problem] = []

    def wrong(self, path: Path, expected: str, found: object, hint: str = "") -> None:
        """Note a problem with a value."""
        place = self.document.locate(path)
        text = found if isinstance(found, str) else shown(found)
        file = self.document.file
        self.problems.append(Problem(file, *place, path_text(path), expected, text, hint))

    def unknown(
        self, path: Path, word: str, choices: tuple[str, ...], *, key: bool = False
    ) -> None:
        """Note a word (or key) that is none of those known."""
        place = self.document.locate(path, key=key)
        text, known = path_text(path), one_of(choices)
        file, found = self.document.file, quoted(word)
        self.problems.append(Problem(file, *place, text, known, found, "", word, choices))

    def mapping(self, value: Any, path: Path, known: tuple[str, ...] = ()) -> dict[str, Any]:
        """A mapping; its keys are checked where they are known."""
        if not isinstance(value, dict):
            self.wrong(path, "a mapping", value)
            return {}
        for key in value:
            if known and key not in known:
                self.unknown((*path, key), key, known, key=True)
        return {key: item for key, item in value.items() if not known or key in known}

    def seconds(self, value: Any, path: Path) -> float:
        """A duration."""
        try:
            return parse_duration(str(value))
        except QuantityError as error:
            self.wrong(path, error.expected, value, error.hint)
            return 0.0

    def share(self, value: Any, path: Path) -> float:
        """A share such as 5%."""
        try:
            return parse_share(str(value))
        except QuantityError as error:
            self.wrong(path, error.expected, value, error.hint)
            return 0.0

    def argument(self, sort: str, value: Any, path: Path) -> Any:
        """An argument of one of the sorts below."""
        return _SORTS[sort](self, value, path)


def _hosts(reader: Reader, value: Any, path: Path) -> list[str]:
    words = value if isinstance(value, list) else [value]
    return [_host(reader, word, path) for word in words]


def _host(reader: Reader, value: Any, path: Path) -> str:
    known = tuple(sorted(reader.names.hosts))
    if value not in reader.names.hosts:
        reader.unknown(path, str(value), known)
    return str(value)


def _new_host(reader: Reader, value: Any, path: Path) -> str:
    name = _word(reader, value, path)
    reader.names.hosts.add(name)
    return name


def _pool(reader: Reader, value: Any, path: Path) -> str:
    if value not in reader.names.pools:
        reader.unknown(path, str(value), tuple(sorted(reader.names.pools)))
    return str(value)


def _new_pool(reader: Reader, value: Any, path: Path) -> str:
    name = _word(reader, value, path)
    reader.names.pools.add(name)
    return name


def _word(reader: Reader, value: Any, path: Path) -> str:
    if not isinstance(value, str) or not value:
        reader.wrong(path, "a name", value)
        return ""
    return value


def _whole(reader: Reader, value: Any, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        reader.wrong(path, "a whole number from 0", value)
        return 0
    return value


def _flag(reader: Reader, value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        reader.wrong(path, "true or false", value)
    return bool(value)


def _jump(reader: Reader, value: Any, path: Path) -> float:
    text = str(value)
    seconds = reader.seconds(text.removeprefix("-"), path)
    return -seconds if text.startswith("-") else seconds


def _choice(words: tuple[str, ...]) -> Callable[[Reader, Any, Path], str]:
    def read(reader: Reader, value: Any, path: Path) -> str:
        if value not in words:
            reader.unknown(path, str(value), words)
            return words[0]
        return str(value)

    return read


def _fences(reader: Reader, value: Any, path: Path) -> dict[str, str]:
    read = _choice(tuple(Bmc))
    return {
        _host(reader, host, (*path, host)): read(reader, state, (*path, host))
        for host, state in reader.mapping(value, path).items()
    }


def _counts(reader: Reader, value: Any, path: Path) -> dict[str, int]:
    found = {}
    for name, count in reader.mapping(value, path).items():
        if name not in (*reader.names.pools, "control-plane"):
            known = (*sorted(reader.names.pools), "control-plane")
            reader.unknown((*path, name), name, known, key=True)
        found[name] = _whole(reader, count, (*path, name))
    return found


def _fields(known: tuple[str, ...]) -> Callable[[Reader, Any, Path], Mapping[str, Any]]:
    return lambda reader, value, path: reader.mapping(value, path, known)


def _set(reader: Reader, value: Any, path: Path) -> str:
    return _word(reader, value, path)


_SORTS: dict[str, Callable[[Reader, Any, Path], Any]] = {
    "hosts": _hosts,
    "host": _host,
    "new-host": _new_host,
    "pool": _pool,
    "new-pool": _new_pool,
    "set": _set,
    "word": _word,
    "whole": _whole,
    "flag": _flag,
    "seconds": lambda reader, value, path: reader.seconds(value, path),
    "jump": _jump,
    "crash": _choice(tuple(Crash)),
    "leftovers": _choice(tuple(Leftovers)),
    "held": _choice(tuple(HELD)),
    "fences": _fences,
    "counts": _counts,
    "capacity": _fields(CAPACITY_FIELDS),
    "short-host": _fields(HOST_FIELDS),
    "short-pool": _fields(POOL_FIELDS),
    "policy": lambda reader, value, path: reader.mapping(value, path),
}

"""The house rules that no other tool checks: sizes, names, banned calls, reasons.

    python -m tools.tidy [FILE...]

Prints ``file:line: what is wrong and what is expected`` and exits 1 when it found anything.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREES = ("src", "tests", "bench", "tools")

MODULE_LINES_MOST = 500
TEST_MODULE_LINES_MOST = 800
FUNCTION_LINES_MOST = 70
PARAMETERS_MOST = 6

# Words that say nothing about the field.
EMPTY_WORDS = frozenset({"util", "utils", "helper", "helpers", "manager", "base", "common", "misc"})

_CLOCK = "time comes from ports.clock"
_WAIT = "the queue owns waiting: return when to come back"
BANNED_CALLS = {
    "time.time": _CLOCK,
    "time.monotonic": _CLOCK,
    "time.sleep": _WAIT,
    "datetime.datetime.now": _CLOCK,
    "datetime.datetime.utcnow": _CLOCK,
    "datetime.datetime.today": _CLOCK,
    "datetime.date.today": _CLOCK,
}
# Drawing from the module's own generator; making a Random with a seed is fine.
RANDOM_ALLOWED = frozenset({"Random", "SystemRandom"})
# Where the real world begins.
MAY_KEEP_TIME = (
    "src/frota/drivers/",
    "src/frota/runtime/",
    "tests/real/",
    "tests/runtime/test_clock.py",
    "bench/",
    "tools/",
)
MAY_PRINT = ("src/frota/cli/", "tests/", "bench/", "tools/")

_SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?::\s*[A-Z0-9, ]+|\[[a-z0-9, -]+\])?(.*)")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One breach of a rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def inspect(path: str, source: str) -> list[Fault]:
    """All faults of one file; ``path`` is relative to the root, with slashes."""
    tree = ast.parse(source, path)
    imported = _imported(tree)
    lines = source.splitlines()
    faults = [*_size(path, source), *_file_name(path), *_reasons(path, lines)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            faults.extend(_function(path, node, lines[node.lineno - 1]))
        elif isinstance(node, ast.ClassDef):
            faults.extend(_class_name(path, node))
        elif isinstance(node, ast.Call):
            faults.extend(_call(path, node, imported))
    return sorted(faults)


def _size(path: str, source: str) -> Iterator[Fault]:
    most = TEST_MODULE_LINES_MOST if path.startswith("tests/") else MODULE_LINES_MOST
    lines = source.count("\n")
    if lines > most:
        yield Fault(path, most + 1, f"{lines} lines; split a module at {most}")


def _file_name(path: str) -> Iterator[Fault]:
    for part in Path(path).with_suffix("").parts:
        if EMPTY_WORDS & set(part.split("_")):
            yield Fault(path, 1, f"{part!r} says nothing; name a module by what it is about")


def _class_name(path: str, node: ast.ClassDef) -> Iterator[Fault]:
    words = {word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", node.name)}
    if EMPTY_WORDS & words:
        yield Fault(path, node.lineno, f"{node.name!r} says nothing; name a class by what it is")


def _reasons(path: str, lines: list[str]) -> Iterator[Fault]:
    for number, line in enumerate(lines, 1):
        found = _SILENCED.search(line)
        if found and not re.search(r"\w{3}", found[1]):
            yield Fault(path, number, "a check is silenced; say why on the same line")


def _function(
    path: str, node: ast.FunctionDef | ast.AsyncFunctionDef, opening: str
) -> Iterator[Fault]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if lines > FUNCTION_LINES_MOST:
        yield Fault(
            path, node.lineno, f"{node.name} has {lines} lines; at most {FUNCTION_LINES_MOST}"
        )
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    count = sum(argument.arg not in ("self", "cls") for argument in given)
    excused = "noqa: PLR0913" in opening  # with its reason: see _reasons
    if count > PARAMETERS_MOST and not excused and not path.startswith("tests/"):
        yield Fault(
            path,
            node.lineno,
            f"{node.name} takes {count} parameters; from {PARAMETERS_MOST + 1} on make a value",
        )


def _call(path: str, node: ast.Call, imported: dict[str, str]) -> Iterator[Fault]:
    name = _full_name(node.func, imported)
    if name == "print" and not path.startswith(MAY_PRINT):
        yield Fault(path, node.lineno, "print: only frota.cli talks to the terminal")
    if path.startswith(MAY_KEEP_TIME):
        return
    if name in BANNED_CALLS:
        yield Fault(path, node.lineno, f"{name}: {BANNED_CALLS[name]}")
    module, _, function = name.rpartition(".")
    if module == "random" and function not in RANDOM_ALLOWED:
        yield Fault(path, node.lineno, f"{name}: draw from a random.Random that was handed in")


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``{"sleep": "time.sleep", "t": "time"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _full_name(node: ast.expr, imported: dict[str, str]) -> str:
    """``sleep`` -> ``time.sleep`` where that is what it stands for; empty for attributes of
    anything but a module."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = _full_name(node.value, imported)
        known = not isinstance(node.value, ast.Name) or node.value.id in imported
        return f"{inner}.{node.attr}" if inner and known else ""
    return ""


def main(arguments: list[str]) -> int:
    """Inspect the files given, or the whole house; the exit code."""
    paths = [Path(name).resolve() for name in arguments] or [
        path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py"))
    ]
    faults = [
        fault
        for path in paths
        for fault in inspect(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    for fault in faults:
        print(fault)
    print(f"tidy: {len(paths)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

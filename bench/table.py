"""Runs works one after another, each in its own process, and shows their figures."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.catalogue import WORKS

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("work", "metric", "value", "bar", "holds", "peer", "peer's", "ratio")


def main(words: Sequence[str]) -> int:
    """0 when every work could be measured, whether or not its bars hold; else 1."""
    options = _options(words)
    if options.list:
        for name, title in WORKS.items():
            print(
                json.dumps({"work": name, "title": title}) if options.json else f"{name:<18}{title}"
            )
        return 0
    failed = 0
    rows: list[dict[str, Any]] = []
    for work in options.works or WORKS:
        _progress(f"{work}: {WORKS[work]} ...")
        try:
            for row in _rows(work, options):
                rows.append(row)
                if options.json:
                    shown = {key: value for key, value in row.items() if key != "must"}
                    print(json.dumps(shown), flush=True)
        except subprocess.CalledProcessError as error:
            failed += 1
            sys.stderr.write(f"{work}: could not be measured (exit code {error.returncode})\n")
    _progress("")
    if not options.json:
        _show(rows)
    return 1 if failed else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run.py", description="Measure Frota beside its peers; see bench/README.md."
    )
    parser.add_argument("works", metavar="WORK", nargs="*", help="works to run (default: all)")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each figure")
    parser.add_argument("--list", action="store_true", help="name the works, measure nothing")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="the longest that one peer may take (default: 60); our own rounds take a tenth",
    )
    parser.add_argument("--real", action="store_true", help="use real hosts too (root, the lab)")
    options = parser.parse_args(words)
    unknown = [work for work in options.works if work not in WORKS]
    if unknown:
        parser.error(f"no such work: {', '.join(unknown)}; there are: {', '.join(WORKS)}")
    if options.seconds <= 0:
        parser.error(f"--seconds: expected more than 0; found {options.seconds:g}")
    return options


def _rows(work: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The figures of one work as they come. Raises CalledProcessError at its end if it failed."""
    command = [sys.executable, "-m", "bench.one", work, str(options.seconds)]
    if options.real:
        command.append("--real")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            yield json.loads(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _progress(text: str) -> None:
    """What is being measured, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _show(rows: Sequence[dict[str, Any]]) -> None:
    cells = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(COLUMNS))]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    unit = row["unit"]
    return (
        row["work"],
        row["metric"],
        "" if row["value"] is None else f"{_number(row['value'])} {unit}",
        "" if row["bar"] is None else f"{row['must']} {_number(row['bar'])}",
        {True: "yes", False: "NO", None: ""}[row["holds"]],
        row["peer"],
        "" if row["peer_value"] is None else f"{_number(row['peer_value'])} {unit}",
        "" if row["ratio"] is None else f"{row['ratio']:.3g}",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

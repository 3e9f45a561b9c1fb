"""One work in a process of its own: ``python -m bench.one WORK SECONDS [--real]``.

Prints a line of JSON for each figure as soon as it is known.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from bench.catalogue import figures
from bench.clock import Limits


def main(words: list[str]) -> None:
    """Measure, and print. Ended from outside it still ends what it began."""
    signal.signal(signal.SIGTERM, _end)
    work, seconds = words[0], float(words[1])
    for figure in figures(work, Limits(seconds, real="--real" in words)):
        sys.stdout.write(f"{figure.line(work)}\n")
        sys.stdout.flush()


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    main(sys.argv[1:])

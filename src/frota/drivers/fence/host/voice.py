"""Log lines that never hold up the one who speaks, whatever reads them."""

from __future__ import annotations

import queue
import sys
import threading
from contextlib import suppress
from typing import TextIO

_LINES_MOST = 200


class Voice:
    """Writes lines from a thread of its own; drops them when too many wait. A line that
    is the same as the last one is said once."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._last = ""
        self._lines: queue.Queue[str] = queue.Queue(_LINES_MOST)
        threading.Thread(target=self._write, name="voice", daemon=True).start()

    def say(self, line: str) -> None:
        """Write one line, some time soon."""
        if line == self._last:
            return
        self._last = line
        with suppress(queue.Full):
            self._lines.put_nowait(line)

    def finish(self) -> None:
        """Give what waits a moment to be written."""
        done = threading.Thread(target=self._lines.join, daemon=True)
        done.start()
        done.join(1.0)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError, ValueError):
                self._out.write(f"{line}\n")
                self._out.flush()
            self._lines.task_done()

"""How Python itself runs in a process that keeps many objects and works in several threads."""

from __future__ import annotations

import gc
import sys

# A change passes through several threads. With Python's own 5 ms each of them may wait that
# long for one that computes.
_SWITCH_S = 0.0005
# Of new, young and old objects. Nearly all that is kept is JSON of clusters, which refers to
# nothing that refers back to it, and looking through all of it for garbage holds up every thread
# for a third of a second. So new objects are looked at less often than Python does by itself,
# and old ones a hundred times less often than young ones.
_COLLECT = (10_000, 10, 100)


def tune_interpreter() -> None:
    """Set this process up for it."""
    sys.setswitchinterval(_SWITCH_S)
    gc.set_threshold(*_COLLECT)

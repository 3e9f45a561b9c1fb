"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc

_NEW, _YOUNG, _OLD = 10_000, 10, 100


def collect_seldom() -> None:
    """For a process that keeps a great many objects of clusters: nearly all of them are JSON,
    which refers to nothing that refers back to it, and looking through all of it holds up every
    thread for a third of a second. So new objects are looked at less often than Python does by
    itself, and old ones a hundred times less often than young ones."""
    gc.set_threshold(_NEW, _YOUNG, _OLD)

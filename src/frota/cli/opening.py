"""Opening the store of a command, and saying whether anybody works on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.store.sqlite import SqliteStore


@contextmanager
def opened(terminal: Terminal) -> Iterator[SqliteStore]:
    """The store, which must be there; for commands that look or that change an entry."""
    if not terminal.store.exists():
        raise Failure(
            Exit.NOT_FOUND,
            f"{terminal.store}: there is no store yet. `frota apply FILE` makes one; another "
            "one is named by --store or $FROTA_STORE",
        )
    store = SqliteStore(terminal.store, create=False)
    try:
        yield store
    finally:
        store.close()


def warn_when_idle(
    terminal: Terminal, meaning: str = "so nothing happens until `frota up` does"
) -> None:
    """Say plainly when nobody works on the store: an intent that was written down is not
    acted on, and what was seen is not looked at again."""
    from frota.store.guard import holder_of

    if not holder_of(terminal.store):
        terminal.note(f"note: no controller runs on this store, {meaning}")


def warn_when_old(terminal: Terminal) -> None:
    """Say plainly when what is shown may have changed since."""
    warn_when_idle(terminal, "and so this is what was seen last")

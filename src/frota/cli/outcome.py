"""How a command ends."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, the same for every command (docs/cli.md)."""

    DONE = 0
    REFUSED = 1
    BAD_INPUT = 2
    BUSY = 3
    NOT_FOUND = 4
    OUTSIDE = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANINGS = (
    (Exit.DONE, "done"),
    (Exit.REFUSED, "refused, or a required outcome did not hold"),
    (Exit.BAD_INPUT, "bad usage or bad input; nothing was changed"),
    (Exit.BUSY, "the store is held by another Frota, or was written meanwhile"),
    (Exit.NOT_FOUND, "what was named does not exist"),
    (Exit.OUTSIDE, "something outside failed: a host, an agent, the disk"),
    (Exit.INTERRUPTED, "interrupted with Ctrl-C"),
    (Exit.PIPE_CLOSED, "the reader of the output went away"),
)


class Failure(Exception):
    """A command ends here: with this code, and these words on standard error."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

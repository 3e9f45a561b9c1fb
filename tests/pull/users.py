"""Doing something as another user of this machine, in a process of its own."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable

import pytest

HUB, EAST, WEST = 61001, 61002, 61003  # numbers that nobody has


def require_root() -> None:
    """Skip the calling test, with the reason, where users cannot be changed."""
    if os.geteuid() != 0:
        pytest.skip("left out: trying file permissions needs root, to act as other users")


def as_user(user: int, act: Callable[[], object]) -> object:
    """What ``act`` returns, or the exception that it raises, as this user (and the group of
    that number) without any rights of root."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Later Pythons warn of forks beside threads; the child takes no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            os.umask(0o027)
            try:
                result: object = act()
            except Exception as error:  # noqa: BLE001 - it is handed to the parent
                result = error
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(result, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return pickle.loads(content)  # noqa: S301 - from our own process

"""The kernel's watchdog: resets the machine when nobody pets it in time."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT of linux/watchdog.h
_GET_TIMEOUT = 0x80045707  # WDIOC_GETTIMEOUT
CLASSES = Path("/sys/class/watchdog")
_INT = struct.Struct("i")

Control = Callable[[int, int, bytes], bytes]


class WatchdogError(Exception):
    """The device is not there or does not do as it must. It is left switched off."""


class Watchdog:
    """One open watchdog device; from then on it must be petted."""

    def __init__(self, path: Path, timeout: int, control: Control = fcntl.ioctl) -> None:
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise WatchdogError(f"{path}: {error.strerror}") from None
        try:
            with suppress(OSError):  # some have one timeout for ever: it is judged below
                control(self._handle, _SET_TIMEOUT, _INT.pack(timeout))
            got = _INT.unpack(control(self._handle, _GET_TIMEOUT, _INT.pack(0)))[0]
        except OSError as error:
            self.disarm()
            raise WatchdogError(f"{path} is no watchdog: {error.strerror}") from None
        if not 2 <= got <= timeout:
            self.disarm()
            raise WatchdogError(f"{path}: its timeout is {got} s, expected 2 to {timeout} s")

    def pet(self) -> None:
        """Put off the reset by one timeout."""
        with suppress(OSError):
            os.write(self._handle, b"\0")

    def disarm(self) -> None:
        """Switch it off. A device set to ``nowayout`` ignores that, and resets."""
        with suppress(OSError):
            os.write(self._handle, b"V")
        os.close(self._handle)


def open_watchdog(path: Path, timeout: int, classes: Path = CLASSES) -> Watchdog:
    """The device, armed. Raises WatchdogError, also for one that could not be switched off
    again (``nowayout``): stopping the agent would reset the host."""
    name = path.resolve().name
    known = classes / ("watchdog0" if name == "watchdog" else name) / "nowayout"
    with suppress(OSError):
        if known.read_text(encoding="ascii").strip() == "1":
            raise WatchdogError(f"{path} cannot be switched off again (nowayout)")
    return Watchdog(path, timeout)

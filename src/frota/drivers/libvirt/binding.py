"""libvirt-python itself: importing it, its errors, its event loop.

Only ``session``, ``guest`` and ``storage`` see raw libvirt objects; they have no types,
so each raw call stands in one small typed method there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from frota.drivers.libvirt.fault import fault_of

try:
    import libvirt
except ImportError as _missing:
    raise ImportError(
        "libvirt hosts need libvirt-python, which is not installed: "
        "install frota with its extra, for example pip install 'frota[libvirt]'"
    ) from _missing

__all__ = ["ask", "is_alive", "libvirt", "open_raw"]

T = TypeVar("T")

_events = threading.Lock()
_events_run = False


def ask(connection: Any, call: Callable[[], T]) -> T:
    """The call's answer. Raises ``Fault``, of kind LOST when the connection is dead."""
    try:
        return call()
    except libvirt.libvirtError as error:
        raise fault_of(
            error.get_error_code() or 0,
            error.get_error_message() or str(error),
            lost=not is_alive(connection),
        ) from None


def is_alive(connection: Any) -> bool:
    """Whether the connection is open, as far as is known without asking the host."""
    try:
        return bool(connection.isAlive())
    except libvirt.libvirtError:
        return False


def open_raw(uri: str) -> Any:
    """An open connection. Never asks anybody for a password: what libvirt finds in its
    own ``auth.conf`` (or the SSH keys of the user) is all there is. Raises ``Fault``."""
    _run_events()
    auth = [[libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE], _no_answer, None]
    try:
        return libvirt.openAuth(uri, auth, 0)
    except libvirt.libvirtError as error:
        raise fault_of(
            error.get_error_code() or 0, error.get_error_message() or str(error)
        ) from None


def _no_answer(_wanted: Any, _opaque: Any) -> int:
    return -1


def _run_events() -> None:
    """Run libvirt's event loop in one thread of this process: without it neither
    keepalive nor events work. It must be registered before the first connection."""
    global _events_run  # noqa: PLW0603 - libvirt has one event loop for the whole process
    with _events:
        if _events_run:
            return
        libvirt.registerErrorHandler(_be_quiet, None)  # or libvirt writes to stderr itself
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_loop, name="libvirt-events", daemon=True).start()
        _events_run = True


def _loop() -> None:
    while True:
        with suppress(libvirt.libvirtError):  # one bad round must not end keepalive for all
            libvirt.virEventRunDefaultImpl()


def _be_quiet(_opaque: Any, _error: Any) -> None:
    return None

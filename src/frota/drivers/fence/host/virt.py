"""libvirt on this host, asked only for a moment: it may hang.

Ending VMs does not need it (``domains``), and it would take ten seconds before it kills
a guest that ignores SIGTERM. It is asked afterwards, in case a VM runs where the status
files do not show it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

NAMESPACE = "https://frota.dev/xmlns/libvirt/1"  # as frota.drivers.libvirt.domain writes it
PATIENCE = 1.5  # seconds
_ACTIVE = 1  # VIR_CONNECT_LIST_DOMAINS_ACTIVE
_ELEMENT = 2  # VIR_DOMAIN_METADATA_ELEMENT
_NO_DOMAIN, _NOT_RUNNING, _NO_METADATA = 42, 55, 80  # virErrorNumber


def open_libvirt(uri: str) -> Any:
    """A connection. Raises ImportError without libvirt-python, else libvirt's error."""
    import libvirt

    libvirt.registerErrorHandler(lambda *_: None, None)
    return libvirt.open(uri)


class Libvirt:
    """One libvirtd, behind a thread that may be left hanging; never more than one."""

    def __init__(self, uri: str, connect: Callable[[str], Any] = open_libvirt) -> None:
        self._uri = uri
        self._connect = connect
        self._asking: threading.Thread | None = None
        self.error = ""

    def end_all(self) -> Sequence[str] | None:
        """End Frota's VMs; the names of those that libvirt shows and could not end. None
        when it did not answer (``error`` says why)."""
        if self._asking is not None and self._asking.is_alive():
            self.error = "libvirt does not answer"
            return None
        answer: list[Sequence[str]] = []
        self._asking = threading.Thread(
            target=self._ask, args=(answer,), name="libvirt", daemon=True
        )
        self._asking.start()
        self._asking.join(PATIENCE)
        if answer:
            self.error = ""
            return answer[0]
        if self._asking.is_alive():
            self.error = "libvirt does not answer"
        return None

    def _ask(self, answer: list[Sequence[str]]) -> None:
        try:
            connection = self._connect(self._uri)
            try:
                left = [name for name in map(_end, connection.listAllDomains(_ACTIVE)) if name]
            finally:
                connection.close()
        except Exception as error:  # noqa: BLE001 - libvirt-python may be absent, or raise its own
            self.error = f"libvirt: {error}"
        else:
            answer.append(left)


def _end(domain: Any) -> str:
    """End one active domain if it is Frota's; its name when it may run still."""
    try:
        domain.metadata(_ELEMENT, NAMESPACE, 0)
        domain.destroy()
    except Exception as error:  # noqa: BLE001 - libvirt.libvirtError, imported only above
        code = getattr(error, "get_error_code", int)()
        return "" if code in (_NO_DOMAIN, _NOT_RUNNING, _NO_METADATA) else str(domain.name())
    return ""

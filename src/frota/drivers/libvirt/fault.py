"""What goes wrong with a host, in plain words, with no secret in them."""

from __future__ import annotations

import re
from enum import StrEnum

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@/\s]*@")


class Kind(StrEnum):
    """What the rest of the driver must tell apart."""

    MISSING = "missing"  # the thing asked for is not there
    EXISTS = "exists"
    UNSUPPORTED = "unsupported"
    UNSAFE = "unsafe"  # libvirt doubts that a migration keeps the disk whole
    LOST = "lost"  # the connection broke: whether the call was done cannot be known
    OTHER = "other"


class Fault(Exception):
    """A host did not do what was asked. ``str()`` is for people."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Refused(Exception):
    """An operation that must not or cannot be done; nothing was changed by it."""


class Silent(Exception):
    """A host does not answer, so that the end of an operation cannot be seen."""


class Abandoned(Exception):
    """Nobody waits for this operation any more: it must not touch the host again."""


# Numbers of libvirt's virErrorNumber, which never change once published.
_KINDS = {
    3: Kind.UNSUPPORTED,  # NO_SUPPORT
    42: Kind.MISSING,  # NO_DOMAIN
    49: Kind.MISSING,  # NO_STORAGE_POOL
    50: Kind.MISSING,  # NO_STORAGE_VOL
    80: Kind.MISSING,  # NO_DOMAIN_METADATA
    81: Kind.UNSAFE,  # MIGRATE_UNSAFE
    90: Kind.EXISTS,  # STORAGE_VOL_EXIST
}
_LOGIN_REFUSED = frozenset({45, 79, 94})  # AUTH_FAILED, AUTH_CANCELLED, AUTH_UNAVAILABLE

_NO_KVM = "the host has no KVM: switch it on in its firmware, or ask for accelerator: qemu"

# The first that is found in libvirt's own words, in lower case, names the cause.
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        'failed to get "write" lock',
        "the disk is open already, perhaps in another running copy of this VM: no two may write it",
    ),
    (
        "permission denied (",
        "the host refused the login: give this user a key that the host accepts",
    ),
    (
        "host key verification failed",
        "the host's SSH key is not known here: add it to known_hosts",
    ),
    (
        "authentication",
        "the daemon refused the login: check the user and the credentials in libvirt's auth.conf",
    ),
    ("certificate", "TLS failed: check the certificates of this machine and of the host"),
    ("tls", "TLS failed: check the certificates of this machine and of the host"),
    ("unable to parse uri", "this is not a libvirt URI; one looks like qemu+tls://HOST/system"),
    ("name or service not known", "the host name cannot be found"),
    ("address lookup for host", "the host name cannot be found"),
    ("failed to connect socket", "no libvirt daemon answers on this socket: is it running?"),
    ("connection refused", "nothing listens there: is the libvirt daemon running?"),
    ("no route to host", "the network does not reach the host"),
    ("network is unreachable", "the network does not reach the host"),
    ("timed out", "the host did not answer in time"),
    ("domaintype=kvm", _NO_KVM),
    ("support virt type 'kvm'", _NO_KVM),
    ("storage driver", "the host's libvirt has no storage driver: install it"),
)


def redact(text: str) -> str:
    """The text without the passwords of any URI in it."""
    return _PASSWORD.sub(r"\1:***@", text)


def holds_password(uri: str) -> bool:
    """Whether the URI holds a password."""
    return _PASSWORD.search(uri) is not None


def fault_of(code: int, text: str, *, lost: bool = False) -> Fault:
    """The fault for one libvirt error: the cause in plain words, then libvirt's own."""
    words = redact(text).strip()
    if lost:
        return Fault(Kind.LOST, f"the connection broke ({words})")
    cause = next((said for sign, said in _CAUSES if sign in words.lower()), "")
    if code in _LOGIN_REFUSED:
        cause = cause or next(said for sign, said in _CAUSES if sign == "authentication")
    kind = _KINDS.get(code, Kind.OTHER)
    return Fault(kind, f"{cause} ({words})" if cause else words)

"""Which life of a host this is.

An incarnation is a random token. It must change when the host booted again, or when its
daemon and its guests died together, and must not change when only the daemon was
restarted and the guests ran on. No libvirt call tells this, and the controller's own
memory does not survive the controller, so the token is kept on the host in two places:

* the **marker**: a storage pool named ``frota-incarnation`` that is not persistent; its
  UUID is the token. libvirt keeps such a pool in ``/run``: it outlives the daemon, and a
  boot removes it. (Its directory, ``/run/libvirt/frota``, is empty.)
* the **mark** of every guest (``domain.Mark``): the token it was started under, or
  arrived under by migration.

When a connection to the host was made (while one lasts, nothing can change) the rule is:

1. Some guest that carries a token of this host runs: the incarnation is that token.
   What has lived through cannot have died.
2. Else, the marker is there, and no guest that carries its token lies stopped: the
   marker's token. Nothing was lost.
3. Else, a new token. Either the marker is gone (the host booted), or all that ran in
   that life has ended (daemon and guests were killed, or a host that lost its lease
   ended them).

A host whose only guests all switched themselves off, and whose connection breaks before
they are started again, so gets a new incarnation too; it had lost all it ran. Whoever
ends everything on a host on purpose can destroy the pool to say so at once:
``virsh pool-destroy frota-incarnation``.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.fault import Fault
from frota.drivers.libvirt.session import Session

POOL = "frota-incarnation"
PLACE = "/run/libvirt/frota"


def settle(host: str, marker: str, running: Iterable[Mark], stopped: Iterable[Mark]) -> str | None:
    """The incarnation by the rule above, or None for a new one. ``marker`` is empty when
    there is none."""
    lived = Counter(m.incarnation for m in running if m.host == host and m.incarnation)
    if lived:
        return max(lived, key=lambda token: (lived[token], token))
    ended = {mark.incarnation for mark in stopped if mark.host == host}
    return marker if marker and marker not in ended else None


def incarnation_of(
    session: Session, host: str, running: Iterable[Mark], stopped: Iterable[Mark]
) -> str:
    """The host's present incarnation; its marker says the same afterwards."""
    pool = session.pool(POOL)
    marker = pool.uuid if pool is not None else ""
    token = settle(host, marker, running, stopped) or str(uuid.uuid4())
    if token == marker:
        return token
    if pool is not None:
        pool.forget()
    try:
        return session.make_pool(_marker_xml(token), directory=True).uuid
    except Fault:
        # Another controller may have been faster; then its marker holds.
        other = session.pool(POOL)
        if other is None:
            raise
        return other.uuid


def _marker_xml(token: str) -> str:
    pool = Element("pool", {"type": "dir"})
    SubElement(pool, "name").text = POOL
    SubElement(pool, "uuid").text = token
    SubElement(SubElement(pool, "target"), "path").text = PLACE
    return tostring(pool, encoding="unicode")

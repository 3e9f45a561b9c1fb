"""A controller that does one thing, order a live move, and waits to be killed.

python -m tests.real.mover SOURCE DESTINATION VM OPERATION SOURCE_URI DEST_URI p2p|''
"""

from __future__ import annotations

import signal
import sys
import time

from frota.drivers.libvirt.hypervisor import LibvirtHypervisor
from frota.model.vm import Operation, Verb
from frota.ports.hypervisor import HostAddress
from tests.real.libvirt_stage import MonotonicClock


def main(source: str, destination: str, vm: str, operation: str, *more: str) -> None:
    """Order the move when both hosts beat."""
    source_uri, destination_uri, how = more
    port = LibvirtHypervisor(MonotonicClock())
    port.attach(HostAddress(source, source_uri, peer_to_peer=how == "p2p"))
    port.attach(HostAddress(destination, destination_uri))
    while not all(port.view(host).beating for host in (source, destination)):
        time.sleep(0.05)
    port.order(Operation(operation, Verb.LIVE, vm, source, destination, 1), None)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])

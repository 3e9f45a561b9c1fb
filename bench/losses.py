"""Hosts with VMs of five sizes, as full as wanted: may any one of them be lost?"""

from __future__ import annotations

import random

from frota.model.host import Capacity, Size

GIB = 1024
SIZES = (
    Size(8 * GIB, 2),
    Size(16 * GIB, 4),
    Size(24 * GIB, 8),
    Size(32 * GIB, 8),
    Size(64 * GIB, 16),
)


def mixed(
    hosts: int, vms: int, fill: float, seed: int = 1
) -> tuple[list[Capacity], list[list[Size]]]:
    """What is free on each host, and the VMs on each; ``fill`` is the share of memory used.

    VMs go to a random host that has room for them, so hosts are unevenly full. VMs that
    fit nowhere are left out.
    """
    rng = random.Random(seed)
    sizes = [rng.choice(SIZES) for _ in range(vms)]
    memory = round(sum(size.memory_mib for size in sizes) / hosts / fill)
    vcpus = round(sum(size.vcpus for size in sizes) / hosts / fill)
    left = [[memory, vcpus] for _ in range(hosts)]
    guests: list[list[Size]] = [[] for _ in range(hosts)]
    for size in sorted(sizes, key=lambda size: -size.memory_mib):
        first = rng.randrange(hosts)
        for host in (*range(first, hosts), *range(first)):
            if left[host][0] >= size.memory_mib and left[host][1] >= size.vcpus:
                left[host][0] -= size.memory_mib
                left[host][1] -= size.vcpus
                guests[host].append(size)
                break
    return [Capacity(m, c, 1000) for m, c in left], guests

"""Whether each host could be lost, one at a time, and all its VMs find room elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench.clock import Limits, best_of
from bench.figures import Figure
from bench.groups import of_five_sizes
from bench.losses import mixed
from bench.peers import htools
from frota.planners.placement.survival import losses

HOSTS, VMS = 1_000, 15_000
BAR_MS = 50
FILLS = (0.65, 0.8, 0.9)
FULL = 0.8  # the fill beside which the peer stands


def figures(limits: Limits) -> Iterator[Figure]:
    """From the snapshot to the VMs that would find no room, by host."""
    for fill in FILLS:
        timing = best_of(partial(losses, of_five_sizes(HOSTS, VMS, fill)), limits)
        yield Figure(f"every host, {fill:.0%} full, CPU", timing.cpu * 1000, "ms", BAR_MS)
        metric = f"every host, {fill:.0%} full, wall"
        if fill == FULL:
            peer = htools.hcheck(*mixed(HOSTS, VMS, fill), limits)
            took = None if peer.seconds is None else peer.seconds * 1000
            yield Figure(metric, timing.wall * 1000, "ms", BAR_MS, peer=peer.name, peer_value=took)
        else:
            yield Figure(metric, timing.wall * 1000, "ms", BAR_MS)

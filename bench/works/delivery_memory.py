"""What a watched cluster takes in memory, beyond its objects."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import declared, members
from bench.clock import Limits
from bench.control import control
from bench.figures import Figure

BAR_MIB = 10.0
_SERVICES = 2  # one is enough for all kinds to be watched
_REST_S = 8.0


def figures(limits: Limits) -> Iterator[Figure]:
    """``frota up`` with a fleet of one real cluster, then with two more in it, each with some
    fifty objects of eighteen kinds: the growth, by two. The objects are counted with it."""
    del limits
    if members.absent():
        yield Figure(members.absent(), None, "MiB")
        return
    with members.members() as clusters, control() as frota:
        sizes = []
        for count in (1, 3):
            places = {cluster.name: cluster.kubeconfig for cluster in clusters[:count]}
            frota.apply(declared.documents(places)[: -declared.SERVICES + _SERVICES])
            if frota.process is None:
                frota.start()
            frota.wait_synced(count, 1)
            time.sleep(_REST_S)
            sizes.append(frota.memory())
    each = (sizes[1] - sizes[0]) / 2
    yield Figure("a further cluster, with its few objects", each, "MiB", BAR_MIB)

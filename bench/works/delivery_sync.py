"""First sync of three fresh clusters with 1,000 objects each, beside a bare loop."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import declared, members
from bench.clock import Limits
from bench.control import control
from bench.declared import OBJECTS
from bench.figures import Figure, Must
from bench.peers import bareloop

BAR_BARE = 1.2
# Karmada f8fdd02d, push mode, three members, every rate limit raised; 674 s as it comes.
# Measured 2026-11-21 on a machine of this kind.
KARMADA = "Karmada f8fdd02d, rate limits raised (measured 2026-11-21 on a machine of this kind)"
KARMADA_S = 222.0
BAR_KARMADA = 20.0


def figures(limits: Limits) -> Iterator[Figure]:
    """From ``frota apply`` of the files to the moment at which ``frota up`` says that all three
    are synced, the command's own start included; then it is asked of the API servers whether
    that is so. In turn with the bare loop, each time on fresh clusters; the best of both."""
    if members.absent():
        yield Figure(members.absent(), None, "s")
        return
    own, bare = [], []
    for _ in range(max(1, round(limits.seconds / 20))):
        own.append(frota_sync())
        bare.append(bare_sync())
    yield Figure(f"3 x {OBJECTS:,} objects, first sync", min(own), "s", peer=bareloop.NAME,
                 peer_value=min(bare))  # fmt: skip
    yield Figure(f"times the {bareloop.NAME}", min(own) / min(bare), "x", BAR_BARE)
    faster = KARMADA_S / min(own)
    yield Figure("times as fast as Karmada", faster, "x", BAR_KARMADA, Must.BE_AT_LEAST,
                 peer=f"{KARMADA}: {KARMADA_S:g} s")  # fmt: skip


def frota_sync() -> float:
    """Seconds of one first sync by Frota. Raises AssertionError when it lied."""
    with members.members() as clusters, control() as frota:
        found = declared.documents({cluster.name: cluster.kubeconfig for cluster in clusters})
        least = min(len(items) for items in declared.compiled(found).values())
        assert least >= OBJECTS
        frota.start()
        began = time.perf_counter()
        frota.apply(found)
        frota.wait_synced(len(clusters), least)
        took = time.perf_counter() - began
        assert all(members.count(cluster) >= least for cluster in clusters)
        return took


def bare_sync() -> float:
    """Seconds of the bare loop with the same objects."""
    with members.members() as clusters:
        found = declared.documents({cluster.name: cluster.kubeconfig for cluster in clusters})
        return bareloop.apply(clusters, declared.compiled(found))

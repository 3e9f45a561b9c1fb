"""What a fleet at rest costs: 3,000 objects on three members."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import members
from bench.clock import Limits
from bench.figures import Figure
from bench.steady import steady

BAR_CPU_S, BAR_MIB = 0.6, 200.0
KARMADA = "Karmada f8fdd02d, its own processes without its API server (measured 2026-11-21)"
KARMADA_CPU_S, KARMADA_MIB = 2.5, 460.0


def figures(limits: Limits) -> Iterator[Figure]:
    """Of the one process of ``frota up``, as the kernel counts it; heartbeats, watches and
    leases included, the full comparison every 5 minutes only when it falls into that time."""
    if members.absent():
        yield Figure(members.absent(), None, "s")
        return
    with steady() as fleet:
        began, before = time.perf_counter(), fleet.frota.cpu()
        time.sleep(limits.seconds)
        spent = (fleet.frota.cpu() - before) / (time.perf_counter() - began) * 60
        resident, peak = fleet.frota.memory(), fleet.frota.memory("VmHWM")
    yield Figure("CPU seconds in a minute", spent, "s", BAR_CPU_S, peer=KARMADA,
                 peer_value=KARMADA_CPU_S)  # fmt: skip
    yield Figure("resident memory", resident, "MiB", BAR_MIB, peer=KARMADA,
                 peer_value=KARMADA_MIB)  # fmt: skip
    yield Figure("resident memory, at most so far", peak, "MiB")

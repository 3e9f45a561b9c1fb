"""The simulated world: every port, with faults, seeds and virtual time.

``Site`` is the truth (what really runs where); ``TwinHypervisor``, ``TwinFence`` and
``TwinWitness`` are what a controller can see and do of it. Nothing here reads a real
clock or an unseeded random number, and nothing runs while nothing changes: quiet
hours cost nothing.
"""

from frota.twin.chance import Chances, Pace, Span
from frota.twin.fence import TwinFence
from frota.twin.hypervisor import TwinHypervisor
from frota.twin.machine import Bmc, Machine
from frota.twin.site import Crash, Leftovers, Site
from frota.twin.witness import TwinWitness
from frota.twin.world import TwinClock, World

__all__ = [
    "Bmc",
    "Chances",
    "Crash",
    "Leftovers",
    "Machine",
    "Pace",
    "Site",
    "Span",
    "TwinClock",
    "TwinFence",
    "TwinHypervisor",
    "TwinWitness",
    "World",
]

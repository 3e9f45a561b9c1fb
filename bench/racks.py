"""A rack fails, its VMs are restarted wherever there is room, and the rack returns empty.

The same seed makes the same case. VMs are of one size, in sets of 3 to 30, spread evenly
over racks (and over hosts inside a rack) before the failure; hosts are 65 % full.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from frota.planners.placement.spreadproblem import SetSpread, SpreadProblem

FILL = 0.65


@dataclass(frozen=True, slots=True)
class Case:
    """Size of one case: ``hosts`` in ``racks`` of equal size, with ``vms`` on them."""

    name: str
    hosts: int
    racks: int
    vms: int

    @property
    def slots(self) -> int:
        """VMs that fit on one host."""
        return max(2, round(self.vms / self.hosts / FILL))


S = Case("S", 20, 4, 200)
M = Case("M", 160, 8, 2_000)
L = Case("L", 1_000, 20, 15_000)
XL = Case("XL", 5_000, 50, 75_000)
CASES = (S, M, L, XL)


def set_sizes(vms: int, rng: random.Random) -> list[int]:
    """Sizes of 3 to 30 that add up to ``vms``."""
    sizes = []
    while vms:
        size = min(vms, rng.randint(3, 30))
        sizes.append(size)
        vms -= size
    return sizes


def rack_returns(case: Case, seed: int = 1) -> tuple[list[int], list[list[int]]]:
    """The rack of each host, and for each set the host of each member, at the return."""
    rack_of, _, sets = failed_over(case, seed)
    return rack_of, sets


def failed_over(case: Case, seed: int = 1) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """As ``rack_returns``, with the hosts before the failure between the two."""
    rng = random.Random(seed)
    rack_of = [host * case.racks // case.hosts for host in range(case.hosts)]
    used = [0] * case.hosts
    sets = [_spread(size, used, case, rng) for size in set_sizes(case.vms, rng)]
    homes = [list(members) for members in sets]
    lost = rng.randrange(case.racks)
    alive = [host for host in range(case.hosts) if rack_of[host] != lost]
    for members in sets:
        for place, host in enumerate(members):
            if rack_of[host] == lost:
                members[place] = _anywhere(alive, used, case.slots, rng)
    return rack_of, homes, sets


def problem(
    case: Case, seed: int = 1, *, rack: bool = True, host: bool = False, slots: int | None = None
) -> SpreadProblem:
    """The case as the planner's problem, for sets spread over racks, hosts or both."""
    rack_of, sets = rack_returns(case, seed)
    used = [0] * case.hosts
    counted = []
    for members in sets:
        current: dict[int, int] = {}
        for place in members:
            current[place] = current.get(place, 0) + 1
            used[place] += 1
        counted.append(SetSpread(current=current, rack=rack, host=host))
    most = case.slots if slots is None else slots
    return SpreadProblem(
        rack_of=rack_of,
        slots=[most - count for count in used],
        accepts=[True] * case.hosts,
        load=[0] * case.hosts,
        sets=counted,
    )


def _spread(size: int, used: list[int], case: Case, rng: random.Random) -> list[int]:
    """Hosts for one new set: racks in turn, the emptiest host of each that has none yet."""
    width = case.hosts // case.racks
    order = rng.sample(range(case.racks), case.racks)
    members: list[int] = []
    for turn in range(size):
        first = order[turn % case.racks] * width
        pick = min(
            range(first, first + width), key=lambda h: (members.count(h), used[h], rng.random())
        )
        used[pick] += 1
        members.append(pick)
    return members


def _anywhere(alive: list[int], used: list[int], slots: int, rng: random.Random) -> int:
    while True:
        host = rng.choice(alive)
        if used[host] < slots:
            used[host] += 1
            return host

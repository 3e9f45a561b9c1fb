"""Sets that stay uneven because VMs of several sizes share hosts: a joint search.

Sizes are solved one after another, each with the others where they are. What is then
short of room may still be had by moving VMs of several sizes at once, which is bin
packing: ``exact`` looks for it among a bounded part of the group, within a bounded amount
of work. What it finds is used only when it can be carried out as the throttle will ask
for it, from the first move to the last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from frota.model.availability import AvailabilitySet
from frota.model.plan import Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Vm, VmState
from frota.planners.placement.evenly import Grounds, admits, movable
from frota.planners.placement.residue import (
    MOVERS_MOST,
    Mover,
    Residue,
    Scene,
    ask,
    levels,
    squares,
)
from frota.planners.placement.throttle import admit

CONTROL_PLANE_WEIGHT = 4  # one control-plane move costs as much as this many others
COLD_WEIGHT = 2
HOSTS_MOST = 48  # in one search
_ENDS = 8  # of those, for each set: with the most members, and with the fewest
_STEPS_MOST = 64  # that are tried before the plan is trusted


def weight_of(spread: AvailabilitySet, vm: Vm) -> int:
    """What one move of a member costs, in moves."""
    weight = CONTROL_PLANE_WEIGHT if spread.control_plane else 1
    return weight if vm.mobility is Mobility.LIVE else max(weight, COLD_WEIGHT)


@dataclass(frozen=True, slots=True)
class Found:
    """Hosts of the VMs that were looked at, or nothing better than what is; in words, what
    the search came to."""

    hosts: Mapping[str, int]
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """The search over one draft of a rebalance.

    ``grounds`` are over the draft's ledger; ``place`` has the VMs that the draft moves.
    With ``afresh`` moves are counted from where VMs are now, else from the draft.
    """

    grounds: Grounds
    members: Mapping[str, Sequence[Vm]]
    place: Mapping[str, int]
    afresh: bool

    def settle(self, uneven: Sequence[str]) -> Found | None:
        """Something more even for these sets; None when flows have the last word, or when
        some VMs only rest or are on their way: the search waits until all may take part."""
        if any(self._soon(vm) for group in self.members.values() for vm in group):
            return None
        hosts = self._hosts(uneven)
        movers = self._movers(frozenset(uneven), frozenset(hosts))
        if len({(vm.size, vm.generation) for vm in movers}) < 2:
            return None
        of_all = len(self.grounds.ledger.names)
        whole = len(hosts) == of_all and len(movers) < MOVERS_MOST
        scene = Scene(self.grounds.ledger, hosts, sorted({vm.set for vm in movers}))
        question = self._question(movers, scene, from_now=self.afresh and whole)
        work = self.grounds.snapshot.policy.work_limit
        answer = ask(question, work)
        part = "" if whole else f" ({of_all} in all, and more VMs)"
        text = f"{len(movers)} VMs on {len(hosts)} hosts{part}"
        if answer is None or not answer.best:
            text = f"the search over {text} ended at its limit of work, {work:g}"
        else:
            text = f"no arrangement of {text} is more even"
        if answer is None or _total(question, answer.hosts) >= _total(question, question.start):
            return Found({}, text)
        pairs = zip(movers, answer.hosts, strict=True)
        return Found({vm.name: scene.hosts[at] for vm, at in pairs}, text)

    def gains(self, goals: Mapping[str, int]) -> bool:
        """Whether the sets are more even together than in the draft, and none less than now,
        when these VMs are there and all others where they are now."""
        ledger, snapshot = self.grounds.ledger, self.grounds.snapshot
        best = drafted = (0, 0)
        for name in {snapshot.vms[vm].set for vm in (*self.place, *goals)}:
            draft = Counter(ledger.counts[name])
            now, after = Counter(draft), Counter(draft)
            for vm in self.members[name]:
                here, there = ledger.index.get(vm.host, -1), self._at(vm)
                now.update({there: -1, here: 1} if there != here else {})
                goal = goals.get(vm.name, here)
                after.update({there: -1, goal: 1} if there != goal else {})
            was, drawn, will = (
                squares(counts, ledger.rack_of, levels(snapshot.sets[name]))
                for counts in (now, draft, after)
            )
            if will > was:
                return False
            best = best[0] + will[0], best[1] + will[1]
            drafted = drafted[0] + drawn[0], drafted[1] + drawn[1]
        return best < drafted

    def _soon(self, vm: Vm) -> bool:
        """Whether a VM may not be moved now, and may be before long."""
        now, cooldown = self.grounds.snapshot.now, self.grounds.snapshot.policy.timers.move_cooldown
        return vm.operation is not None or vm.retry_at > now or vm.moved_at + cooldown > now

    def _hosts(self, uneven: Sequence[str]) -> list[int]:
        """All hosts of a group that is small; else where these sets have too many members
        or too few, and the emptiest."""
        ledger, sets = self.grounds.ledger, self.grounds.snapshot.sets
        everywhere = range(len(ledger.names))
        if len(everywhere) <= HOSTS_MOST:
            return list(everywhere)
        by_room = sorted(self.grounds.floor.serving, key=lambda h: (-ledger.memory[h], h))
        chosen: set[int] = set()
        for name in uneven:
            of_racks, of_hosts = ledger.rack_counts[name], ledger.counts[name]
            by_rack, by_host = levels(sets[name])
            held = {
                h: (by_rack * of_racks.get(ledger.rack_of[h], 0), by_host * of_hosts.get(h, 0))
                for h in by_room
            }
            crowded = sorted((h for h in held if of_hosts.get(h)), key=held.__getitem__)
            chosen.update(crowded[-_ENDS:], sorted(by_room, key=held.__getitem__)[:_ENDS])
            if len(chosen) >= HOSTS_MOST - _ENDS:
                break
        spare = (h for h in by_room if h not in chosen)
        return sorted((*chosen, *islice(spare, max(0, HOSTS_MOST - len(chosen)))))

    def _movers(self, uneven: frozenset[str], hosts: frozenset[int]) -> list[Vm]:
        """Members on these hosts that may be moved; those of uneven sets first, then the
        small ones, as many as one question may have."""
        snapshot = self.grounds.snapshot
        found = [
            vm
            for name, group in sorted(self.members.items())
            if _may_move(snapshot.sets[name], group)
            for vm in group
            if movable(vm, snapshot) and self._at(vm) in hosts
        ]
        found.sort(key=lambda vm: (vm.set not in uneven, vm.size.memory_mib, vm.order, vm.name))
        return sorted(found[:MOVERS_MOST], key=lambda vm: (vm.order, vm.name))

    def _at(self, vm: Vm) -> int:
        """Where the draft has a VM."""
        moved = self.place.get(vm.name)
        return self.grounds.ledger.index.get(vm.host, -1) if moved is None else moved

    def _question(self, movers: Sequence[Vm], scene: Scene, *, from_now: bool) -> Residue:
        ledger, sets = self.grounds.ledger, self.grounds.snapshot.sets
        names = sorted({vm.set for vm in movers})
        set_number = {name: index for index, name in enumerate(names)}
        open_to = _Open(self.grounds, scene)
        start = [self._at(vm) for vm in movers]
        moving: dict[str, Counter[int]] = {name: Counter() for name in names}
        asked = []
        for vm, at in zip(movers, start, strict=True):
            moving[vm.set][at] += 1
            now = ledger.index[vm.host] if from_now else at
            mover = Mover(
                set=set_number[vm.set],
                size=vm.size,
                host=scene.number[now],
                weight=weight_of(sets[vm.set], vm),
                home=scene.number.get(ledger.index.get(vm.home, -1), -1),
                allowed=open_to.members(sets[vm.set], vm.generation),
            )
            asked.append(mover)
        sizes = zip(start, (vm.size for vm in movers), strict=True)
        return Residue(
            movers=tuple(asked),
            room=scene.room(sizes),
            rack_of=scene.rack_of,
            seated=tuple(scene.seated(name, moving[name]) for name in names),
            levels=tuple(levels(sets[name]) for name in names),
            start=tuple(scene.number[at] for at in start),
        )


class _Open:
    """Which hosts of a question may take members, by set and generation."""

    def __init__(self, grounds: Grounds, scene: Scene) -> None:
        ledger, self._hosts = grounds.ledger, grounds.snapshot.hosts
        self._taking = [
            (scene.number[host], self._hosts[ledger.names[host]])
            for host in scene.asked
            if host in grounds.floor.serving
            and min(ledger.memory[host], ledger.cpus[host], ledger.slots[host]) >= 0
        ]
        self._known: dict[tuple[str, int], frozenset[int]] = {}

    def members(self, spread: AvailabilitySet, generation: int) -> frozenset[int]:
        """Hosts that may take members of a generation."""
        key = spread.name, generation
        if key not in self._known:
            self._known[key] = frozenset(
                at for at, host in self._taking if admits(spread, generation, host)
            )
        return self._known[key]


def _may_move(spread: AvailabilitySet, members: Sequence[Vm]) -> bool:
    """Whether nothing but room and time keeps members where they are: a control plane is
    left alone unless it is whole."""
    if not spread.control_plane:
        return True
    return all(vm.state is VmState.RUNNING and vm.ready for vm in members if vm.wanted)


def _total(question: Residue, hosts: Sequence[int]) -> tuple[int, int]:
    """Squared members per rack and per host, over the sets that these count for."""
    counts = [Counter(dict(seated)) for seated in question.seated]
    for mover, host in zip(question.movers, hosts, strict=True):
        counts[mover.set][host] += 1
    each = [
        squares(held, question.rack_of, counting)
        for held, counting in zip(counts, question.levels, strict=True)
    ]
    return sum(of_racks for of_racks, _ in each), sum(of_hosts for _, of_hosts in each)


def playable(steps: Sequence[Step], snapshot: Snapshot) -> bool:
    """Whether the throttle lets every step begin in its turn, all before it having ended.

    Half of such a plan is worth nothing: room made for a move that then may not begin.
    """
    rest = list(steps)
    while rest and len(steps) <= _STEPS_MOST:
        first = min(step.layer for step in rest)
        ready = [step for step in rest if step.layer == first]
        begun, _ = admit(ready, snapshot, voluntary=True)
        if not begun:
            return False
        snapshot = snapshot.with_vms(
            replace(snapshot.vms[step.vm], host=step.dst, transit=step.final) for step in begun
        )
        rest = [step for step in rest if step not in begun]
    return not rest

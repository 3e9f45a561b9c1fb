"""Even sets again with the fewest moves: from counts wanted to VMs moved, in order.

The counts come from one joint flow for each VM size (``flow``), so that sets which
compete for room are settled together. What sizes solved in turn leave uneven goes to a
search over all of them together (``mixed``). In ``home`` mode displaced VMs go home first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from frota.model.availability import AvailabilitySet, Blocker, Level
from frota.model.host import Size
from frota.model.plan import Plan, Proof, Refusal
from frota.model.policy import RebalanceMode
from frota.model.vm import Mobility, Vm
from frota.planners.placement.bounds import least_moves_alone
from frota.planners.placement.draft import Draft, Solver
from frota.planners.placement.evenly import (
    Grounds,
    admits,
    is_uneven,
    movable,
    unevenness,
)
from frota.planners.placement.flow import solve
from frota.planners.placement.homing import send_home
from frota.planners.placement.ledger import UNSEATED, Ledger
from frota.planners.placement.mixed import (
    COLD_WEIGHT,
    CONTROL_PLANE_WEIGHT,
    Search,
    playable,
)
from frota.planners.placement.order import in_layers
from frota.planners.placement.sizeclass import by_size
from frota.planners.placement.spreadproblem import (
    Change,
    SetSpread,
    SpreadProblem,
    changes,
)
from frota.planners.placement.verdict import members_of

_CAPACITY = Blocker.CAPACITY
_SHORT = (None, _CAPACITY)  # blockers that more room would lift
_LIVE, _RACK, _HOST = Mobility.LIVE, Level.RACK, Level.HOST
_ROUNDS = 3  # sizes are solved in turn; room freed by one may help another once more


def plan_rebalance(grounds: Grounds, solver: Solver = solve) -> Plan:
    """All moves that make the sets of a group as even as they can be, in layers.

    The moves are the fewest possible; ``Plan.proof`` says by which argument, and whether
    it holds. An even group gives an empty plan. ``grounds`` stay as they are. Another
    ``solver`` may look on, or check what ``flow.solve`` answers.
    """
    snapshot = grounds.snapshot
    home = snapshot.policy.rebalance is RebalanceMode.HOME
    astray = home and any(vm.home not in ("", vm.host) for vm in snapshot.vms.values())
    if not astray and all(grounds.uneven_at(spread) is None for spread in snapshot.sets.values()):
        return Plan(snapshot.group)
    ledger = grounds.ledger.copy()
    draft = Draft(grounds.over(ledger), snapshot, ledger, members_of(snapshot), solver)
    if home:
        send_home(draft)
    uneven = _uneven_sets(draft, snapshot.sets)
    draft.classes = by_size(snapshot, draft.members) if uneven else {}
    bound = 0
    for _ in range(_ROUNDS):
        before = len(draft.place)
        for size in _sizes(draft, uneven):
            bound += _even_out(draft, size)
        uneven = _uneven_sets(draft, uneven | draft.touched)
        if not uneven or len(draft.place) == before:
            break
    note = _jointly(draft, uneven, afresh=not home) if uneven else ""
    if note:
        uneven = _uneven_sets(draft, uneven | draft.touched)
    return _finish(draft, uneven, None if home else bound, note)


def _jointly(draft: Draft, uneven: Collection[str], *, afresh: bool) -> str:
    """Let sizes be searched together for sets that are short of room; says what came of it."""
    sets, short = draft.snapshot.sets, []
    for name in sorted(uneven):
        why = unevenness(sets[name], draft.landed(name), draft.grounds)
        if why is not None and why.blocker in _SHORT:
            short.append(name)
    if not short:
        return ""
    search = Search(draft.grounds, draft.members, draft.place, afresh)
    found = search.settle(short)
    if found is None or not found.hosts:
        return found.text if found is not None else ""
    vms, index = draft.snapshot.vms, draft.ledger.index
    goals = {**draft.place, **found.hosts}
    goals = {name: dst for name, dst in goals.items() if dst != index[vms[name].host]}
    room = f"makes room to spread {', '.join(short[:3])}"
    reasons = {name: f"spreads {s}" if (s := vms[name].set) in short else room for name in goals}
    steps, stuck = in_layers(draft.wishes(goals, reasons), draft.snapshot)
    if stuck:  # what can be reached of it may still be better than what is
        goals = {step.vm: index[step.dst] for step in steps}
        steps, stuck = in_layers(draft.wishes(goals, reasons), draft.snapshot)
    if stuck or not search.gains(goals) or not playable(steps, draft.snapshot):
        return "a more even arrangement exists, and room or N-1 is in the way to it"
    for name in {**draft.place, **goals}:
        dst = goals.get(name, index[vms[name].host])
        if dst != draft.host_of(vms[name]):
            draft.move(vms[name], dst, reasons.get(name, "stays"))
    return found.text


def _uneven_sets(draft: Draft, names: Iterable[str]) -> set[str]:
    """Those of some sets that a move could help, or that stand uneven for want of room."""
    sets = draft.snapshot.sets
    return {name for name in names if is_uneven(sets[name], draft.members[name], draft.grounds)}


def _sizes(draft: Draft, names: Collection[str]) -> list[Size]:
    """Sizes of the uneven sets, largest first."""
    found = [
        size for size, alike in draft.classes.items() if not alike.members.keys().isdisjoint(names)
    ]
    return sorted(found, key=lambda s: (-s.memory_mib, -s.vcpus, s.gpu_model, s.gpus))


def _even_out(draft: Draft, size: Size) -> int:
    """Solve one size; returns the least number of moves that any plan must make.

    Members of different generations may go to different hosts: older ones are settled
    first, then the younger ones with them fixed.
    """
    alike = draft.classes[size]
    return sum(
        _solve(draft, size, sorted(alike.members), generation)
        for generation in sorted(alike.generations)
    )


def _solve(draft: Draft, size: Size, names: list[str], generation: int) -> int:
    """Solve one size for members of one generation; returns the least number of moves.

    Sets that were held, as they would have lost for the good of others, look after themselves
    once these are settled. They are fewer each time: not all sets of a best sum can have lost.
    """
    bound, members = 0, draft.classes[size].members
    while names:
        problem = _problem(draft, size, names, generation)
        least = least_moves_alone(problem)
        if not least:
            break  # every set is at its best already
        bound = bound or least
        answer = draft.solver(problem)
        for change in changes(problem, answer):
            name = names[change.set_index]
            _apply(draft, name, members[name], change, generation)
        names = [names[index] for index in answer.held]
    return bound


def _in_play(draft: Draft, vm: Vm, generation: int) -> bool:
    spread = draft.snapshot.sets[vm.set]
    old_enough = spread.adopt_new_domains or vm.generation >= generation
    return old_enough and movable(vm, draft.snapshot)


def _problem(draft: Draft, size: Size, names: list[str], generation: int) -> SpreadProblem:
    ledger, snapshot = draft.ledger, draft.snapshot
    hosts = range(len(ledger.names))
    in_play = [0] * len(ledger.names)
    sets = []
    for name in names:
        item = _set_spread(draft, snapshot.sets[name], size, generation)
        for host, count in item.current.items():
            in_play[host] += count
        sets.append(item)
    slots = [_slots(ledger, host, size) for host in hosts]
    load = [
        (ledger.capacity[h].memory_mib - ledger.memory[h]) // size.memory_mib - in_play[h]
        for h in hosts
    ]
    accepts = [snapshot.hosts[name].schedulable for name in ledger.names]
    return SpreadProblem(ledger.rack_of, slots, accepts, load, sets)


def _slots(ledger: Ledger, host: int, size: Size) -> int:
    """VMs of a size that still fit; negative on a host that is over-committed."""
    over = min(ledger.memory[host], ledger.cpus[host], ledger.slots[host])
    return -1 if over < 0 else ledger.room(host, size)


def _set_spread(draft: Draft, spread: AvailabilitySet, size: Size, generation: int) -> SetSpread:
    age = draft.classes[size].plain.get(spread.name)
    old_enough = age is not None and (spread.adopt_new_domains or age >= generation)
    if not old_enough or spread.name in draft.touched:
        return _counted(draft, spread, size, generation)
    seated = draft.ledger.counts.get(spread.name, {})
    counts = {host: count for host, count in seated.items() if count}
    return SetSpread(
        current=counts,
        rack=_RACK in spread.levels,
        host=_HOST in spread.levels,
        allowed=_allowed(draft, spread, generation),
        weight=CONTROL_PLANE_WEIGHT if spread.control_plane else 1,
        native=counts,
    )


def _counted(draft: Draft, spread: AvailabilitySet, size: Size, generation: int) -> SetSpread:
    """The members of a set one by one."""
    current: dict[int, int] = {}
    fixed: dict[int, int] = {}
    native: dict[int, int] = {}
    away: dict[int, int] = {}
    weight = CONTROL_PLANE_WEIGHT if spread.control_plane else 1
    host_at, names = draft.ledger.index, draft.ledger.names
    snapshot, moved = draft.snapshot, draft.place
    everybody = spread.adopt_new_domains
    alike = draft.classes[size].members[spread.name]
    for vm in alike:
        host = moved.get(vm.name, -1)
        if host < 0:
            host = host_at.get(vm.host if vm.operation is None else vm.seat, -1)
        if host < 0:
            continue
        if not (everybody or vm.generation >= generation) or not movable(vm, snapshot):
            _hold(vm, host, fixed)
            continue
        current[host] = current.get(host, 0) + 1
        home = host if vm.home == names[host] else host_at.get(vm.home, -1)
        if home == host:
            native[host] = native.get(host, 0) + 1
        elif home >= 0:
            away[home] = away.get(home, 0) + 1
        if vm.mobility is not _LIVE:
            weight = max(weight, COLD_WEIGHT)
    members = draft.members[spread.name]
    if len(members) > len(alike):
        for vm in members:
            host = draft.host_of(vm)
            if vm.size != size and host >= 0:
                _hold(vm, host, fixed)
    return SetSpread(
        current=current,
        rack=_RACK in spread.levels,
        host=_HOST in spread.levels,
        fixed=fixed,
        allowed=_allowed(draft, spread, generation),
        weight=weight,
        native=native,
        away=away,
    )


def _hold(vm: Vm, host: int, fixed: dict[int, int]) -> None:
    """Count a member that stays where it is, if it counts at all."""
    if vm.operation is not None or vm.state not in UNSEATED:
        fixed[host] = fixed.get(host, 0) + 1


def _allowed(draft: Draft, spread: AvailabilitySet, generation: int) -> frozenset[int] | None:
    if spread.adopt_new_domains or generation >= len(spread.generations) - 1:
        return None
    key = spread.generations[generation], spread.levels
    if key not in draft.admitted:
        hosts = draft.snapshot.hosts
        draft.admitted[key] = frozenset(
            i
            for i, name in enumerate(draft.ledger.names)
            if admits(spread, generation, hosts[name])
        )
    return draft.admitted[key]


def _apply(draft: Draft, name: str, members: Sequence[Vm], change: Change, generation: int) -> None:
    """Choose which members make the counts true: those whose home is the goal first."""
    goals = Counter(dict(change.arrive))
    leave = dict(change.leave)
    there: dict[int, list[Vm]] = {host: [] for host in leave}
    left, moved = {draft.ledger.names[host] for host in leave}, draft.place
    for vm in members:
        if vm.host not in left and vm.name not in moved:
            continue
        host = draft.host_of(vm)
        if host in there and _in_play(draft, vm, generation):
            there[host].append(vm)
    leaving: list[Vm] = []
    for host, count in leave.items():
        here = there[host]
        here.sort(key=lambda vm: (goals[draft.ledger.index.get(vm.home, -1)] == 0, vm.order))
        leaving += here[:count]
    rest = []
    for vm in leaving:
        home = draft.ledger.index.get(vm.home, -1)
        if goals[home] > 0:
            goals[home] -= 1
            draft.move(vm, home, f"spreads {name}, and goes home")
        else:
            rest.append(vm)
    for vm, goal in zip(rest, sorted(goals.elements()), strict=True):
        draft.move(vm, goal, f"spreads {name}")


def _finish(draft: Draft, uneven: set[str], bound: int | None, note: str) -> Plan:
    """The plan of a draft, which is used up: its ledger goes back to the snapshot."""
    snapshot, ledger = draft.snapshot, draft.ledger
    still_uneven = []
    for name in sorted(uneven):
        why = unevenness(snapshot.sets[name], draft.landed(name), draft.grounds)
        if why is not None:
            short = note and why.blocker in _SHORT
            text = f"{why.message}; {note}" if short else why.message
            still_uneven.append(Refusal(name, why.blocker or _CAPACITY, text))
    wishes = draft.wishes(draft.place, draft.reasons)
    for wish in wishes:
        ledger.give(ledger.index[wish.step.dst], wish.size)
        ledger.take(ledger.index[wish.step.src], wish.size)
    steps, stuck = in_layers(wishes, snapshot, ledger)
    refusals = [Refusal(w.step.vm, _CAPACITY, _STUCK.format(w.step.dst)) for w in stuck]
    refusals += still_uneven
    proof = None
    if bound is not None and steps:
        moved = len({step.vm for step in steps})
        short = any(refusal.reason == _CAPACITY for refusal in refusals)  # the bound knows no room
        proof = Proof("closed-form", bound, moved, moved == bound and not short)
    return Plan(snapshot.group, steps, tuple(refusals), proof)


_STUCK = "the swap needs room on {} or on some third host, and there is none"

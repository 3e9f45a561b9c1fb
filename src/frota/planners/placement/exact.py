"""Mixed sizes, exactly: a search for the few cases that flows and greed leave open.

VMs of several sizes share hosts with several limits (memory, CPUs, slots, GPUs): that is
bin packing, so the search gets a limit of *work* (counted by the solver; a unit is about a
second of one core), never of wall-clock time: the same question gets
the same answer on every machine. Importing this module takes about half a second: see
``residue.ask``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ortools.sat.python import cp_model

from frota.model.host import Capacity, Size
from frota.planners.placement.residue import Assignment, Mover, Residue

_UNITS = 0.4  # of the solver's deterministic time in a second of one core, as measured


def assign(residue: Residue, work: float) -> Assignment | None:
    """Hosts for all movers, judged like ``spreadproblem.score`` down to homes.

    No set whose members all have a host becomes less even. None when no assignment was
    found within the work, or none exists.
    """
    model = _Model(residue)
    status, solver = _search(model.model, work)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return Assignment(model.hosts(solver), status == cp_model.OPTIMAL)


_Terms = list[tuple[cp_model.IntVar, int]]  # variables, each with its factor
_Places = list[dict[int, cp_model.IntVar]]


def _linear(terms: _Terms) -> cp_model.LinearExpr:
    return cp_model.LinearExpr.weighted_sum([x for x, _ in terms], [by for _, by in terms])


def _places(model: cp_model.CpModel, groups: Sequence[tuple[Size, int, Sequence[int]]]) -> _Places:
    """For each group of like VMs, how many go to each host that may take them."""
    places: _Places = []
    for number, (_, count, hosts) in enumerate(groups):
        row = {host: model.new_int_var(0, count, f"x{number}_{host}") for host in hosts}
        model.add(_linear([(x, 1) for x in row.values()]) == count)
        places.append(row)
    return places


def _limit(
    model: cp_model.CpModel, places: _Places, sizes: Sequence[Size], room: Sequence[Capacity]
) -> None:
    """Nothing on a host exceeds what it has."""
    for host, capacity in enumerate(room):
        here = [(row[host], size) for row, size in zip(places, sizes, strict=True) if host in row]
        if not here:
            continue
        model.add(_linear([(x, size.memory_mib) for x, size in here]) <= capacity.memory_mib)
        model.add(_linear([(x, size.vcpus) for x, size in here]) <= capacity.vcpus)
        model.add(_linear([(x, 1) for x, _ in here]) <= capacity.slots)
        for name in sorted({size.gpu_model for _, size in here if size.gpus}):
            gpus = [(x, size.gpus) for x, size in here if size.gpu_model == name]
            model.add(_linear(gpus) <= capacity.gpus_of(name))


def _search(
    model: cp_model.CpModel, work: float
) -> tuple[cp_model.CpSolverStatus, cp_model.CpSolver]:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = work * _UNITS
    # Questions are small: presolve takes longer than it saves, a full linear relaxation less.
    solver.parameters.cp_model_presolve = False
    solver.parameters.linearization_level = 2
    return solver.solve(model), solver


class _Model:
    """The residue as a constraint model, like movers taken together."""

    def __init__(self, residue: Residue) -> None:
        self.residue = residue
        self.model = cp_model.CpModel()
        likes: dict[Mover, list[int]] = defaultdict(list)
        for index, mover in enumerate(residue.movers):
            likes[mover].append(index)
        self.likes = list(likes.items())
        everywhere = range(len(residue.room))
        groups = [
            (mover.size, len(members), sorted(self._reach(mover, everywhere)))
            for mover, members in self.likes
        ]
        self.places = _places(self.model, groups)
        _limit(self.model, self.places, [mover.size for mover, _ in self.likes], residue.room)
        self._objective()
        self._begin()

    def _begin(self) -> None:
        """Tell the solver of the assignment that is known."""
        start = self.residue.start
        if not start:
            return
        for (_, members), row in zip(self.likes, self.places, strict=True):
            there = Counter(start[index] for index in members)
            for host, x in row.items():
                self.model.add_hint(x, there[host])

    def _reach(self, mover: Mover, everywhere: Sequence[int]) -> set[int]:
        hosts = set(everywhere if mover.allowed is None else mover.allowed)
        return hosts | {mover.host} if mover.host >= 0 else hosts

    def _objective(self) -> None:
        racks: _Terms = []
        hosts: _Terms = []
        for index in sorted({mover.set for mover, _ in self.likes}):
            of_racks, of_hosts = self._squares(index)
            self._never_worse(index, of_racks, of_hosts)
            racks += of_racks
            hosts += of_hosts
        moves: _Terms = []
        at_home: _Terms = []
        for (mover, _), row in zip(self.likes, self.places, strict=True):
            gone = [host for host in row if host != mover.host and mover.host >= 0]
            moves += [(row[host], mover.weight) for host in gone]
            at_home += [(row[host], -1) for host in row if host == mover.home]
        movers = self.residue.movers
        for_move = len(movers) + 1
        for_host = for_move * (sum(mover.weight for mover in movers) + 1)
        for_rack = for_host * (2 * sum(self._members(mover.set) for mover in movers) + 1)
        scaled = ((racks, for_rack), (hosts, for_host), (moves, for_move), (at_home, 1))
        self.model.minimize(
            _linear([(x, by * weight) for terms, weight in scaled for x, by in terms])
        )

    def _squares(self, index: int) -> tuple[_Terms, _Terms]:
        """Squared members per rack and per host of one set, where they count.

        The part that never changes is left out.
        """
        residue = self.residue
        by_rack, by_host = residue.levels[index]
        at_host: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        in_rack: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for (mover, _), row in zip(self.likes, self.places, strict=True):
            for host, x in row.items() if mover.set == index else ():
                at_host[host].append(x)
                in_rack[residue.rack_of[host]].append(x)
        seated = Counter(dict(residue.seated[index]))
        racks = self._convex(index, in_rack, self._racks(seated)) if by_rack else []
        return racks, self._convex(index, at_host, seated) if by_host else []

    def _convex(
        self, index: int, arrivals: Mapping[int, Sequence[cp_model.IntVar]], seated: Counter[int]
    ) -> _Terms:
        """Squares as steps: the k-th arrival in a domain costs the difference of two.

        That grows with k, so the first k steps are taken.
        """
        most = sum(len(members) for mover, members in self.likes if mover.set == index)
        terms: _Terms = []
        for domain, xs in arrivals.items():
            steps = [self.model.new_bool_var(f"s{index}_{domain}_{k}") for k in range(most)]
            self.model.add(_linear([(x, 1) for x in xs]) == _linear([(x, 1) for x in steps]))
            terms += [(step, 2 * (seated[domain] + k) + 1) for k, step in enumerate(steps)]
        return terms

    def _never_worse(self, index: int, racks: _Terms, hosts: _Terms) -> None:
        """A set whose movers all have a host keeps its evenness, racks before hosts."""
        mine = [mover for mover in self.residue.movers if mover.set == index]
        if any(mover.host < 0 for mover in mine):
            return
        by_rack, by_host = self.residue.levels[index]
        seated = Counter(dict(self.residue.seated[index]))
        now = seated + Counter(mover.host for mover in mine)
        of_hosts = (_square(now) - _square(seated)) * by_host
        of_racks = (_square(self._racks(now)) - _square(self._racks(seated))) * by_rack
        weight = self._members(index) ** 2 + 1
        after = _linear([*((x, by * weight) for x, by in racks), *hosts])
        self.model.add(after <= weight * of_racks + of_hosts)

    def _racks(self, counts: Mapping[int, int]) -> Counter[int]:
        racks: Counter[int] = Counter()
        for host, count in counts.items():
            racks[self.residue.rack_of[host]] += count
        return racks

    def _members(self, index: int) -> int:
        """All members of a set."""
        movers = sum(mover.set == index for mover in self.residue.movers)
        return movers + sum(count for _, count in self.residue.seated[index])

    def hosts(self, solver: cp_model.CpSolver) -> tuple[int, ...]:
        """The host of each mover, in the order of the residue.

        Like movers are the same to the model: those keep their place that can.
        """
        found = [-1] * len(self.residue.movers)
        for (mover, members), row in zip(self.likes, self.places, strict=True):
            order = sorted(row, key=lambda host: (host != mover.host, host))
            seats = [host for host in order for _ in range(solver.value(row[host]))]
            for index, host in zip(members, seats, strict=True):
                found[index] = host
        return tuple(found)


def _square(counts: Mapping[int, int]) -> int:
    return sum(count * count for count in counts.values())

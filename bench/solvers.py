"""Minimum-cost flow solvers on one and the same network: the evidence of designs/0003.

``python bench/solvers.py write DIRECTORY`` writes networks of the cases of ``racks.py``:
the uneven sets with all racks, two hosts in each, and every present place.
``python bench/solvers.py run SOLVER FILE…`` solves them and prints one line of JSON each:
CPU seconds to import and to solve (the fastest of three), cost. Solvers are run each in a process
of its own, since some cannot live with others; those that are not installed are named.
"""

from __future__ import annotations

import argparse
import heapq
import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Network = dict[str, Ints]  # tail, head, room, cost by arc; supply by node


def network(name: str) -> Network:
    """The first pass of one case, without a flow to begin with.

    Imports the project here, since solvers run where it is not installed.
    """
    from bench.racks import CASES, problem
    from frota.planners.placement.levels import passes
    from frota.planners.placement.network import Costs, play
    from frota.planners.placement.spreadarrays import arrays, uneven

    case = next(case for case in CASES if case.name == name)
    data = arrays(problem(case))
    game = play(data, uneven(data))
    costs = Costs(game, passes(game)[0])
    rack_unit = np.maximum(game.in_rack, 1) + 1
    row, rack = (axis.ravel() for axis in np.indices(rack_unit.shape))
    rows, racks = (np.repeat(axis, rack_unit.ravel()) for axis in (row, rack))
    ends = np.cumsum(rack_unit.ravel())
    units = np.arange(1, ends[-1] + 1) - np.repeat(ends - rack_unit.ravel(), rack_unit.ravel())
    width = data.hosts // data.racks
    pick = [data.first[rack] + (row * 7 + step * 3) % width for step in range(2)]
    key = np.unique(np.concatenate([game.keys, *(row * data.hosts + host for host in pick)]))
    member, host = np.divmod(key, data.hosts)
    held = np.maximum(game.current(member, host), 1)
    members, hosts = np.repeat(member, held), np.repeat(host, held)
    unit = np.arange(1, held.sum() + 1) - np.repeat(np.cumsum(held) - held, held)
    set_node, rack_node = 1 + data.hosts, 1 + data.hosts + game.rows
    supply = np.zeros(rack_node + game.rows * data.racks, np.int64)
    supply[set_node : set_node + game.rows] = game.members
    supply[0] = -int(game.members.sum())
    place = np.arange(data.hosts)
    tails = (set_node + rows, rack_node + members * data.racks + data.rack[hosts], 1 + place)
    heads = (rack_node + rows * data.racks + racks, 1 + hosts, np.zeros_like(place))
    prices = (
        costs.of_rack(rows, racks, units),
        costs.of_host(members, hosts, unit),
        np.zeros_like(place),
    )
    rooms = (np.ones_like(rows), np.ones_like(members), game.room)
    named = zip(("tail", "head", "cost", "room"), (tails, heads, prices, rooms), strict=True)
    return {**{name: np.concatenate(parts) for name, parts in named}, "supply": supply}


def ortools(net: Network) -> Callable[[], int]:
    """Cost scaling of OR-Tools."""
    module = importlib.import_module("ortools.graph.python.min_cost_flow")

    def run() -> int:
        solver = module.SimpleMinCostFlow()
        solver.add_arcs_with_capacity_and_unit_cost(
            net["tail"].astype(np.int32), net["head"].astype(np.int32), net["room"], net["cost"]
        )
        nodes = np.arange(len(net["supply"]), dtype=np.int32)
        solver.set_nodes_supplies(nodes, net["supply"])
        if solver.solve() != solver.OPTIMAL:
            raise ArithmeticError
        return int(solver.optimal_cost())

    return run


def pylmcf(net: Network) -> Callable[[], int]:
    """Network simplex of LEMON."""
    module = importlib.import_module("pylmcf")

    def run() -> int:
        order = np.lexsort((net["head"], net["tail"]))
        graph = module.Graph(len(net["supply"]), net["tail"][order], net["head"][order])
        graph.set_node_supply(net["supply"])
        graph.set_edge_costs(net["cost"][order])
        graph.set_edge_capacities(net["room"][order])
        graph.solve()
        return int(graph.total_cost())

    return run


def networkx(net: Network) -> Callable[[], int]:
    """Network simplex in Python."""
    module = importlib.import_module("networkx")

    def run() -> int:
        graph = module.MultiDiGraph()
        graph.add_nodes_from(
            (node, {"demand": -supply}) for node, supply in enumerate(net["supply"].tolist())
        )
        columns = (net[name].tolist() for name in ("tail", "head", "room", "cost"))
        graph.add_edges_from(
            (tail, head, {"capacity": room, "weight": cost})
            for tail, head, room, cost in zip(*columns, strict=True)
        )
        return int(module.network_simplex(graph)[0])

    return run


def scipy(net: Network) -> Callable[[], int]:
    """HiGHS, dual simplex, as a linear program."""
    optimize = importlib.import_module("scipy.optimize")
    sparse = importlib.import_module("scipy.sparse")

    def run() -> int:
        arcs = np.arange(len(net["tail"]))
        ones = np.ones(len(arcs))
        rows = np.concatenate([net["tail"], net["head"]])
        matrix = sparse.csc_matrix(
            (np.concatenate([ones, -ones]), (rows, np.tile(arcs, 2))),
            shape=(len(net["supply"]), len(arcs)),
        )
        bounds = np.stack([np.zeros(len(arcs)), net["room"]], axis=1)
        found = optimize.linprog(
            net["cost"], A_eq=matrix, b_eq=net["supply"], bounds=bounds, method="highs-ds"
        )
        flow = np.round(found.x).astype(np.int64)
        if np.abs(found.x - flow).max() > 1e-6:
            raise ArithmeticError
        return int(flow @ net["cost"])

    return run


def own(net: Network) -> Callable[[], int]:
    """Successive shortest paths with potentials, in plain Python."""
    tail, head, cost = (net[name].tolist() for name in ("tail", "head", "cost"))
    count = len(net["supply"])

    def run() -> int:
        room = [*net["room"].tolist(), *[0] * len(tail)]  # an arc, and the same backwards
        leaving: list[list[int]] = [[] for _ in range(count)]
        for arc, (start, end) in enumerate(zip(tail, head, strict=True)):
            leaving[start].append(arc)
            leaving[end].append(arc + len(tail))
        far = [*head, *tail]
        price = [*cost, *(-value for value in cost)]
        potential = [0] * count
        total = 0
        for source in np.flatnonzero(net["supply"] > 0).tolist():
            for _ in range(int(net["supply"][source])):
                total += _augment(source, (room, leaving, far, price), potential)
        return total

    return run


_Graph = tuple[list[int], list[list[int]], list[int], list[int]]


def _augment(source: int, graph: _Graph, potential: list[int]) -> int:
    """Send one unit to node 0 on the cheapest way; what it cost."""
    room, leaving, far, price = graph
    distance = {source: 0}
    by: dict[int, int] = {}
    queue, done = [(0, source)], set[int]()
    while queue and 0 not in done:
        reached, node = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        for arc in leaving[node]:
            if room[arc]:
                next_ = reached + price[arc] + potential[node] - potential[far[arc]]
                if next_ < distance.get(far[arc], next_ + 1):
                    distance[far[arc]], by[far[arc]] = next_, arc
                    heapq.heappush(queue, (next_, far[arc]))
    for node in done:
        potential[node] += distance[node] - distance[0]
    spent, node = 0, 0
    while node != source:
        arc = by[node]
        back = (arc + len(room) // 2) % len(room)
        room[arc], room[back] = room[arc] - 1, room[back] + 1
        spent += price[arc]
        node = far[back]
    return spent


SOLVERS: dict[str, Callable[[Network], Callable[[], int]]] = {
    "ortools": ortools,
    "pylmcf": pylmcf,
    "scipy": scipy,
    "networkx": networkx,
    "own": own,
}


def main() -> None:
    """Write networks, or solve them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("write", "run"))
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    if options.what == "write":
        for name in ("S", "M", "L", "XL"):
            np.savez(Path(options.names[0]) / f"{name}.npz", allow_pickle=False, **network(name))
        return
    solver, *files = options.names
    for file in files:
        net = dict(np.load(file))
        started = time.process_time()
        try:
            run = SOLVERS[solver](net)
        except ImportError:
            print(json.dumps({"solver": solver, "absent": True}))
            return
        loaded = time.process_time() - started
        times = []
        for _ in range(3):
            started = time.process_time()
            cost = run()
            times.append(time.process_time() - started)
        line = {"solver": solver, "network": Path(file).stem, "arcs": len(net["tail"])}
        print(json.dumps({**line, "import": loaded, "seconds": min(times), "cost": cost}))


if __name__ == "__main__":
    main()

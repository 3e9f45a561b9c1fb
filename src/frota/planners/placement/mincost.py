"""The one place that calls the minimum-cost flow solver (designs/0003)."""

from __future__ import annotations

import numpy as np
from ortools.graph.python import min_cost_flow

from frota.planners.placement.network import Costs, Flow
from frota.planners.placement.spreadarrays import Bools, Ints


def improved(flow: Flow, costs: Costs) -> Flow | None:
    """The best flow on the free arcs; the others stay as they are.

    None when the numbers left the solver's range (it multiplies costs by the number of
    nodes): ``levels.LIMIT`` keeps far from that, but a bound for every chain there is not.
    """
    game = costs.play
    data = game.data
    racks, hosts = flow.racks, flow.hosts
    mine, theirs = np.flatnonzero(racks.free), np.flatnonzero(hosts.free)
    row, host = hosts.row[theirs], hosts.place[theirs]
    set_node = 1 + data.hosts + np.arange(game.rows)
    rack_node = 1 + data.hosts + game.rows + np.arange(game.rows * data.racks)
    of_rack = racks.row[mine] * data.racks + racks.place[mine]
    source = np.where(
        data.by_rack[game.sets[row]],
        rack_node[row * data.racks + data.rack[host]],
        set_node[row],
    )
    end, end_room, end_used, end_cost = _ends(flow, costs)
    tail = np.concatenate([set_node[racks.row[mine]], source, 1 + end])
    head = np.concatenate([rack_node[of_rack], 1 + host, np.zeros(len(end), np.int64)])
    single = np.ones(len(mine) + len(theirs), np.int64)
    used = np.concatenate([racks.used[mine], hosts.used[theirs], end_used])
    cost = np.concatenate(
        [
            costs.of_rack(racks.row[mine], racks.place[mine], racks.unit[mine]),
            costs.of_host(row, host, hosts.unit[theirs]),
            end_cost,
        ]
    )
    room = np.concatenate([single, end_room])
    live = _live(tail, head, room, used)
    found = used.astype(np.int64)
    changed = _solve(tail[live], head[live], room[live], cost[live], found[live])
    if changed is None:
        return None
    found[live] = changed
    return Flow(
        racks=racks.flowing(mine, found[: len(mine)]),
        hosts=hosts.flowing(theirs, found[len(mine) : len(mine) + len(theirs)]),
        ends_free=flow.ends_free,
    )


def _ends(flow: Flow, costs: Costs) -> tuple[Ints, Ints, Ints, Ints]:
    """Host, room, units and cost of the arcs to the end that are free.

    Load is convex: then each unit that can come has an arc of its own.
    """
    hosts = flow.hosts
    reach = np.bincount(hosts.place[hosts.free | hosts.used], minlength=len(flow.ends_free))
    host = np.flatnonzero(flow.ends_free & (reach > 0))
    room, used = np.minimum(costs.play.room, reach)[host], flow.on_host[host]
    if not costs.weights.load:
        return host, room, used, np.zeros_like(host)
    last = np.cumsum(room)
    total = int(last[-1]) if len(last) else 0
    unit = np.arange(1, total + 1) - np.repeat(last - room, room)
    each = np.repeat(host, room)
    flows = (unit <= np.repeat(used, room)).astype(np.int64)
    return each, np.ones(total, np.int64), flows, costs.of_load(each, unit)


def _live(tail: Ints, head: Ints, room: Ints, used: Ints) -> Ints:
    """The arcs whose flow could change at all.

    A change follows a cycle of arcs that take or give back units, so an arc between
    nodes that nothing can reach, or nothing can leave, is out; then others follow.
    """
    nodes = int(max(tail.max(initial=0), head.max(initial=0))) + 1
    takes, gives = used < room, used > 0
    live = np.arange(len(tail))
    while True:
        start, end, forth, back = tail[live], head[live], takes[live], gives[live]
        reached, left = np.zeros(nodes, np.bool_), np.zeros(nodes, np.bool_)
        reached[end[forth]] = left[start[forth]] = True
        reached[start[back]] = left[end[back]] = True
        keep = (forth & reached[start] & left[end]) | (back & reached[end] & left[start])
        if keep.all():
            return live
        live = live[keep]


def _solve(tail: Ints, head: Ints, room: Ints, cost: Ints, used: Ints) -> Ints | None:
    """The cheapest flow with the same net supply at every node as ``used``."""
    seen: Bools = np.zeros(int(max(tail.max(initial=0), head.max(initial=0))) + 1, np.bool_)
    seen[tail] = seen[head] = True
    node = (np.cumsum(seen) - 1).astype(np.int32)
    many = int(seen.sum())
    supply = np.bincount(node[tail], weights=used, minlength=many)
    supply -= np.bincount(node[head], weights=used, minlength=many)
    solver = min_cost_flow.SimpleMinCostFlow()
    solver.add_arcs_with_capacity_and_unit_cost(node[tail], node[head], room, cost)
    solver.set_nodes_supplies(np.arange(many, dtype=np.int32), supply.astype(np.int64))
    status = solver.solve()
    if status == solver.BAD_COST_RANGE:
        return None
    if status != solver.OPTIMAL:
        msg = f"minimum-cost flow: expected OPTIMAL, the solver says {status.name}"
        raise ArithmeticError(msg)
    flows: Ints = solver.flows(np.arange(len(tail), dtype=np.int32))
    return flows

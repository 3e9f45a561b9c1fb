"""Run by Rebalancer's own Python: a case on standard input, an answer on standard output."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from typing import Any


def main() -> None:
    """Minimise excess over racks, then moves; hosts keep to their room."""
    given = json.load(sys.stdin)
    seconds = float(sys.argv[1])
    library: Any = import_module("rebalancer")
    solver = library.ProblemSolver(service_name="bench", service_scope="bench")
    hosts: dict[str, list[str]] = {f"h{host}": [] for host in range(len(given["rack_of"]))}
    groups: dict[str, list[str]] = {}
    for number, places in enumerate(given["sets"]):
        names = [f"v{number}-{member}" for member in range(len(places))]
        groups[f"s{number}"] = names
        for name, host in zip(names, places, strict=True):
            hosts[f"h{host}"].append(name)
    began = time.perf_counter()
    solver.set_object_name("vm").set_container_name("host").set_assignment(hosts)
    solver.add_scope("rack", {f"h{host}": f"r{rack}" for host, rack in enumerate(given["rack_of"])})
    solver.add_partition("set", groups)
    ones = {name: 1.0 for names in groups.values() for name in names}
    solver.add_object_dimension("slots", ones)
    solver.add_container_dimension("slots", {}, default_value=float(given["slots"]))
    room = {"name": "room", "scope": "host", "dimension": "slots"}
    solver.add_constraint({"capacitySpec": room})
    ceiling = {name: float(-(-len(vms) // given["racks"])) for name, vms in groups.items()}
    even = {
        "name": "even",
        "scope": "rack",
        "partitionName": "set",
        "limit": {"type": 0, "groupLimits": ceiling},  # 0: absolute; names are not read
    }
    solver.add_goal({"groupCountSpec": even}, 1.0, 0)
    still = {"name": "still", "scope": "host", "dimension": "slots"}
    solver.add_goal({"minimizeMovementSpec": still}, 1.0, 1)
    search = {"solveTime": int(seconds), "moveTypeList": [{"singleGreedyMoveTypeSpec": {}}]}
    solver.add_solver({"localSearchSolverSpec": search})
    answer: dict[str, str] = solver.solve()["assignment"]
    spent = time.perf_counter() - began
    after = [[int(answer[name][1:]) for name in names] for names in groups.values()]
    print(json.dumps({"seconds": spent, "sets": after}))


if __name__ == "__main__":
    main()

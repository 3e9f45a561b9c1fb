"""The case as an integer program: members of each set on each host, the fewest moves."""

from __future__ import annotations

import os
import time
from importlib.metadata import version

from ortools.sat.python import cp_model

from bench.clock import Limits
from bench.peers.answer import Answer, unfinished
from bench.racks import Case, problem
from frota.planners.placement.spreadproblem import SpreadProblem


def solve(case: Case, limits: Limits) -> Answer:
    """Every set even over racks (floor and ceil), proved by the solver; all cores."""
    name = f"CP-SAT {version('ortools')}, {os.cpu_count()} workers"
    given = problem(case)
    began = time.perf_counter()
    model, moves = _model(given, case)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = os.cpu_count() or 1
    solver.parameters.max_time_in_seconds = limits.seconds
    status = solver.solve(model)
    spent = time.perf_counter() - began
    if status == cp_model.OPTIMAL:
        return Answer(name, spent, round(solver.objective_value))
    stopped = unfinished(name, limits.seconds)
    if status != cp_model.FEASIBLE:
        return stopped
    return Answer(stopped.name, None, sum(solver.value(x) for x in moves))


def _model(given: SpreadProblem, case: Case) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    model = cp_model.CpModel()
    on_host: list[list[cp_model.IntVar]] = [[] for _ in given.rack_of]
    moves: list[cp_model.IntVar] = []
    for item in given.sets:
        total = sum(item.current.values())
        least, spare = divmod(total, case.racks)
        most = least + (spare > 0)
        in_rack: list[list[cp_model.IntVar]] = [[] for _ in range(case.racks)]
        for host, rack in enumerate(given.rack_of):
            count = model.new_int_var(0, most, "")
            in_rack[rack].append(count)
            on_host[host].append(count)
            came = model.new_int_var(0, most, "")
            model.add(came >= count - item.current.get(host, 0))
            moves.append(came)
        for counts in in_rack:
            model.add_linear_constraint(sum(counts), least, most)
        model.add(sum(count for counts in in_rack for count in counts) == total)
    for counts in on_host:
        model.add(sum(counts) <= case.slots)
    model.minimize(sum(moves))
    return model, moves

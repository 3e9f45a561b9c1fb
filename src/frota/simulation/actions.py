"""Everything a scenario's timeline may say: its form, and what it does to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from frota.model.host import Capacity
from frota.model.vm import Verb
from frota.simulation import operator
from frota.simulation.run import Run, found_capacity
from frota.twin import Bmc, Crash, Leftovers
from frota.twin.mischief import Trouble

Args = Mapping[str, Any]

MOVES = frozenset({Verb.LIVE, Verb.COLD})
STARTS = frozenset({Verb.START})
ANY = frozenset(Verb)


@dataclass(frozen=True, slots=True)
class Action:
    """One word of the timeline. ``fields`` gives the sort of each argument (see
    ``arguments``); a plain value instead of a mapping fills the field ``plain``."""

    fields: Mapping[str, str]
    apply: Callable[[Run, Args], None]
    plain: str = ""
    needed: tuple[str, ...] = ()


def _crash(run: Run, args: Args) -> None:
    for host in args["hosts"]:
        run.site.crash(host, Crash(args.get("how", "kernel")))


def _boot(run: Run, args: Args) -> None:
    leftovers = Leftovers(args.get("leftovers", "defined"))
    for host in args["hosts"]:
        if "capacity" in args:
            machine = run.site.machines[host]
            machine.capacity = _capacity(run, host, args["capacity"]) or machine.capacity
        run.site.boot(host, leftovers=leftovers)


def _capacity(run: Run, host: str, short: Args) -> Capacity | None:
    """The host's new capacity; None for one that is declared no longer."""
    declared = operator.declare_capacity(run, host, short)
    return found_capacity(declared) if declared else None


def _resize(run: Run, args: Args) -> None:
    capacity = _capacity(run, args["host"], args["capacity"])
    if capacity is not None:
        run.site.resize(args["host"], capacity)


def _hang(run: Run, args: Args) -> None:
    for host in args["hosts"]:
        run.site.hang(host, agent=args.get("agent", False))
    _later(run, args, lambda: _thaw(run, args))


def _thaw(run: Run, args: Args) -> None:
    for host in args["hosts"]:
        run.site.thaw(host)


def _partition(run: Run, args: Args) -> None:
    storage, network = args.get("storage", False), args.get("network", True)
    run.site.cut(args["hosts"], storage=storage, network=network)
    _later(run, args, lambda: run.site.heal(args["hosts"]))


def _heal(run: Run, args: Args) -> None:
    run.site.heal(args["hosts"])


def _cut_controller(run: Run, args: Args) -> None:
    run.site.cut_controller(storage=args.get("storage", False))
    _later(run, args, run.site.heal_controller)


def _later(run: Run, args: Args, act: Callable[[], object]) -> None:
    if "for" in args:

        def end() -> None:
            act()
            run.checker.fault()

        run.world.after(args["for"], end)


def _fence(run: Run, args: Args) -> None:
    for host, state in args["states"].items():
        run.site.machines[host].bmc = Bmc(state)


def _trouble(trouble: Trouble, verbs: frozenset[Verb]) -> Callable[[Run, Args], None]:
    def apply(run: Run, args: Args) -> None:
        vm, host = args.get("vm", ""), args.get("to", "")
        run.site.mischief.plan(trouble, verbs, args["next"], vm, host)

    return apply


def _kill_controller(run: Run, args: Args) -> None:
    if "calls" in args:
        run.fuse.left = args["calls"]
    else:
        run.kill_controller(args.get("for", 2.0))


def _jump(run: Run, args: Args) -> None:
    run.world.wall_offset_s += args["by"]
    if args.get("restart", False):
        run.kill_controller()


def _on_hosts(act: Callable[[Run, str], None]) -> Callable[[Run, Args], None]:
    def apply(run: Run, args: Args) -> None:
        for host in args["hosts"]:
            act(run, host)

    return apply


def _manual_move(run: Run, args: Args) -> None:
    if len(run.site.hosts_of(args["vm"])) == 1:
        run.site.move_by_hand(args["vm"], args["to"])


def _policy(run: Run, args: Args) -> None:
    operator.change_group(run, lambda spec: _merge(spec, args["spec"]))


def _merge(into: dict[str, Any], new: Args) -> None:
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _scale(run: Run, args: Args) -> None:
    for name, count in args["counts"].items():
        operator.scale(run, name, count)


_HOSTS = {"hosts": "hosts"}
_NEXT = {"next": "whole", "vm": "word", "to": "host"}

ACTIONS: dict[str, Action] = {
    "crash": Action({**_HOSTS, "how": "crash"}, _crash, "hosts", ("hosts",)),
    "boot": Action(
        {**_HOSTS, "capacity": "capacity", "leftovers": "leftovers"}, _boot, "hosts", ("hosts",)
    ),
    "hang": Action({**_HOSTS, "agent": "flag", "for": "seconds"}, _hang, "hosts", ("hosts",)),
    "thaw": Action(_HOSTS, _thaw, "hosts", ("hosts",)),
    "partition": Action(
        {**_HOSTS, "storage": "flag", "network": "flag", "for": "seconds"},
        _partition,
        "hosts",
        ("hosts",),
    ),
    "heal": Action(_HOSTS, _heal, "hosts", ("hosts",)),
    "cut-controller": Action({"storage": "flag", "for": "seconds"}, _cut_controller, "storage"),
    "heal-controller": Action({"now": "flag"}, lambda run, _: run.site.heal_controller(), "now"),
    "capacity": Action({"host": "host", "capacity": "capacity"}, _resize, "", ("host", "capacity")),
    "fence": Action({"states": "fences"}, _fence, "states", ("states",)),
    "fail-migrations": Action(_NEXT, _trouble(Trouble.FAIL, MOVES), "next", ("next",)),
    "slow-migrations": Action(_NEXT, _trouble(Trouble.SLOW, MOVES), "next", ("next",)),
    "fail-starts": Action(_NEXT, _trouble(Trouble.FAIL, STARTS), "next", ("next",)),
    "lose-outcomes": Action(_NEXT, _trouble(Trouble.LOSE, ANY), "next", ("next",)),
    "kill-controller": Action({"calls": "whole", "for": "seconds"}, _kill_controller, "calls"),
    "clock-jump": Action({"by": "jump", "restart": "flag"}, _jump, "by", ("by",)),
    "drain": Action(_HOSTS, _on_hosts(operator.drain), "hosts", ("hosts",)),
    "resume": Action(_HOSTS, _on_hosts(operator.resume), "hosts", ("hosts",)),
    "remove-host": Action(_HOSTS, _on_hosts(operator.remove_host), "hosts", ("hosts",)),
    "declare-dead": Action(_HOSTS, _on_hosts(operator.declare_dead), "hosts", ("hosts",)),
    "end-quarantine": Action(_HOSTS, _on_hosts(operator.end_quarantine), "hosts", ("hosts",)),
    "add-host": Action(
        {"name": "new-host", "host": "short-host"},
        lambda run, args: operator.add_host(run, args["name"], args["host"]),
        "",
        ("name", "host"),
    ),
    "scale": Action({"counts": "counts"}, _scale, "counts", ("counts",)),
    "add-pool": Action(
        {"name": "new-pool", "pool": "short-pool"},
        lambda run, args: operator.add_pool(run, args["name"], args["pool"]),
        "",
        ("name", "pool"),
    ),
    "delete-pool": Action(
        {"pool": "pool"},
        lambda run, args: operator.delete_pool(run, args["pool"]),
        "pool",
        ("pool",),
    ),
    "redeploy": Action(
        {"set": "set"}, lambda run, args: operator.redeploy(run, args["set"]), "set", ("set",)
    ),
    "halt-vm": Action(
        {"vm": "word"},
        lambda run, args: operator.halt_vm(run, args["vm"], halted=True),
        "vm",
        ("vm",),
    ),
    "unhalt-vm": Action(
        {"vm": "word"},
        lambda run, args: operator.halt_vm(run, args["vm"], halted=False),
        "vm",
        ("vm",),
    ),
    "manual-move": Action({"vm": "word", "to": "host"}, _manual_move, "", ("vm", "to")),
    "guest-ends": Action(
        {"vm": "word"}, lambda run, args: run.site.stop_by_hand(args["vm"]), "vm", ("vm",)
    ),
    "approve": Action(
        {"what": "held"}, lambda run, args: operator.approve(run, args["what"]), "what", ("what",)
    ),
    "policy": Action({"spec": "policy"}, _policy, "spec", ("spec",)),
}


def perform(run: Run, action: str, args: Args) -> None:
    """Let one thing happen now."""
    run.checker.fault()
    ACTIONS[action].apply(run, args)
    run.checker.fault()

"""``frota redeploy``, ``frota halt`` and ``frota unhalt``: sets and their VMs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from frota.cli.arguments import Run, describe
from frota.cli.naming import SET, VM
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import edit, report, stored_name
from frota.model.availability import AvailabilitySet
from frota.model.vm import Vm


def redeploy(parser: ArgumentParser) -> Run:
    """The arguments of ``frota redeploy``."""
    describe(
        parser,
        "Replace an availability set by a new one over the hosts that are there now, and its "
        "VMs by new ones, one after the other. This is the only way out of Unhealthy, and the "
        "way to use hosts that were added, or a new VM size. The new VMs start from the image: "
        "what the old ones kept on their own disks is gone.",
        "frota redeploy east-gpu",
    )
    parser.add_argument("set", metavar="SET", help="its name, or GROUP/SET")
    return _redeploy


def halt(parser: ArgumentParser) -> Run:
    """The arguments of ``frota halt``."""
    describe(
        parser,
        "Stop a VM by agreement. It keeps its place in its set and is not started again until "
        "`frota unhalt`. A drain that waits for a pinned VM goes on when it is halted.",
        "frota halt east-gpu-2",
    )
    parser.add_argument("vm", metavar="VM", help="its name, or GROUP/VM")
    return lambda args, terminal: _halted(args, terminal, halted=True)


def unhalt(parser: ArgumentParser) -> Run:
    """The arguments of ``frota unhalt``."""
    describe(
        parser,
        "Let a halted VM run again, on whatever host has room.",
        "frota unhalt east-gpu-2",
    )
    parser.add_argument("vm", metavar="VM", help="its name, or GROUP/VM")
    return lambda args, terminal: _halted(args, terminal, halted=False)


def _redeploy(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        name = stored_name(store, SET, args.set)
        replaced_by = [
            entry.name for entry in store.raw(SET)
            if entry.value.get("successor_of") == name.partition("/")[2]
            and entry.name.partition("/")[0] == name.partition("/")[0]
        ]  # fmt: skip

        def change(spread: AvailabilitySet) -> AvailabilitySet:
            if replaced_by:
                raise Failure(Exit.REFUSED, f"set {name} is replaced already, by {replaced_by[0]}")
            if spread.deleting:
                raise Failure(Exit.REFUSED, f"set {name} is being deleted")
            return replace(spread, redeploy=True)

        changed = edit(store, SET, name, change, "redeploy")
        text = f"set {name} {'will be' if changed else 'is to be'} replaced, one VM at a time"
        report(terminal, f"{SET}/{name}", "redeploy", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _halted(args: Namespace, terminal: Terminal, *, halted: bool) -> int:
    with opened(terminal) as store:
        name = stored_name(store, VM, args.vm)

        def change(vm: Vm) -> Vm:
            if not vm.wanted:
                raise Failure(Exit.REFUSED, f"VM {name} is being deleted")
            return replace(vm, halted=halted)

        word = "halt" if halted else "unhalt"
        changed = edit(store, VM, name, change, word)
        future = "be stopped and keep its place" if halted else "run again"
        text = f"VM {name} will {future}" if changed else f"VM {name} is so already: {word}ed"
        report(terminal, f"{VM}/{name}", word, changed, text)
    warn_when_idle(terminal)
    return Exit.DONE

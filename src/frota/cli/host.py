"""``frota host add | remove | declare-dead | clear``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace

from frota.cli.arguments import Parser, Run, add_common, describe
from frota.cli.intents import find_host
from frota.cli.naming import HOST, group_name, plain_name
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import confirm, edit, report
from frota.model.host import Host, HostState, Intent

_SILENT = (HostState.SUSPECT, HostState.ISOLATED, HostState.FENCING)
_ADD_FIELDS = (
    ("--rack", "RACK", "its rack; left out: the host is a rack of its own"),
    ("--uri", "URI", "its libvirt, such as qemu+tls://d.example/system"),
    ("--migrate-uri", "URI", "where other hosts send guests that migrate to it"),
    ("--memory", "SIZE", "its memory, such as 256Gi"),
    ("--cpus", "N", "its CPUs"),
    ("--vms", "N", "the most VMs at one time"),
)


def host(parser: ArgumentParser) -> Run:
    """The arguments of ``frota host``."""
    describe(
        parser,
        "Add a host to a host group, remove one for good, declare a silent one dead, or end "
        "the quarantine of one.",
        "frota host add plant-east d --rack r2 --uri qemu+tls://d.example/system",
        "frota host remove plant-east/b --dry-run",
        "frota host declare-dead b",
        "frota host clear b",
    )
    acts = parser.add_subparsers(metavar="ACT", required=True, parser_class=Parser, title="acts")

    def act(name: str, line: str, run: Run, text: str, example: str) -> ArgumentParser:
        one: Parser = acts.add_parser(name, help=line)
        add_common(one, nested=True)
        describe(one, text, example)
        one.set_defaults(run=run)
        return one

    _add_arguments(act)
    _remove_arguments(act)
    _dead_arguments(act)
    _clear_arguments(act)
    return lambda args, terminal: int(args.run(args, terminal))


_Act = Callable[[str, str, Run, str, str], ArgumentParser]


def _add_arguments(act: _Act) -> None:
    parser = act(
        "add",
        "add a host to a host group",
        _add,
        "Add a host to a stored HostGroup. Sets learn of it at once: new VMs may use it, old "
        "ones stay where they are. Fence agents are declared in the HostGroup's file.",
        "frota host add plant-east d --rack r2 --uri qemu+tls://d.example/system",
    )
    parser.add_argument("group", metavar="GROUP", help="the host group")
    parser.add_argument("name", metavar="NAME", help="the new host's name")
    for option, metavar, text in _ADD_FIELDS:
        kind = int if metavar == "N" else str
        parser.add_argument(option, metavar=metavar, type=kind, help=text)
    parser.add_argument(
        "--gpu", metavar="MODEL=N", action="append", default=[], help="its GPUs; may be repeated"
    )
    parser.add_argument("--new-rack", action="store_true", help="the rack is new: declare it too")
    parser.add_argument("--dry-run", action="store_true", help="check, and change nothing")


def _remove_arguments(act: _Act) -> None:
    parser = act(
        "remove",
        "remove a host for good",
        _remove,
        "Remove a host for good. It is drained first, unless it is dead. Sets that lose a fault "
        "domain with it become Unhealthy until they are redeployed. For maintenance use drain.",
        "frota host remove b --dry-run",
    )
    parser.add_argument("host", metavar="HOST", help="its name, or GROUP/HOST")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what follows; change nothing")


def _dead_arguments(act: _Act) -> None:
    parser = act(
        "declare-dead",
        "say that a silent host is off, where no fence agent can",
        _declare_dead,
        "Say on your own authority that a silent host is off. Its VMs then start elsewhere at "
        "once. If the host runs on, two copies of a VM write to one disk and its data is lost: "
        "go and look, or pull the plug, before you say so.",
        "frota host declare-dead b",
    )
    parser.add_argument("host", metavar="HOST", help="its name, or GROUP/HOST")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _clear_arguments(act: _Act) -> None:
    parser = act(
        "clear",
        "end the quarantine of a host",
        _clear,
        "End the quarantine of a host that left service too often. It must then be well for "
        "the hold time before it serves again.",
        "frota host clear b",
    )
    parser.add_argument("host", metavar="HOST", help="its name, or GROUP/HOST")


def _add(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.hostdoc import with_host

    with opened(terminal) as store:
        text = with_host(store, args)
        if args.dry_run:
            text = f"{text} (dry run: nothing was changed)"
        subject = f"{HOST}/{args.group}/{args.name}"
        report(terminal, subject, "add", not args.dry_run, text)
    if not args.dry_run:
        warn_when_idle(terminal)
    return Exit.DONE


def _remove(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.removal import removal_of
    from frota.cli.stored import snapshot_of

    with opened(terminal) as store:
        name = find_host(store, args.host)
        snapshot = snapshot_of(store, group_name(name))
        removal = removal_of(plain_name(name), snapshot)
        if removal.state is HostState.REMOVED:
            raise Failure(Exit.REFUSED, f"host {name} was removed already")
        if removal.last:
            raise Failure(
                Exit.REFUSED, f"host {name} is the last of its group; delete the group instead"
            )
        show = terminal.say if terminal.output == "table" else terminal.note
        for line in removal.lines():
            show(line)
        if args.dry_run:
            if terminal.output != "table":
                unhealthy = [{"set": s, "domains": list(d)} for s, d in removal.unhealthy]
                terminal.data({"host": name, "vms": list(removal.vms), "setsUnhealthy": unhealthy})
            return Exit.DONE
        confirm(terminal, removal.host, yes=args.yes)
        changed = edit(
            store, HOST, name, lambda host: replace(host, intent=Intent.REMOVED), "remove for good"
        )
        text = f"host {name} {'will be' if changed else 'is being'} removed for good"
        report(terminal, f"{HOST}/{name}", "remove", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _declare_dead(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        name = find_host(store, args.host)

        def change(host: Host) -> Host:
            if host.state not in _SILENT or not host.incarnation:
                states = ", ".join(state.value for state in _SILENT)
                raise Failure(
                    Exit.REFUSED,
                    f"host {name} is {host.state.value}; only a silent host ({states}) can be "
                    "declared dead",
                )
            return replace(host, declared_dead=host.incarnation)

        entry = store.get(HOST, name)
        if entry is not None:
            change(entry.value)  # refuse before asking
        terminal.note(
            f"You say that host {name} is off. Its VMs will start elsewhere at once. If it runs\n"
            "on, two copies of a VM write to one disk and its data is lost."
        )
        confirm(terminal, plain_name(name), yes=args.yes)
        changed = edit(store, HOST, name, change, "declare dead", joins=True)
        text = f"host {name} {'is' if changed else 'was already'} declared dead"
        report(terminal, f"{HOST}/{name}", "declare-dead", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _clear(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        name = find_host(store, args.host)

        def change(host: Host) -> Host:
            if host.state is not HostState.QUARANTINED:
                raise Failure(Exit.REFUSED, f"host {name} is not in quarantine: {host.state.value}")
            return replace(host, cleared=True)

        changed = edit(store, HOST, name, change, "clear")
        text = f"the quarantine of host {name} {'ends' if changed else 'is ended already'}"
        report(terminal, f"{HOST}/{name}", "clear", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE

"""``frota drain`` and ``frota resume``: what an operator wants of a host."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from frota.cli.arguments import Run, describe
from frota.cli.naming import GROUP, HOST, plain_name
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import edit, report, stored_name
from frota.model.host import Host, HostState, Intent
from frota.store.sqlite import SqliteStore

_HOST_HELP = "its name, or GROUP/HOST where several groups have one of this name"


def drain(parser: ArgumentParser) -> Run:
    """The arguments of ``frota drain``."""
    describe(
        parser,
        "Ask for a host to be emptied for maintenance. Its VMs move to other hosts, as many "
        "at a time as the throttle allows; VMs that cannot leave are named in `frota get vms`. "
        "When it is empty the host is in Maintenance: it may be switched off.",
        "frota drain a",
        "frota drain plant-east/a",
    )
    parser.add_argument("host", metavar="HOST", help=_HOST_HELP)
    return _drain


def resume(parser: ArgumentParser) -> Run:
    """The arguments of ``frota resume``."""
    describe(
        parser,
        "Take back `drain`, or a removal that is not finished: the host serves again, and "
        "sets are spread over it again.",
        "frota resume a",
    )
    parser.add_argument("host", metavar="HOST", help=_HOST_HELP)
    return _resume


def find_host(store: SqliteStore, word: str) -> str:
    """The stored name of a host that a controller has taken on."""
    try:
        return stored_name(store, HOST, word)
    except Failure as failure:
        if failure.code is Exit.NOT_FOUND and _declared(store, word):
            raise Failure(
                Exit.REFUSED,
                f"host {word} is declared, but no controller has taken it on yet: `frota up` does",
            ) from None
        raise


def _declared(store: SqliteStore, word: str) -> bool:
    wanted = plain_name(word)
    return any(
        host["name"] == wanted
        for group in store.raw(GROUP)
        for host in group.value["spec"]["hosts"]
    )


def _drain(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        name = find_host(store, args.host)

        def change(host: Host) -> Host:
            _must_be_member(host, name)
            if host.intent is Intent.REMOVED:
                raise Failure(
                    Exit.REFUSED, f"host {name} is being removed; first: frota resume {name}"
                )
            return replace(host, intent=Intent.DRAINED)

        changed = edit(store, HOST, name, change, "drain")
        text = f"host {name} {'will be drained' if changed else 'is to be drained already'}"
        report(terminal, f"{HOST}/{name}", "drain", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _resume(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        name = find_host(store, args.host)

        def change(host: Host) -> Host:
            _must_be_member(host, name)
            return replace(host, intent=Intent.ACTIVE)

        changed = edit(store, HOST, name, change, "resume")
        text = f"host {name} {'will serve again' if changed else 'was not asked to leave'}"
        report(terminal, f"{HOST}/{name}", "resume", changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _must_be_member(host: Host, name: str) -> None:
    if host.state is HostState.REMOVED:
        raise Failure(Exit.REFUSED, f"host {name} was removed for good; declare it again to use it")

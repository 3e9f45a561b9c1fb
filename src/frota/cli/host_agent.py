"""``frota host-agent``: runs on a host and ends its VMs when it cannot renew its lease."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path

from frota.cli.arguments import Run, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.drivers.fence.host.agent import Setup, serve
from frota.drivers.fence.lease.records import host_name

WATCHDOG = "/dev/watchdog"


def host_agent(parser: ArgumentParser) -> Run:
    """The arguments of ``frota host-agent``."""
    describe(
        parser,
        "Run on a host as its service (docs/fencing.md): renews the host's lease on the "
        "shared directory, and ends all VMs of Frota on this host when it cannot, or when "
        "the controller asks for it there.",
        "frota host-agent --host a --leases /srv/frota/leases",
        "frota host-agent --host a --leases /srv/frota/leases --watchdog none",
    )
    parser.add_argument("--host", required=True, help="this host's name in the HostGroup")
    parser.add_argument(
        "--leases",
        required=True,
        type=Path,
        metavar="DIR",
        help="the group's spec.fencing.lease.path, as it is mounted here",
    )
    parser.add_argument(
        "--uri",
        default="qemu:///system",
        help="this host's own libvirt (default: %(default)s)",
    )
    parser.add_argument(
        "--watchdog",
        default=WATCHDOG,
        metavar="DEVICE",
        help="a watchdog that resets the host when this agent cannot do its duty; used when "
        f"it is there, 'none' for never (default: {WATCHDOG})",
    )
    return run


def run(arguments: Namespace, _: Terminal) -> int:
    """Serve until SIGTERM or SIGINT. Raises Failure."""
    try:
        name = host_name(arguments.host)
    except ValueError as error:
        raise Failure(Exit.BAD_INPUT, f"--host: {error}") from None
    watchdog = None if arguments.watchdog == "none" else Path(arguments.watchdog)
    wanted = watchdog is not None and arguments.watchdog != WATCHDOG
    setup = Setup(name, arguments.leases, arguments.uri, watchdog, watchdog_required=wanted)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    problem = serve(setup, stop)
    if problem:
        raise Failure(Exit.OUTSIDE, problem)
    return Exit.DONE

"""``frota dev fleet up | down | status``: real API servers on this machine, to try things on."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from frota.cli.arguments import Parser, Run, add_common, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Cell, Terminal

if TYPE_CHECKING:
    from frota.drivers.devfleet.cluster import Cluster
    from frota.drivers.devfleet.fleet import Fleet

_MOST = 20
_WITHOUT = {
    "controller-manager": "kube-controller-manager",
    "scheduler": "kube-scheduler",
    "kwok": "kwok",
}


def dev(parser: ArgumentParser) -> Run:
    """The arguments of ``frota dev``."""
    describe(
        parser,
        "Kubernetes clusters on this machine, to try things on: real API servers, whose nodes "
        "and pods only say that they run (docs/dev-fleet.md).",
        "frota dev fleet up --clusters 3",
        "frota dev fleet down",
    )
    things = parser.add_subparsers(metavar="THING", required=True, parser_class=Parser)
    fleet: Parser = things.add_parser("fleet", help="some clusters")
    describe(fleet, "Some clusters on this machine.", "frota dev fleet up")
    acts = fleet.add_subparsers(metavar="ACT", required=True, parser_class=Parser, title="acts")

    def act(name: str, line: str, run: Run, text: str, example: str) -> ArgumentParser:
        one: Parser = acts.add_parser(name, help=line)
        add_common(one, nested=True)
        describe(one, text, example)
        one.add_argument(
            "--state", metavar="DIR", type=Path, help="where the fleet keeps everything "
            "(default: $XDG_STATE_HOME/frota/dev-fleet, else below ~/.local/state)",
        )  # fmt: skip
        one.set_defaults(run=run)
        return one

    _up_arguments(act("up", "start clusters, and say how they are reached", _up,
        "Have N clusters running, and print their kubeconfigs; clusters that run already stay as "
        "they are. Missing programs are made ready first (minutes, once). Servers listen on "
        "127.0.0.1 only.", "frota dev fleet up --clusters 3 --output json"))  # fmt: skip
    act("down", "end all clusters, and remove what they kept", _down,
        "End every process of the fleet and remove its files, whatever state it is in.",
        "frota dev fleet down")  # fmt: skip
    act("status", "which clusters there are, and what runs", _status,
        "List the clusters, whether their API servers are ready, and which programs run.",
        "frota dev fleet status")  # fmt: skip
    return lambda args, terminal: int(args.run(args, terminal))


def _up_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--clusters", metavar="N", type=_count, default=3, help=f"1 to {_MOST} (default: 3)"
    )
    parser.add_argument(
        "--nodes", metavar="N", type=_count, default=2,
        help=f"of each new cluster, with 8 GPUs each: 1 to {_MOST} (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--without", metavar="PROGRAM", action="append", default=[], choices=_WITHOUT,
        help=f"leave out of new clusters one of: {', '.join(_WITHOUT)}; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--crds", metavar="DIR", type=Path, action="append", default=[],
        help="load the CustomResourceDefinitions in a directory; may be repeated",
    )  # fmt: skip


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise ArgumentTypeError(f"expected a number from 1 to {_MOST}; found {text}")
    return int(text)


def _up(args: Namespace, terminal: Terminal) -> int:
    with _fleet(args) as fleet:
        from frota.drivers.devfleet.definitions import load, read
        from frota.drivers.devfleet.shape import OPTIONAL, Shape

        try:
            definitions = [one for directory in args.crds for one in read(directory)]
        except (ValueError, OSError) as error:
            raise Failure(Exit.BAD_INPUT, f"--crds: {error}") from None
        left_out = {_WITHOUT[name] for name in args.without}
        shape = Shape(tuple(name for name in OPTIONAL if name not in left_out), args.nodes)
        clusters = fleet.up(args.clusters, shape)
        for cluster in clusters:
            if definitions:
                load(cluster.api(), definitions)
    if terminal.output != "table":
        terminal.data([_address(cluster) for cluster in clusters])
        return Exit.DONE
    terminal.table(("NAME", "KUBECONFIG"), [tuple(_address(one).values()) for one in clusters])
    terminal.note("frota dev fleet down ends them")
    return Exit.DONE


def _down(args: Namespace, terminal: Terminal) -> int:
    with _fleet(args) as fleet:
        count = fleet.down()
    if terminal.output != "table":
        terminal.data({"ended": count})
    else:
        terminal.say(f"{count} clusters ended" if count else "there was no fleet")
    return Exit.DONE


def _status(args: Namespace, terminal: Terminal) -> int:
    with _fleet(args) as fleet:
        found = [(cluster, cluster.ready(), cluster.running()) for cluster in fleet.clusters()]
    if terminal.output != "table":
        terminal.data(
            [
                {**_address(cluster), "ready": ready, "programs": running}
                for cluster, ready, running in found
            ]
        )
        return Exit.DONE
    if not found:
        terminal.note(f"there is no fleet in {fleet.home}; frota dev fleet up makes one")
        return Exit.DONE
    rows = []
    for cluster, ready, running in found:
        stopped = ", ".join(name for name, runs in running.items() if not runs)
        state = Cell("Ready", "green") if ready else Cell("NotReady", "red")
        rows.append((cluster.name, state, stopped or "-", str(cluster.kubeconfig)))
    terminal.table(("NAME", "STATE", "STOPPED", "KUBECONFIG"), rows)
    return Exit.DONE


def _address(cluster: Cluster) -> dict[str, str]:
    return {"name": cluster.name, "kubeconfig": str(cluster.kubeconfig)}


@contextmanager
def _fleet(args: Namespace) -> Iterator[Fleet]:
    """The fleet that is meant; what it raises, as the end of a command."""
    try:
        from frota.drivers.devfleet.api import CallRefused
        from frota.drivers.devfleet.cluster import ClusterFailed
        from frota.drivers.devfleet.fleet import Fleet, FleetBusy, NotOurs, default_home
        from frota.drivers.devfleet.programs import ProgramMissing
    except ModuleNotFoundError as error:
        raise Failure(
            Exit.OUTSIDE,
            f"the Python package {error.name} is missing: make dev, or install frota[dev-fleet]",
        ) from None
    try:
        yield Fleet(args.state or default_home())
    except NotOurs as error:
        raise Failure(Exit.BAD_INPUT, f"--state: {error}") from None
    except FleetBusy as error:
        raise Failure(Exit.BUSY, str(error)) from None
    except (ClusterFailed, ProgramMissing, CallRefused, OSError) as error:
        raise Failure(Exit.OUTSIDE, str(error)) from None

"""``frota demo``: a host dies and returns; a fleet has a bad day. Simulated, in virtual time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from frota.cli.arguments import Run, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal

if TYPE_CHECKING:
    from frota.cli.demotelling import Telling

ACTS = ("hosts", "fleet")
_PAUSE_S = 1.5
_WIDTH = 110  # where the output is no terminal


def demo(parser: ArgumentParser) -> Run:
    """The arguments of ``frota demo``."""
    describe(
        parser,
        "Tell two stories. hosts: placement on three hosts, a crash, the proof of death, the "
        "joint restart; the return and the rebalance with the fewest moves; a drain; a fourth "
        "host; one host lost for good. fleet: a change goes from dev over staging to prod past "
        "a person; somebody loosens a label; an API server dies and returns; too many deletions "
        "wait. Hosts and clusters are simulated, time is virtual, the controllers and planners "
        "are those of production. Touches no store and no system.",
        "frota demo",
        "frota demo fleet --no-pause",
        "frota demo hosts --seed 7 --output json",
    )
    parser.add_argument("act", metavar="hosts|fleet", nargs="?", choices=ACTS, help="only this")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of the simulated world")
    parser.add_argument("--no-pause", action="store_true", help="do not stop between chapters")
    parser.add_argument(
        "--real", action="store_true", help="on real hosts and API servers (make demo-real)"
    )
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    if args.real:
        from frota.cli.demoreal import demo_real

        return demo_real(terminal, args.act)
    from rich.console import Console

    from frota.cli.demotelling import Telling

    people, live = terminal.output == "table", terminal.out.isatty()
    console = Console(
        file=terminal.out,
        no_color=not terminal.color,
        highlight=False,
        width=None if live else _WIDTH,
        quiet=not people,
    )
    pause = _PAUSE_S if live and people and not args.no_pause else 0.0
    told = []
    for act in [args.act] if args.act else ACTS:
        told.append(Telling(act, console, pause))
        _tell(told[-1], args.seed)
    if not people:
        terminal.data({"acts": [act.data() for act in told]})
    failed = [text for act in told for text in act.failed]
    if failed:
        raise Failure(Exit.REFUSED, "the story did not end as it must: " + "; ".join(failed))
    return Exit.DONE


def _tell(telling: Telling, seed: int) -> None:
    if telling.act == "hosts":
        from frota.cli.demostory import Story

        Story(telling, seed).tell()
    else:
        from frota.cli.demofleet import FleetStory
        from frota.cli.demoground import SimulatedGround

        FleetStory(telling, SimulatedGround(seed)).tell()

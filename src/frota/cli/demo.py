"""``frota demo``: a host dies and returns, told on simulated hosts in virtual time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from frota.cli.arguments import Run, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal

_PAUSE_S = 1.5
_WIDTH = 110  # where the output is no terminal


def demo(parser: ArgumentParser) -> Run:
    """The arguments of ``frota demo``."""
    describe(
        parser,
        "Tell the story of a host that dies: placement on three hosts, the crash, the proof of "
        "death, the joint restart; the return and the rebalance with the fewest moves; a drain; "
        "a fourth host; one host lost for good. The hosts are simulated, time is virtual, the "
        "controllers and planners are those of production. Touches no store and no system.",
        "frota demo",
        "frota demo --seed 7",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of the simulated world")
    parser.add_argument("--no-pause", action="store_true", help="do not stop between chapters")
    parser.add_argument("--real", action="store_true", help="on real hosts (make demo-real)")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    if args.real:
        from frota.cli.demoreal import demo_real

        return demo_real(terminal)
    from rich.console import Console

    from frota.cli.demostory import Story

    live = terminal.out.isatty()
    width = None if live else _WIDTH
    console = Console(file=terminal.out, no_color=not terminal.color, highlight=False, width=width)
    pause = _PAUSE_S if live and not args.no_pause else 0.0
    failed = Story(console, args.seed, pause).tell()
    if failed:
        raise Failure(Exit.REFUSED, "the story did not end as it must: " + "; ".join(failed))
    return Exit.DONE

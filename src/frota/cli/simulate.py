"""``frota simulate``: scenarios, or random fault schedules, in virtual time."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frota.cli.arguments import Run, describe
from frota.cli.files import read_all, read_text
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Cell, Terminal, printable
from frota.cli.words import plural
from frota.resources.errors import report
from frota.simulation.fuzz import Report, fuzz_with, shrunk
from frota.simulation.parsing import OpenFile, parse
from frota.simulation.play import Played, play
from frota.simulation.scenario import Scenario
from frota.simulation.writing import scenario_text

_PROGRESS_S = 1.0
_JOBS_MOST = 256


def simulate(parser: ArgumentParser) -> Run:
    """The arguments of ``frota simulate``."""
    describe(
        parser,
        "Run scenario files on simulated hosts in virtual time, with the controllers and "
        "planners of production: one line for each, and 0 only if every required outcome and "
        "every invariant held. With --fuzz, random fault schedules instead, each with every "
        "invariant checked after every event; the first that breaks one is made as small as "
        "can be and printed as a scenario file. With --output json --fuzz ends with one line.",
        "frota simulate scenarios/03-two-hosts-one-fails.yaml",
        "frota simulate scenarios/ --seed 7",
        "frota simulate --fuzz 200 --seed 1 --output json",
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="scenarios, or directories")
    parser.add_argument("--seed", metavar="S", type=int, help="of the world or first schedule")
    parser.add_argument("--fuzz", metavar="N", type=int, help="play N random schedules")
    parser.add_argument("--jobs", metavar="J", type=int, default=1, help="processes for --fuzz")
    parser.add_argument("-o", "--file", metavar="FILE", help="write the smallest failure here")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    if bool(args.files) == (args.fuzz is not None):
        raise Failure(Exit.BAD_INPUT, "simulate needs scenario FILEs, or --fuzz N")
    if args.fuzz is not None:
        if args.fuzz < 1:
            raise Failure(Exit.BAD_INPUT, f"--fuzz: expected at least 1; found {args.fuzz}")
        if not 1 <= args.jobs <= _JOBS_MOST:
            wanted = f"expected 1 to {_JOBS_MOST} processes"
            raise Failure(Exit.BAD_INPUT, f"--jobs: {wanted}; found {args.jobs}")
        return _fuzz(args, terminal)
    scenarios = _scenarios(args.files, terminal)
    played = []
    for scenario in scenarios:
        one = play(scenario, seed=args.seed)
        played.append(one)
        if terminal.output == "table":
            _show(one, terminal)
    failed = sum(not one.held for one in played)
    if terminal.output == "table":
        held = len(played) - failed
        terminal.say(f"{held} of {plural(len(played), 'scenario')} held")
    else:
        terminal.data([_data(one) for one in played])
    return Exit.REFUSED if failed else Exit.DONE


def _scenarios(names: list[str], terminal: Terminal) -> list[Scenario]:
    """All scenarios, or Failure after showing what is wrong with any of them."""
    texts, problems = read_all(names)
    found: list[Scenario] = []
    for name, text in texts:
        scenario, wrong = parse(name, text, _beside(name))
        problems += wrong
        if scenario is not None:
            found.append(scenario)
    if problems:
        for line in report(problems):
            terminal.note(printable(line))
        raise Failure(Exit.BAD_INPUT, f"{plural(len(problems), 'problem')}; nothing was played")
    return found


def _beside(name: str) -> OpenFile:
    """Opens the files that a scenario names, which lie beside it."""
    return lambda other: read_text(str(Path(name).parent / other))


def _show(one: Played, terminal: Terminal) -> None:
    word = Cell("held", "green") if one.held else Cell("FAILED", "red")
    figures = f"{one.hours:.1f} h, {one.moves} moves, {one.restarts} restarts"
    painted = terminal.paint(f"{word.text:<6}", word.style)
    terminal.say(f"{one.name:<8} {painted} {printable(one.title)} ({figures})")
    for line in (*one.unmet, *one.broken):
        terminal.say(f"         {printable(line)}")
    terminal.out.flush()


def _data(one: Played) -> dict[str, Any]:
    return {
        "scenario": one.name,
        "title": one.title,
        "held": one.held,
        "unmet": list(one.unmet),
        "broken": list(one.broken),
        "simulatedHours": round(one.hours, 3),
        "moves": one.moves,
        "restarts": one.restarts,
        "trace": one.trace,
    }


def _fuzz(args: Namespace, terminal: Terminal) -> int:
    first = 1 if args.seed is None else args.seed
    seeds = range(first, first + args.fuzz)
    found = fuzz_with(args.jobs, seeds, progress=_progress(args.fuzz, terminal))
    broken = []
    for failure in found.failures:
        terminal.note(f"schedule {failure.seed} breaks {failure.broken[0]}; making it smaller")
        terminal.err.flush()
        small = shrunk(failure)
        broken.append({"seed": small.seed, "broken": list(small.broken)})
        _print_scenario(scenario_text(small.scenario, small.broken), args, terminal)
    line = {
        "schedules": found.schedules,
        "broken": broken,
        "simulated_hours": round(found.simulated_hours, 1),
        "seconds": round(found.seconds, 2),
    }
    if terminal.output == "json":
        terminal.say(json.dumps(line))
    elif terminal.output == "yaml":
        terminal.data(line)
    else:
        terminal.say(
            f"{found.schedules} schedules, {found.faults} faults, {found.simulated_hours:.0f} "
            f"simulated hours in {found.seconds:.1f} s: {len(broken)} broken"
        )
    return Exit.REFUSED if broken else Exit.DONE


def _print_scenario(text: str, args: Namespace, terminal: Terminal) -> None:
    if args.file:
        try:
            Path(args.file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise Failure(Exit.OUTSIDE, f"{args.file}: {error.strerror}") from None
        terminal.note(f"the smallest schedule that fails: {args.file}")
    elif terminal.output == "table":
        terminal.out.write(text)
    else:
        terminal.err.write(text)


def _progress(total: int, terminal: Terminal) -> Callable[[Report], None] | None:
    """Counts on a terminal's last line, about once a second."""
    if not terminal.err.isatty():
        return None
    shown = 0.0

    def show(found: Report) -> None:
        nonlocal shown
        if found.seconds - shown >= _PROGRESS_S or found.schedules == total:
            shown = found.seconds
            end = "\n" if found.schedules == total else ""
            terminal.err.write(f"\r{found.schedules} of {total} schedules{end}")
            terminal.err.flush()

    return show

"""``frota simulate``: scenarios and random fault schedules in virtual time."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from frota.cli.arguments import Run, describe
from frota.cli.files import problem_data, read_all, read_text
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal, printable
from frota.resources.errors import Problem, report

if TYPE_CHECKING:
    from frota.simulation.fuzz import Report
    from frota.simulation.play import Played
    from frota.simulation.scenario import Scenario

_PROGRESS_EVERY = 50  # schedules


def simulate(parser: ArgumentParser) -> Run:
    """The arguments of ``frota simulate``."""
    describe(
        parser,
        "Play scenarios: simulated hosts, the real controller, virtual time. Every invariant is "
        "checked after every event; one line for each scenario says whether all that it requires "
        "came true. With --fuzz random fault schedules are played instead, and the smallest "
        "failing one that can be found is printed as a scenario file.",
        "frota simulate scenarios/*.yaml",
        "frota simulate scenarios/11-whole-rack-fails.yaml --seed 7",
        "frota simulate --fuzz 1000 --seed 1 --output json",
    )
    parser.add_argument("files", metavar="SCENARIO", nargs="*", help="scenario files, directories")
    parser.add_argument("--seed", type=int, metavar="S", help="the seed; of --fuzz the first one")
    parser.add_argument("--fuzz", type=int, metavar="N", help="play N random fault schedules")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    if args.fuzz is not None:
        if args.files or args.fuzz < 1:
            raise Failure(Exit.BAD_INPUT, "give scenario files, or --fuzz and a number from 1")
        return _fuzz(args.fuzz, 1 if args.seed is None else args.seed, terminal)
    if not args.files:
        raise Failure(Exit.BAD_INPUT, "give scenario files, or --fuzz N")
    scenarios, problems = _read(args.files)
    if problems:
        if terminal.output != "table":
            terminal.data({"problems": [problem_data(problem) for problem in problems]})
        for line in report(problems):
            terminal.note(printable(line))
        return Exit.BAD_INPUT
    return _play(scenarios, args.seed, terminal)


def _read(names: list[str]) -> tuple[list[Scenario], list[Problem]]:
    from frota.simulation.parsing import parse

    found, problems = read_all(names)
    scenarios = []
    for name, text in found:
        scenario, wrong = parse(name, text, _beside(name))
        problems.extend(wrong)
        if scenario is not None:
            scenarios.append(scenario)
    return scenarios, problems


def _beside(name: str) -> Callable[[str], str]:
    """Opens the files that a scenario names, relative to the scenario."""
    return lambda other: read_text(str(Path(name).parent / other))


def _play(scenarios: list[Scenario], seed: int | None, terminal: Terminal) -> int:
    from frota.simulation.play import play

    results = []
    for scenario in scenarios:
        played = play(scenario, seed=seed)
        results.append((scenario, played))
        if terminal.output == "table":
            _line(scenario, played, terminal)
    if terminal.output != "table":
        terminal.data([_data(scenario, played) for scenario, played in results])
    held = sum(played.held for _, played in results)
    terminal.note(f"{held} of {len(results)} scenarios held")
    return Exit.DONE if held == len(results) else Exit.REFUSED


def _line(scenario: Scenario, played: Played, terminal: Terminal) -> None:
    word, style = ("held", "green") if played.held else ("FAILED", "red")
    name = scenario.name or scenario.file
    figures = f"{played.moves} moves, {played.restarts} restarts in {played.hours:.1f} h"
    terminal.say(f"{terminal.paint(word, style)} {name}: {played.title} ({figures})")
    for text in (*played.unmet, *played.broken):
        terminal.say(f"  {printable(text)}")


def _data(scenario: Scenario, played: Played) -> dict[str, object]:
    return {
        "scenario": scenario.name,
        "file": scenario.file,
        "title": played.title,
        "held": played.held,
        "unmet": list(played.unmet),
        "broken": list(played.broken),
        "moves": played.moves,
        "restarts": played.restarts,
        "simulatedHours": round(played.hours, 3),
        "trace": played.trace,
    }


def _fuzz(count: int, first: int, terminal: Terminal) -> int:
    from frota.simulation.fuzz import fuzz, shrunk
    from frota.simulation.writing import scenario_text

    def progress(report: Report) -> None:
        if report.schedules % _PROGRESS_EVERY == 0:
            rate = report.schedules / max(report.seconds, 1e-9)
            terminal.note(f"{report.schedules} of {count} schedules, {rate:.1f} a second")

    report = fuzz(iter(range(first, first + count)), progress=progress)
    small = [shrunk(failure) for failure in report.failures]
    texts = [scenario_text(failure.scenario, failure.broken) for failure in small]
    if terminal.output == "table":
        for failure, text in zip(report.failures, texts, strict=True):
            terminal.say(f"schedule {failure.seed} broke {'; '.join(failure.broken)}")
            terminal.say("the smallest schedule found that does it too:")
            terminal.say(text)
        hours, faults = report.simulated_hours, report.faults
        terminal.say(
            f"{report.schedules} schedules, {len(small)} broken, {faults} faults, "
            f"{hours:.0f} simulated hours in {report.seconds:.1f} s"
        )
    else:
        broken = [
            {"seed": old.seed, "broken": list(old.broken), "scenario": text}
            for old, text in zip(report.failures, texts, strict=True)
        ]
        summary = {
            "schedules": report.schedules,
            "broken": broken,
            "simulated_hours": round(report.simulated_hours, 1),
            "seconds": round(report.seconds, 3),
        }
        terminal.say(json.dumps(summary))
    return Exit.REFUSED if small else Exit.DONE

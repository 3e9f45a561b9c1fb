"""``frota validate``: every error of every file; nothing is changed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from frota.cli.arguments import Run, describe
from frota.cli.files import problem_data, read_all
from frota.cli.outcome import Exit
from frota.cli.terminal import Terminal, printable
from frota.cli.words import plural
from frota.resources.documents import load
from frota.resources.errors import report


def validate(parser: ArgumentParser) -> Run:
    """The arguments of ``frota validate``."""
    describe(
        parser,
        "Check files without changing anything: every error of every file at once, each with "
        "file:line:column, what was expected, what was found, and how to mend it. References "
        "to what the store holds count as known when there is a store.",
        "frota validate examples/three-hosts.yaml",
        "frota validate plant/ && cat more.yaml | frota validate -",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML or JSON; a directory; - for standard input"
    )
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    found, unreadable = read_all(args.files)
    result = load(found, _known(terminal))
    problems = [*unreadable, *result.problems]
    if terminal.output != "table":
        terminal.data(
            {
                "valid": not problems,
                "problems": [problem_data(problem) for problem in problems],
                "warnings": [problem_data(problem) for problem in result.warnings],
                "resources": [
                    {"kind": r.kind, "name": r.name, "file": r.file, "line": r.line}
                    for r in result.resources
                ],
            }
        )
        return Exit.BAD_INPUT if problems else Exit.DONE
    for line in report(result.warnings):
        terminal.note(f"warning: {printable(line)}")
    for line in report(problems):
        terminal.note(printable(line))
    if problems:
        terminal.note(f"frota: {plural(len(problems), 'problem')} in {plural(len(found), 'file')}")
        return Exit.BAD_INPUT
    for resource in result.resources:
        terminal.say(f"{resource.kind}/{resource.name}: valid")
    return Exit.DONE


def _known(terminal: Terminal) -> list[dict[str, object]]:
    if not terminal.store.exists():
        return []
    from frota.cli.naming import DECLARED
    from frota.cli.opening import opened

    with opened(terminal) as store:
        return [entry.value for kind in DECLARED for entry in store.raw(kind)]

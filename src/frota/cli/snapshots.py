"""``frota snapshot``, and reading the files that it writes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from frota.cli.arguments import Run, describe
from frota.cli.files import read_text
from frota.cli.naming import GROUP
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal, printable
from frota.cli.words import plural
from frota.cli.writing import stored_name
from frota.model.snapshot import Snapshot


def snapshot(parser: ArgumentParser) -> Run:
    """The arguments of ``frota snapshot``."""
    describe(
        parser,
        "Write the state of a host group as one JSON file: hosts, racks, sets, VMs and policy, "
        "as recorded now. `plan`, `what-if` and `explain` take such a file with --snapshot, on "
        "any machine. It holds names and sizes but no address and no secret (docs/snapshot.md).",
        "frota snapshot plant-east -o plant-east.json",
        "frota what-if --without b --snapshot plant-east.json",
    )
    parser.add_argument("group", metavar="GROUP", help="the host group")
    parser.add_argument("-o", "--file", metavar="FILE", help="write here, not to standard output")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    from frota.cli.stored import snapshot_of
    from frota.snapshots.writing import document_of, text_of

    with opened(terminal) as store:
        found = snapshot_of(store, stored_name(store, GROUP, args.group))
    if args.file:
        try:
            Path(args.file).write_text(text_of(found), encoding="utf-8")
        except OSError as error:
            raise Failure(Exit.OUTSIDE, f"{args.file}: {error.strerror}") from None
        terminal.note(
            f"{args.file}: {plural(len(found.hosts), 'host')}, {plural(len(found.sets), 'set')}, "
            f"{plural(len(found.vms), 'VM')}"
        )
    elif terminal.output == "yaml":
        terminal.data(document_of(found))
    else:
        terminal.out.write(text_of(found))
    return Exit.DONE


def read_snapshot(name: str, terminal: Terminal) -> Snapshot:
    """The snapshot in a file. Raises Failure after showing all that is wrong with it."""
    from frota.resources.errors import report
    from frota.snapshots.reading import parse

    try:
        text = read_text(name)
    except OSError as error:
        raise Failure(Exit.BAD_INPUT, f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Failure(Exit.BAD_INPUT, f"{name}: expected UTF-8 text") from None
    parsed = parse(name, text)
    if parsed.snapshot is None:
        for line in report(parsed.problems):
            terminal.note(printable(line))
        raise Failure(Exit.BAD_INPUT, f"{name}: {plural(len(parsed.problems), 'problem')}")
    return parsed.snapshot

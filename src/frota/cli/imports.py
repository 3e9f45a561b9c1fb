"""``frota import``: a HostGroup from hosts that are there."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from frota.cli.arguments import Run, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal, printable
from frota.cli.words import plural

_HEAD = """\
# What `frota import` found. Before you apply it: say how each host is fenced (docs/fencing.md),
# which rack it is in, and where the shared disks are.
"""


def import_(parser: ArgumentParser) -> Run:
    """The arguments of ``frota import``."""
    describe(
        parser,
        "Ask libvirt on real hosts what they have, and write a HostGroup: capacity and GPUs as "
        "found. Nothing is changed on any host. What cannot be asked is reported and left out; "
        "the command then ends with 5.",
        "frota import libvirt qemu+tls://a.example/system -o hosts.yaml",
    )
    parser.add_argument("source", metavar="libvirt", choices=("libvirt",), help="from libvirt")
    parser.add_argument("uris", metavar="URI", nargs="+", help="such as qemu+ssh://root@a/system")
    parser.add_argument("--name", metavar="NAME", default="imported", help="of the HostGroup")
    parser.add_argument("-o", "--file", metavar="FILE", help="write here, not to standard output")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    try:
        from frota.drivers.libvirt.survey import survey
    except ImportError as error:
        raise Failure(
            Exit.OUTSIDE,
            f"libvirt-python cannot be loaded ({error}): pip install 'frota[libvirt]', with "
            "libvirt's own library installed",
        ) from None
    found = survey(args.uris, name=args.name)
    for note in found.notes:
        terminal.note(f"note: {printable(note)}")
    for uri, why in found.errors:
        terminal.note(f"{printable(uri)}: {printable(why)}")
    hosts = found.document["spec"]["hosts"]
    if hosts:
        _write(found.document, args, terminal)
    if found.errors:
        raise Failure(
            Exit.OUTSIDE, f"{plural(len(found.errors), 'host')} could not be asked and are left out"
        )
    return Exit.DONE


def _write(document: dict[str, object], args: Namespace, terminal: Terminal) -> None:
    if terminal.output == "json" and not args.file:
        terminal.data(document)
        return
    import yaml

    text = _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    if not args.file:
        terminal.out.write(text)
        return
    try:
        Path(args.file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(Exit.OUTSIDE, f"{args.file}: {error.strerror}") from None
    terminal.note(f"written: {args.file}")

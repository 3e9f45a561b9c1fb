"""``frota init``: an example fleet to begin with, as files of one's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib.resources import files
from pathlib import Path

from frota.cli.arguments import Run, describe
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal, printable
from frota.resources.errors import nearest, one_of

PATTERNS = {
    "by-function": "clusters for training, for inference, and for experiments",
    "by-environment": "a cluster for each of dev, staging and prod",
    "active-passive": "one service in two regions: one answers, one stands by",
    "active-active": "one service in two regions that both answer",
}


def init(parser: ArgumentParser) -> Run:
    """The arguments of ``frota init``."""
    meanings = "; ".join(f"{name}: {meaning}" for name, meaning in PATTERNS.items())
    describe(
        parser,
        f"Write an example fleet into a directory, commented, on simulated clusters. {meanings}. "
        "Files that are there already are never overwritten: then nothing is written.",
        "frota init by-function",
        "frota init active-passive -o fleet && frota apply fleet",
    )
    parser.add_argument("pattern", metavar="PATTERN", help=", ".join(PATTERNS))
    parser.add_argument(
        "-o", "--directory", metavar="DIR", type=Path, help="where to (default: ./PATTERN)"
    )
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    directory = args.directory or Path(args.pattern)
    if args.pattern not in PATTERNS:
        near = nearest(args.pattern, list(PATTERNS))
        hint = f"; did you mean {near}?" if near else ""
        raise Failure(
            Exit.BAD_INPUT, f"expected {one_of(PATTERNS)}; found {printable(args.pattern)}{hint}"
        )
    texts = example(args.pattern)
    _write(directory, texts)
    paths = [str(directory / name) for name in texts]
    if terminal.output != "table":
        terminal.data({"pattern": args.pattern, "directory": str(directory), "files": paths})
        return Exit.DONE
    for path in paths:
        terminal.say(f"written: {path}")
    terminal.note(f"next: frota render {directory}, then frota apply {directory}")
    return Exit.DONE


def example(pattern: str) -> dict[str, str]:
    """The files of an example fleet, by name."""
    folder = files("frota.cli").joinpath("fleets", pattern)
    found = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if name.endswith(".yaml")}


def _write(directory: Path, texts: dict[str, str]) -> None:
    there = [str(directory / name) for name in texts if (directory / name).exists()]
    if there:
        raise Failure(
            Exit.REFUSED,
            f"{', '.join(there)} would be overwritten; nothing was written. Say another "
            "directory with -o",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            # "x": what another process wrote meanwhile is left alone too.
            with (directory / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        said = error.strerror or "an error"
        raise Failure(Exit.OUTSIDE, f"{error.filename or directory}: {said}") from None

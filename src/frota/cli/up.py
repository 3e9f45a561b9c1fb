"""``frota up``: the controllers of all host groups of a store, and what they do."""

from __future__ import annotations

import threading
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frota.app.application import Application
from frota.app.outfit import MissingDriver
from frota.app.signing import Signing
from frota.cli.apply import examine, store_changes
from frota.cli.arguments import Run, describe
from frota.cli.events import show_line
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.ports.store import StoreError
from frota.runtime.loop import stopping_on_signals
from frota.store.sqlite import SqliteStore


def up(parser: ArgumentParser) -> Run:
    """The arguments of ``frota up``."""
    describe(
        parser,
        "Run the controllers of all host groups in the store, after storing the files given. "
        "On a terminal a picture is redrawn: hosts by rack, VMs coloured by set, what is under "
        "way, the last decisions. Elsewhere, and with --plain, decisions are printed line by "
        "line. Ctrl-C or SIGTERM stops the controllers; VMs run on. Hosts of the provider twin "
        "are simulated here, in real time or faster.",
        "frota up examples/three-hosts.yaml",
        "frota up --plain >> frota.log",
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="applied first, as by apply")
    parser.add_argument("--plain", action="store_true", help="print decisions; draw nothing")
    parser.add_argument(
        "--speed", metavar="N", type=_speed, default=1.0,
        help="simulated hosts live N times as fast (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="of the simulated world (default: 1)"
    )
    parser.add_argument(
        "--bundle-key", metavar="FILE", type=Path,
        help="signs what clusters with delivery pull fetch (`frota bundle key new` makes one)",
    )  # fmt: skip
    parser.add_argument(
        "--bundle-sas", metavar="FILE", type=Path,
        help="a shared access signature that may write bundles and read statuses",
    )  # fmt: skip
    return _run


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 1000:
        raise ArgumentTypeError(f"expected a number from 0.1 to 1000; found {text}")
    return speed


def _run(args: Namespace, terminal: Terminal) -> int:
    changes = examine(args.files, terminal) if args.files else ()
    plain = args.plain or terminal.output != "table" or not terminal.out.isatty()
    told = _Told(terminal)
    signing = Signing(args.bundle_key, args.bundle_sas)
    app = Application(
        terminal.store, "frota up", told, speed=args.speed, seed=args.seed, signing=signing
    )
    try:
        with app, stopping_on_signals(app.stop):
            # Only who holds the store changes it: a refused command changes nothing.
            store_changes(changes, terminal)
            with _shown(app, told, terminal, plain=plain):
                app.run()
    except MissingDriver as error:
        raise Failure(Exit.OUTSIDE, str(error)) from None
    if not plain:
        terminal.say("stopped; VMs run on")
    return Exit.DONE


class _Told:
    """Where complaints go: the view while there is one, else standard error."""

    def __init__(self, terminal: Terminal) -> None:
        self.tell = terminal.note

    def __call__(self, text: str) -> None:
        self.tell(text)


@contextmanager
def _shown(app: Application, told: _Told, terminal: Terminal, *, plain: bool) -> Iterator[None]:
    """What the controllers do, on the terminal, as long as the block runs."""
    if plain:
        lines = _Lines(app.store, terminal)
        app.on_look = lines.look
        lines.start()
        try:
            yield
        finally:
            lines.stop()
        return
    from rich.console import Console

    from frota.cli.view.screen import Screen

    console = Console(file=terminal.out, no_color=not terminal.color, highlight=False)
    screen = Screen(app.store, app.clock, console)
    before, told.tell = told.tell, screen.tell
    screen.start()
    try:
        yield
    finally:
        screen.stop()
        told.tell = before


class _Lines:
    """Prints decisions as they are written, in a thread of its own."""

    def __init__(self, store: SqliteStore, terminal: Terminal) -> None:
        self._store = store
        self._terminal = terminal
        _, self._newest = store.written_after(0, last=0)
        self._news = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="decisions", daemon=True)

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def look(self) -> None:
        """Have printed what is new. Raises StoreError."""
        _, newest = self._store.written_after(self._newest, last=0)
        if newest > self._newest:
            self._news.set()

    def stop(self) -> None:
        """Print what is left, then no more."""
        self._stopping = True
        self._news.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._news.wait()
            self._news.clear()
            stopping = self._stopping
            try:
                lines, self._newest = self._store.written_after(self._newest)
            except StoreError:
                continue  # the controllers complain of it themselves
            for line in lines:
                show_line(line, self._terminal)
            self._terminal.out.flush()

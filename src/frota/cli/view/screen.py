"""The terminal view of ``frota up``: redraws all host groups until it is told to stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from frota.cli.view.scene import Scene, draw
from frota.controllers.desired import desired_group
from frota.controllers.records import GROUP, Records
from frota.model.condition import Condition
from frota.model.policy import Policy
from frota.model.snapshot import Snapshot
from frota.ports.clock import Clock
from frota.ports.store import Store, StoreError
from frota.runtime.clock import SystemClock

_FRAME_S = 0.25
_REST = 4  # after a frame it rests so many times as long as the frame took
_ROWS_LEAST = 8
_PARTS = 3  # hosts, sets and all else share the height
_LINES = 10
_TROUBLES = 3


class Screen:
    """Draws in a thread of its own; the controllers never wait for it."""

    def __init__(self, store: Store, clock: Clock, console: Console) -> None:
        self._store = store
        self._clock = clock
        self._real = SystemClock()
        self._console = console
        self._records: dict[str, Records] = {}
        self._troubles: deque[str] = deque(maxlen=_TROUBLES)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)

    def tell(self, text: str) -> None:
        """Show a complaint of Frota's own. From any thread."""
        self._troubles.append(text)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Draw no more; the terminal is as it was before."""
        self._stopping.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            pause = _FRAME_S
            while not self._stopping.wait(pause):
                began = self._real.now()
                live.update(self.picture(), refresh=True)
                # A large group takes long to draw, and drawing takes time from controllers.
                pause = max(_FRAME_S, _REST * (self._real.now() - began))

    def picture(self) -> RenderableType:
        """All groups as they stand now."""
        try:
            names = [entry.name for entry in self._store.list(GROUP)]
            rows = max(_ROWS_LEAST, self._console.height // _PARTS // max(1, len(names)))
            scenes = [self._scene(name, rows) for name in names]
        except StoreError as error:
            return Text(str(error), style="red")
        if not scenes:
            return Text("nothing is declared yet; in another terminal: frota apply FILE")
        parts: list[RenderableType] = []
        for scene in scenes:
            parts += [self._title(scene), "", draw(scene), ""]
        parts.append(Text("Ctrl-C stops the controllers; VMs run on", style="dim"))
        return Group(*parts)

    def _scene(self, group: str, rows: int) -> Scene:
        records = self._records.setdefault(group, Records(self._store, group))
        records.refresh()
        document = records.document
        policy = Policy() if document is None else desired_group(document).policy
        snapshot = Snapshot(
            group, self._clock.now(), records.hosts, records.sets, records.vms, policy
        )
        lines = self._store.journal(group=group, last=_LINES)
        troubles = [*map(words, records.conditions.values()), *self._troubles]
        return Scene(snapshot, records.verdicts, lines, troubles, rows)

    def _title(self, scene: Scene) -> Text:
        snapshot = scene.snapshot
        title = Text(f"{snapshot.group}", style="bold")
        return title.append(f"  {_summary(snapshot)}", style="dim")


def words(condition: Condition) -> str:
    """A condition as one line; that of a group needs no name."""
    kind, _, name = condition.subject.partition("/")
    return condition.message if kind == GROUP else f"{name}: {condition.message}"


def _summary(snapshot: Snapshot) -> str:
    hosts: Sequence[bool] = [h.schedulable for h in snapshot.hosts.values() if h.member]
    running = sum(vm.state.value in ("Running", "Migrating") for vm in snapshot.vms.values())
    return (
        f"{sum(hosts)} of {len(hosts)} hosts up, {running} of {len(snapshot.vms)} VMs running, "
        f"{len(snapshot.sets)} sets"
    )

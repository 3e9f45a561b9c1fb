"""One scenario from beginning to end: what happened, what was required, what was broken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from frota.model.decision import Decision
from frota.simulation.actions import perform
from frota.simulation.expect import unmet
from frota.simulation.run import Run
from frota.simulation.scenario import Expectation, Scenario, When
from frota.twin import Bmc
from frota.twin.invariants import clock_text

_Act = Callable[[], None]

IDLE_TICKS = 1000
_CALM_S = 5 * 3600.0  # longer than any quarantine, backoff or cooldown of the defaults
_TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Played:
    """How one scenario went. ``broken`` are invariants, ``unmet`` required outcomes;
    ``trace`` is a digest of all that the controller did and said, for comparison."""

    name: str
    title: str
    broken: tuple[str, ...]
    unmet: tuple[str, ...]
    hours: float
    moves: int
    restarts: int
    trace: str

    @property
    def held(self) -> bool:
        """Whether every required outcome and every invariant held."""
        return not self.broken and not self.unmet


def play(
    scenario: Scenario,
    *,
    seed: int | None = None,
    idle_ticks: int = IDLE_TICKS,
) -> Played:
    """Run a scenario, with its own seed or another, checking after every event."""
    run = Run(
        scenario.documents,
        scenario.seed if seed is None else seed,
        chances=scenario.chances,
        fences=scenario.fences,
    )
    watch = _Watch(run, scenario.expectations)
    for when, act in _program(scenario, run, watch):
        run.run_until(when)
        act()
    run.run_until(scenario.end)
    watch.finish()
    if scenario.converge:
        mend(run)
        run.run_until(run.world.now + _CALM_S)
        run.checker.converged()
    if idle_ticks:
        idle(run, idle_ticks)
    return Played(
        name=scenario.name,
        title=scenario.title,
        broken=tuple(str(item) for item in run.checker.found),
        unmet=tuple(watch.failures),
        hours=run.world.now / 3600,
        moves=run.moves(),
        restarts=run.restarts(),
        trace=trace_of(run),
    )


def mend(run: Run) -> None:
    """The liveness phase begins: faults stop and every machine is made well."""
    site = run.site
    run.fuse.left = 0
    site.mischief.quiet = True
    site.heal_controller()
    for name, machine in site.machines.items():
        if machine.bmc is not Bmc.ABSENT:
            machine.bmc = Bmc.WORKS
        site.heal([name])
        site.thaw(name)
        site.boot(name)
    run.checker.fault()
    run.wake()


def idle(run: Run, ticks: int) -> None:
    """I7: let everything come to rest, then look again and again: nothing may be done."""
    run.checker.fault()
    run.fuse.left = 0
    run.run_until(run.world.now + _CALM_S)
    orders, revision = len(run.tally.orders), run.store.commit(())
    for _ in range(ticks):
        run.tick(_TICK_S)
    acted = len(run.tally.orders) - orders
    if acted:
        last = run.tally.orders[-1][1]
        what = f"{acted} orders in {ticks} idle passes, such as {last.verb} of {last.vm}"
        run.checker.acted_idle(what)
    written = run.store.commit(()) - revision
    if written:
        run.checker.acted_idle(f"{written} commits in {ticks} idle passes")


def trace_of(run: Run) -> str:
    """A digest of all orders and of the journal."""
    orders = (f"{at:.6f} {operation}" for at, operation in run.tally.orders)
    lines = map(_told, run.store.journal(last=100_000))
    return hashlib.sha256("\n".join((*orders, *lines)).encode()).hexdigest()[:16]


def _told(line: Decision) -> str:
    """All of one line."""
    words = (line.group, line.cause_id, line.stage, line.subject, line.reason, line.message)
    return "\t".join((repr(line.at), *words, *line.rejected))


class _Watch:
    """Looks at expectations when their time has come."""

    def __init__(self, run: Run, expectations: Sequence[Expectation]) -> None:
        self._run = run
        self.failures: list[str] = []
        self._by = [item for item in expectations if item.when is When.BY]
        self._never = [item for item in expectations if item.when is When.NEVER]
        if self._by or self._never:
            run.after_pass = self.look

    def look(self) -> None:
        """After a pass of the controller."""
        now = self._run.world.now
        for item in list(self._by):
            if now <= item.time and not self._found(item):
                self._by.remove(item)
        for item in list(self._never):
            if now >= item.since and not self._found(item):
                self._never.remove(item)
                text = f"{item.subject} must never be {_wanted(item)}"
                self._fail(item, f"at {clock_text(now)} {text}, and was")

    def check(self, item: Expectation) -> None:
        """An expectation whose time is now."""
        found = self._found(item)
        if found:
            text = f"at {clock_text(item.time)} {item.subject} must be {_wanted(item)}"
            self._fail(item, f"{text}; {found}")

    def due(self, item: Expectation) -> None:
        """The last moment for something that had to become true."""
        if item in self._by and self._found(item):
            text = f"by {clock_text(item.time)} {item.subject} had to be {_wanted(item)}"
            self._fail(item, f"{text}; {self._found(item)}")
        if item in self._by:
            self._by.remove(item)

    def finish(self) -> None:
        """The run is over."""
        for item in list(self._by):
            self.due(item)
        self._run.after_pass = lambda: None

    def _found(self, item: Expectation) -> str:
        return unmet(self._run, item.subject, item.wanted, item.since)

    def _fail(self, item: Expectation, text: str) -> None:
        self.failures.append(f"{item.place}: {text}" if item.place else text)


def _wanted(item: Expectation) -> str:
    if isinstance(item.wanted, dict):
        return ", ".join(f"{field} {value}" for field, value in item.wanted.items())
    return str(item.wanted)


def _program(scenario: Scenario, run: Run, watch: _Watch) -> list[tuple[float, _Act]]:
    """Events and looks in order of time; of one time, looks come first."""
    steps: list[tuple[float, int, int, _Act]] = []
    for number, event in enumerate(scenario.events):
        steps.append((event.at, 1, number, partial(perform, run, event.action, event.args)))
    for number, item in enumerate(scenario.expectations):
        if item.when is not When.NEVER:
            look = watch.check if item.when is When.AT else watch.due
            steps.append((item.time, 0, number, partial(look, item)))
    steps.sort(key=lambda step: step[:3])
    return [(when, act) for when, _, _, act in steps]

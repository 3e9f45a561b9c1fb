"""``frota plan`` for fleets: what would change in every cluster. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from frota.app.members import KUBERNETES, members_of
from frota.app.outfit import MissingDriver
from frota.cli.changes import Change
from frota.cli.delivery import plandata, planview
from frota.cli.delivery.foresight import FleetForesight, fleets_of, foresee_fleet
from frota.cli.delivery.looking import Look, Looker, marks, recorded
from frota.cli.naming import CLUSTER, FLEET
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.ports.store import Store
from frota.runtime.clock import SystemClock
from frota.runtime.interpreter import tune_interpreter
from frota.store.sqlite import SqliteStore


class FleetPlans:
    """What would become of the fleets that documents are about."""

    def __init__(self, store: Store, changes: Sequence[Change], seconds: float) -> None:
        tune_interpreter()
        clock = SystemClock(store.latest() if isinstance(store, SqliteStore) else 0.0)
        self._sights = [
            foresee_fleet(fleet, store, changes, clock) for fleet in fleets_of(changes, store)
        ]
        self._looks = _looked(self._sights, clock, seconds)

    def __bool__(self) -> bool:
        return bool(self._sights)

    @property
    def code(self) -> Exit:
        """OUTSIDE when a cluster could not be looked at, REFUSED when one is against it."""
        looks = self._looks.values()
        if any(look.error or (look.plan and look.plan.waits) for look in looks):
            return Exit.OUTSIDE
        return Exit.REFUSED if any(map(planview.refused, looks)) else Exit.DONE

    def marks(self) -> dict[str, dict[str, str]]:
        """What a saved plan is held against."""
        found: dict[str, dict[str, str]] = {}
        for sight in self._sights:
            begins = "begins" if sight.begins else "stays"
            found[f"{FLEET}/{sight.fleet}"] = {"rollout": f"{begins} {sight.course.rollout.id}"}
            for target in sight.targets:
                found[f"{CLUSTER}/{target.cluster}"] = marks(self._looks[target.cluster])
        return found

    def show(self, terminal: Terminal, *, full: bool) -> None:
        """For people."""
        for sight in self._sights:
            terminal.say()
            planview.show(sight, self._looks, terminal, full=full)

    def data(self, *, full: bool) -> list[dict[str, Any]]:
        """For programs."""
        return [plandata.data(sight, self._looks, full=full) for sight in self._sights]


def _looked(
    sights: Iterable[FleetForesight], clock: SystemClock, seconds: float
) -> dict[str, Look]:
    targets = [target for sight in sights for target in sight.targets]
    looks = {t.cluster: recorded(t) for t in targets if t.beyond or t.before is not None}
    near = [target for target in targets if target.cluster not in looks]
    if not near:
        return looks
    try:
        members = members_of(KUBERNETES, clock, speed=1.0, follows=False)
    except MissingDriver as error:
        raise Failure(Exit.OUTSIDE, str(error)) from None
    if members is None:
        return looks
    try:
        return {**looks, **Looker(members, near).look(seconds)}
    finally:
        members.close()

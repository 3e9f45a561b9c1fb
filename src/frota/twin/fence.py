"""The Fence port of the simulated world: power controllers, leases and poison pills.

Like the real one it proves a death only by what cannot lie: power read as off, a lease
not renewed for its length and margin, or the host's own word on the lease storage that
its guests are gone. Silence proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from frota.model.sight import FenceState, FenceVerdict
from frota.twin.machine import Bmc, Machine
from frota.twin.site import Crash, Site

POWER_STATUS = "power-status"
POWER_OFF = "power-off"
LEASE = "lease"
PILL = "poison-pill"

_WATCHES_MOST = 3  # lease lengths that one request watches a lease that is renewed
_NOT_ASKED = FenceVerdict(FenceState.IDLE)


@dataclass(slots=True, eq=False)
class _Case:
    """One request for one life of a host."""

    host: str
    incarnation: str
    kills: bool
    verdict: FenceVerdict
    started: float
    bound: int = 0  # the life for which the lease was renewed when this was asked
    watches: int = 0
    dropped: bool = False
    power: str = ""  # what the power controller said, for the message


class TwinFence:
    """One controller process's view of all ways to fence."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cases: dict[str, _Case] = {}
        self._wake: Callable[[], None] = lambda: None

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when a verdict changed."""
        self._wake = wake

    def verdict(self, host: str, incarnation: str) -> FenceVerdict:
        """The state of the proof for this life of the host."""
        case = self._cases.get(host)
        if case is None or case.incarnation != incarnation:
            return _NOT_ASKED
        return case.verdict

    def forget(self, host: str) -> None:
        """Drop all requests and verdicts of a host."""
        case = self._cases.pop(host, None)
        if case is not None:
            case.dropped = True

    def lease_problem(self, host: str) -> str:
        """Why the lease of a host would be of no use now."""
        site = self._site
        if not site.leases or host not in site.machines:
            return ""
        if site.controller_storage_cut:
            return "the lease storage cannot be read"
        return "" if site.machines[host].renews else "the lease is not renewed"

    def probe(self, host: str, incarnation: str) -> None:
        """Look for proof, without harm."""
        if not self._busy(host, incarnation, kills=False):
            self._open(host, incarnation, kills=False)

    def kill(self, host: str, incarnation: str) -> None:
        """End this life of the host by every method."""
        if not self._busy(host, incarnation, kills=True):
            self._open(host, incarnation, kills=True)

    def _busy(self, host: str, incarnation: str, *, kills: bool) -> bool:
        case = self._cases.get(host)
        if case is None or case.incarnation != incarnation:
            return False
        state = case.verdict.state
        if state is FenceState.PROVED:
            return True
        return state is FenceState.WORKING and (case.kills or not kills)

    def _open(self, host: str, incarnation: str, *, kills: bool) -> None:
        machine = self._site.machines.get(host)
        self.forget(host)
        working = FenceVerdict(FenceState.WORKING, message="asked")
        case = _Case(host, incarnation, kills, working, self._site.world.now)
        self._cases[host] = case
        if machine is None:
            self._close(case, FenceState.FAILED, "", f"there is no host {host!r}")
        else:
            case.bound = machine.lease_life
            self._ask_power(case, machine)

    # Power

    def _ask_power(self, case: _Case, machine: Machine) -> None:
        pace, rng = self._site.pace, self._site.world.rng
        if machine.bmc is Bmc.ABSENT:
            case.power = "no power controller"
            self._then(case, 0.0, lambda: self._to_lease(case))
        elif machine.bmc is Bmc.FAILS:
            case.power = "the power controller does not answer"
            self._then(case, pace.bmc_timeout, lambda: self._to_lease(case))
        elif case.kills:
            self._then(case, pace.power_off.draw(rng), lambda: self._power_off(case))
        else:
            self._then(case, pace.power_status.draw(rng), lambda: self._power_status(case))

    def _power_status(self, case: _Case) -> None:
        if self._site.machines[case.host].powered:
            case.power = "the power is on"
            self._to_lease(case)
        else:
            self._close(case, FenceState.PROVED, POWER_STATUS, "the power is off")

    def _power_off(self, case: _Case) -> None:
        if self._site.machines[case.host].bmc is not Bmc.WORKS:
            case.power = "the power controller does not answer"
            self._to_lease(case)
            return
        self._site.crash(case.host, Crash.POWER_OFF)
        self._close(case, FenceState.PROVED, POWER_OFF, "the power was switched off")

    # Leases

    def _to_lease(self, case: _Case) -> None:
        site = self._site
        if not site.leases:
            self._close(case, FenceState.FAILED, "", f"{case.power}; no lease is configured")
            return
        pace, machine = site.pace, site.machines[case.host]
        if case.kills and not site.controller_storage_cut:
            machine.pill = case.bound
            read_at = machine.tick(site.world.now, pace.lease_renew) + pace.lease_renew
            site.world.at(read_at, lambda: self._pill_read(case))
        self._watch(case, case.started)

    def _pill_read(self, case: _Case) -> None:
        """The host reads its pill when it next renews; it acts even if nobody waits."""
        site, machine = self._site, self._site.machines[case.host]
        if machine.pill != case.bound or not machine.renews:
            return
        site.take_pill(machine, case.bound)
        delay = site.pace.notice.draw(site.world.rng)
        self._then(case, delay, lambda: self._pill_seen(case))

    def _pill_seen(self, case: _Case) -> None:
        if not self._site.controller_storage_cut:
            self._close(case, FenceState.PROVED, PILL, "the host ended its guests when told to")

    def _watch(self, case: _Case, since: float) -> None:
        """Look again when the lease seen at ``since`` must have run out."""
        pace, world = self._site.pace, self._site.world
        due = since + pace.lease + pace.lease_margin
        self._then(case, max(0.0, due - world.now), lambda: self._lease_due(case, since))

    def _lease_due(self, case: _Case, since: float) -> None:
        site, machine = self._site, self._site.machines[case.host]
        if site.controller_storage_cut:
            text = f"{case.power}; the lease storage cannot be read"
            self._close(case, FenceState.FAILED, "", text)
            return
        if machine.lease_life != case.bound:
            text = "the host renews for another life"
            self._close(case, FenceState.PROVED, LEASE, text)
            return
        renewed = machine.last_renewal(site.world, site.pace.lease_renew)
        if renewed <= since:
            length = site.pace.lease + site.pace.lease_margin
            self._close(case, FenceState.PROVED, LEASE, f"not renewed for {length:g} s")
            return
        case.watches += 1
        if case.watches < _WATCHES_MOST:
            self._watch(case, renewed)
        else:
            self._close(case, FenceState.FAILED, "", f"{case.power}; its lease is renewed")

    # Both

    def _then(self, case: _Case, delay_s: float, act: Callable[[], None]) -> None:
        def run() -> None:
            if not case.dropped and case.verdict.state is FenceState.WORKING:
                act()

        self._site.world.after(delay_s, run)

    def _close(self, case: _Case, state: FenceState, method: str, message: str) -> None:
        case.verdict = FenceVerdict(state, method, message)
        self._wake()

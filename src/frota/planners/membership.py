"""The life of a host: silence, isolation, proof of death, return, quarantine, drain.

One call looks at every host once and says which change state, which must be asked to
die, and when to look again. It never decides on VMs. Unknown is not down: silence alone
never makes a host Down; a proof does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from frota.model.host import Host, HostState, Intent
from frota.model.policy import Policy
from frota.model.sight import FenceState, FenceVerdict, HostView

S = HostState
_WATCHED = frozenset({S.UP, S.RECOVERING, S.QUARANTINED, S.DRAINING})
_SILENT = frozenset({S.SUSPECT, S.ISOLATED, S.FENCING})
_SUSPECTS = _SILENT | _WATCHED
# Looking a member up through its enum is slow, and each is asked for every host.
_REMOVED, _DOWN, _MAINTENANCE, _JOINING = S.REMOVED, S.DOWN, S.MAINTENANCE, S.JOINING
_ISOLATED, _FENCING, _DRAINING = S.ISOLATED, S.FENCING, S.DRAINING
_RECOVERING, _QUARANTINED, _UP = S.RECOVERING, S.QUARANTINED, S.UP
_ACTIVE = Intent.ACTIVE
_NO_VERDICT = FenceVerdict(FenceState.IDLE)


class Surroundings(NamedTuple):
    """What membership must know beside the hosts' own records.

    ``busy`` are the hosts that still hold VMs or copies that keep them from Maintenance
    or Removed; ``haunted`` those that still show copies which must be ended before they
    may serve again. ``witness`` is None where none is configured. ``calm_since`` is when the
    last storm was over, infinity if there was one at the last look.
    """

    views: Mapping[str, HostView]
    verdicts: Mapping[str, FenceVerdict]
    busy: frozenset[str] = frozenset()
    haunted: frozenset[str] = frozenset()
    witness: bool | None = None
    calm_since: float = -inf


class Judgement(NamedTuple):
    """``changed`` hosts replace the old records. ``probe`` and ``kill`` name hosts whose
    death is to be looked for, or brought about. ``again_at`` is the next time at which the
    answer can differ although nothing happens. ``storm`` is empty, or says why
    silence is not believed now."""

    changed: tuple[Host, ...] = ()
    probe: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    again_at: float = inf
    storm: str = ""


def judge(hosts: Mapping[str, Host], around: Surroundings, policy: Policy, now: float) -> Judgement:
    """Judge every host of a group once (section E.3; storms as in E.7)."""
    storm = _storm(hosts, around, policy)
    states = [host.state for host in hosts.values()]
    quarantined, schedulable = states.count(_QUARANTINED), states.count(_UP)
    changed: list[Host] = []
    probe: list[str] = []
    kill: list[str] = []
    court = _Court(around, policy, now, storm, len(hosts), quarantined, schedulable)
    for name, old in hosts.items():
        if _well(old, around.views.get(name)):
            continue
        new = court.judge(old)
        if new is not old:
            changed.append(new)
            court.quarantined += (new.state is _QUARANTINED) - (old.state is _QUARANTINED)
            court.schedulable += new.schedulable - old.schedulable
        if new.state is _ISOLATED:
            probe.append(name)
        elif new.state is _FENCING:
            kill.append(name)
    again_at = now if changed else court.again_at
    return Judgement(tuple(changed), tuple(probe), tuple(kill), again_at, storm)


def _well(host: Host, view: HostView | None) -> bool:
    """Whether a host serves and beats as it did, so that nothing is to be said of it: like
    nearly all."""
    return (
        view is not None
        and host.state is _UP
        and host.intent is _ACTIVE
        and view.beating
        and view.incarnation == host.incarnation
        and (view.capacity is host.capacity or view.capacity is None)
    )


@dataclass(slots=True)
class _Court:
    """Judges one host; holds what the rules share and collects the next deadline."""

    around: Surroundings
    policy: Policy
    now: float
    storm: str
    members: int
    quarantined: int
    schedulable: int
    again_at: float = inf

    def judge(self, host: Host) -> Host:
        state = host.state
        if state is _REMOVED:
            return host
        view = self.around.views.get(host.name)
        if state is _DOWN:
            return self._down(host, view)
        if state is _MAINTENANCE:
            return self._maintenance(host, view)
        if view is None:
            return host
        if view.beating and host.incarnation and view.incarnation != host.incarnation:
            if state is _JOINING:
                return replace(host, incarnation=view.incarnation)
            return self._dead(host, f"it started anew as {view.incarnation}")
        if state is _JOINING:
            return self._joining(host, view)
        if state in _SILENT:
            return self._silent(host, view)
        if not view.beating:
            return self._missing(host, view)
        return self._present(host, view)

    def _at(self, deadline: float) -> bool:
        """Whether a deadline has passed; if not, ask to look again then."""
        if self.now >= deadline:
            return True
        self.again_at = min(self.again_at, deadline)
        return False

    def _to(self, host: Host, state: HostState, reason: str) -> Host:
        return replace(host, state=state, since=self.now, reason=reason)

    def _joining(self, host: Host, view: HostView) -> Host:
        if not view.beating or view.capacity is None:
            # What keeps it out (no route, a wrong key) is for the operator to see, once it
            # has had the time to join.
            known = view.error in ("", host.reason)
            late = self._at(host.since + self.policy.timers.isolated)
            return replace(host, reason=view.error) if late and not known else host
        joined = replace(host, incarnation=view.incarnation, capacity=view.capacity)
        return self._to(joined, S.UP, "joined: healthy, inventory read")

    def _missing(self, host: Host, view: HostView) -> Host:
        """A host in service whose beats do not come."""
        timers = self.policy.timers
        if not self._at(view.last_seen + timers.suspect_beats * timers.beat):
            return host
        suspect = replace(host, before=host.state)
        return self._to(suspect, S.SUSPECT, f"{timers.suspect_beats} heartbeats missed")

    def _silent(self, host: Host, view: HostView) -> Host:
        """Suspect, Isolated or Fencing."""
        proof = self._proof(host)
        struck = host.state is S.FENCING or (host.state is S.ISOLATED and not view.beating)
        if proof and struck:
            return self._dead(host, proof)
        if view.beating:
            return self._heard_again(host)
        timers = self.policy.timers
        if host.state is S.SUSPECT:
            if not self._at(view.last_seen + timers.isolated):
                return host
            return self._to(host, S.ISOLATED, f"silent for {timers.isolated:g} s")
        if host.state is S.ISOLATED:
            if self.storm:
                # Nothing that ends a storm is sure to be seen: a witness that answers again,
                # a power controller that can be asked once more.
                self.again_at = min(self.again_at, self.now + timers.audit)
                return host
            # The record may be older than this process: it must have seen the silence itself.
            # And those that a storm silenced do not all come back in the same second.
            calm = min(self.around.calm_since, self.now)
            silent = max(host.since, view.last_seen + timers.isolated, calm)
            if not self._at(silent + timers.isolation_grace):
                return host
            return self._to(
                host, S.FENCING, f"silent for {timers.isolation_grace:g} s after isolation"
            )
        return host

    def _heard_again(self, host: Host) -> Host:
        """A beat of the same incarnation."""
        if host.state is S.SUSPECT:
            return self._to(host, host.before, "heartbeats again")
        if host.state is S.FENCING:
            verdict = self.around.verdicts.get(host.name, _NO_VERDICT)
            if verdict.state is FenceState.WORKING:
                return host  # the order to die is out: it may strike at any moment
        left = replace(host, leaves=self._leaves(host))
        if self._quarantine_due(left):
            return self._quarantine(left)
        return self._to(left, host.before, "heartbeats again, same incarnation")

    def _present(self, host: Host, view: HostView) -> Host:
        """A host in service that beats."""
        state = host.state
        if view.capacity is not None and view.capacity != host.capacity:
            host = replace(host, capacity=view.capacity)
        if state is _DRAINING:
            return self._draining(host)
        if host.intent is not _ACTIVE:
            return self._to(host, S.DRAINING, "an operator asked for it")
        if state is _RECOVERING and self._at(host.since + self.policy.timers.hold):
            return self._to(host, S.UP, f"healthy for {self.policy.timers.hold:g} s")
        if state is _QUARANTINED and (host.cleared or self._at(host.until)):
            why = "an operator cleared it" if host.cleared else "quarantine served"
            return self._to(replace(host, cleared=False), S.RECOVERING, why)
        return host

    def _draining(self, host: Host) -> Host:
        if host.intent is Intent.ACTIVE:
            return self._to(host, S.RECOVERING, "an operator resumed it")
        if host.name in self.around.busy:
            return host
        if host.intent is Intent.REMOVED:
            return self._to(host, S.REMOVED, "removed for good by an operator")
        return self._to(host, S.MAINTENANCE, "drained")

    def _maintenance(self, host: Host, view: HostView | None) -> Host:
        if host.intent is Intent.REMOVED:
            return self._to(host, S.REMOVED, "removed for good by an operator")
        if host.name in self.around.busy:
            return self._to(host, S.DRAINING, "it holds VMs again")
        if host.intent is Intent.DRAINED or view is None or not view.beating:
            return host
        if host.name in self.around.haunted:
            return host
        fresh = replace(host, incarnation=view.incarnation)
        if view.capacity is not None:
            fresh = replace(fresh, capacity=view.capacity)
        return self._to(fresh, S.RECOVERING, "an operator resumed it")

    def _down(self, host: Host, view: HostView | None) -> Host:
        if host.intent is Intent.REMOVED:
            return self._to(host, S.REMOVED, "removed for good by an operator")
        if view is None or not view.beating or host.name in self.around.haunted:
            return host
        if view.incarnation == host.incarnation and not self._beats_after(host, view):
            return host
        fresh = replace(host, incarnation=view.incarnation, fence_proof="", declared_dead="")
        if view.capacity is not None:
            fresh = replace(fresh, capacity=view.capacity)
        if self._quarantine_due(fresh):
            return self._quarantine(fresh)
        return self._to(fresh, S.RECOVERING, "heartbeats again")

    def _beats_after(self, host: Host, view: HostView) -> bool:
        """Whether the same life still beats some time after the proof of its death: one
        that came back just before its power was cut is seen for a moment longer."""
        patience = self.policy.timers.suspect_beats * self.policy.timers.beat
        return self._at(host.since + patience) and view.last_seen > host.since

    def _dead(self, host: Host, proof: str) -> Host:
        down = replace(host, leaves=self._leaves(host), fence_proof=proof)
        return self._to(down, S.DOWN, proof)

    def _proof(self, host: Host) -> str:
        if host.declared_dead and host.declared_dead == host.incarnation:
            return "declared dead by an operator"
        verdict = self.around.verdicts.get(host.name, _NO_VERDICT)
        if verdict.state is not FenceState.PROVED:
            return ""
        return f"proved dead by {verdict.method}"

    def _leaves(self, host: Host) -> tuple[float, ...]:
        """This leave and those within the window; bounded by what the rule can need."""
        timers = self.policy.timers
        recent = tuple(at for at in host.leaves if at > self.now - timers.quarantine_window)
        return (*recent, self.now)[-2 * timers.quarantine_leaves :]

    def _quarantine_due(self, host: Host) -> bool:
        timers = self.policy.timers
        recent = sum(at > self.now - timers.quarantine_window for at in host.leaves)
        if recent < timers.quarantine_leaves:
            return False
        most = max(1, int(self.policy.quarantine_share * self.members))
        return self.quarantined < most and self.schedulable > 0

    def _quarantine(self, host: Host) -> Host:
        timers = self.policy.timers
        held = replace(host, until=self.now + timers.quarantine, cleared=False)
        count = len(host.leaves)
        return self._to(
            held, S.QUARANTINED, f"left {count} times within {timers.quarantine_window:g} s"
        )


def _storm(hosts: Mapping[str, Host], around: Surroundings, policy: Policy) -> str:
    """Why the silence of hosts is not believed now; empty when it is.

    A proof of death (power read as off, a lease run out) does not rest on silence, so
    proved hosts are no part of a storm.
    """
    if around.witness is False:
        return "the controller cannot see its own witness"
    silent = list(_silent_hosts(hosts, around))
    if len(silent) <= 1:
        return ""
    latest = max(seen for _, seen in silent)
    together = [host for host, seen in silent if seen >= latest - policy.timers.isolation_grace]
    members = [host for host in hosts.values() if host.member]
    racks = {host.rack for host in together}
    wholes = [count for rack in racks if (count := _whole(rack, members, together))]
    few = len(together) <= max(1, policy.storm_share * len(members))
    if few and sum(count > 1 for count in wholes) <= 1:
        return ""
    if len(racks) == 1 and wholes and around.witness is True:
        return ""  # exactly one rack is gone, and the observer itself is well
    return f"{len(together)} of {len(members)} hosts fell silent together"


def _silent_hosts(hosts: Mapping[str, Host], around: Surroundings) -> Iterator[tuple[Host, float]]:
    for host in hosts.values():
        view = around.views.get(host.name)
        if view is None or view.beating or host.state not in _SUSPECTS:
            continue
        if host.declared_dead == host.incarnation != "":
            continue
        verdict = around.verdicts.get(host.name, _NO_VERDICT)
        if verdict.state is not FenceState.PROVED and host.state in _SILENT:
            yield host, view.last_seen


def _whole(rack: str, members: list[Host], together: list[Host]) -> int:
    """The number of hosts in the rack if all of them that could beat are silent, else 0."""
    alive = {h.name for h in members if h.rack == rack and h.state not in (S.DOWN, S.MAINTENANCE)}
    return len(alive) if alive <= {h.name for h in together} else 0

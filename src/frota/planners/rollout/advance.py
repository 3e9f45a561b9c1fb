"""The rollout as a state machine: what is known in, what may be delivered now out.

It stores no place in the sequence: which wave is open follows from how far each cluster is.
So a cluster that joins, fails late or comes back is taken as it is, and a controller that
was killed goes on from its last record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isnan

from frota.model.plan import Refusal
from frota.model.rollout import (
    Advance,
    ClusterProgress,
    ClusterState,
    Intent,
    Phase,
    Progress,
    Rollout,
    RolloutFleet,
    Wave,
)
from frota.planners.delivery.wanted import digest
from frota.planners.rollout.back import go_back, turned_round
from frota.planners.rollout.progress import all_in, members_in, moved, seen, skipped
from frota.planners.rollout.waves import StandIns, UnderWay, waves_of

_NAMED = (Progress.DELIVERING, Progress.FAILED, Progress.UNREACHABLE, Progress.SKIPPED)
_MEASURED_S = 15.0  # until a burn rate may have become another one
_SETTLED = (Progress.DONE, Progress.SKIPPED)


def advance(
    fleet: RolloutFleet, states: Mapping[str, ClusterState], rollout: Rollout, now: float
) -> Advance:
    """One step. The same input gives the same answer; a step that changes nothing returns
    an equal record."""
    if rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
        return go_back(fleet, states, rollout, now)
    if rollout.intent is Intent.ROLLBACK:
        return go_back(fleet, states, turned_round(rollout), now)
    if rollout.phase in (Phase.COMPLETED, Phase.PARTIAL):
        return _ended(fleet, rollout)
    return _Forward(fleet, states, rollout, now).step()


def approval_hash(rollout: Rollout, wave: Wave) -> str:
    """What an approval to begin a wave must name: this content, to these clusters."""
    return digest([rollout.id, rollout.revision, wave.environment, wave.number, wave.clusters])


def _ended(fleet: RolloutFleet, rollout: Rollout) -> Advance:
    """Every member has the content, but for those that were skipped by then; one that joins
    gets it too. A skip that comes later changes nothing: nobody is given back what it had
    but by a rollback."""
    known = {part.cluster for part in rollout.clusters}
    deliver: dict[str, str] = {}
    reasons = []
    for name, part in members_in(rollout, fleet).items():
        if name not in known or part.reached:
            deliver[name] = rollout.revision
        elif not part.begun and part.before:
            deliver[name] = part.before
        if part.state is Progress.SKIPPED:
            reasons.append(Refusal(name, "Skipped", part.message))
    return Advance(rollout, deliver, reasons=tuple(reasons))


@dataclass(slots=True)
class _Forward:
    """One step of a rollout that goes forward, or stands still."""

    fleet: RolloutFleet
    states: Mapping[str, ClusterState]
    rollout: Rollout
    now: float
    parts: dict[str, ClusterProgress] = field(default_factory=dict)
    reasons: list[Refusal] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    approve: str = ""
    again_at: float = inf

    def step(self) -> Advance:
        """Look, keep what is under way, begin what may begin."""
        waves = waves_of(self.fleet)
        self._look(waves)
        aborted = self.rollout.phase is Phase.ABORTED or self.rollout.intent is Intent.ABORT
        phase = Phase.ABORTED
        if not aborted:
            self._keep_going()
            phase = self._phase(passed=self._open(waves))
        self._name_troubles(aborted=aborted)
        order = [name for wave in waves for name in wave.clusters]
        staged = set(order)
        order += [name for name in self.parts if name not in staged]
        record = replace(
            self.rollout, phase=phase, clusters=tuple(self.parts[name] for name in order)
        )
        return Advance(
            record,
            deliver=self._deliver(),
            under_way=frozenset(self.under_way),
            reasons=tuple(self.reasons),
            approve=self.approve,
            again_at=self.again_at,
        )

    def _look(self, waves: Sequence[Wave]) -> None:
        aside = skipped(self.rollout)
        healthy = {name: wave.gate.healthy for wave in waves for name in wave.clusters}
        for name, part in members_in(self.rollout, self.fleet).items():
            if name in aside:
                self.parts[name] = moved(part, Progress.SKIPPED, aside[name], self.now)
            elif part.begun:
                self.parts[name] = seen(
                    part,
                    self.states.get(name),
                    self.rollout.revision,
                    healthy=healthy.get(name, True),
                    now=self.now,
                )
            else:  # also one that was skipped, and is not any more
                self.parts[name] = moved(part, Progress.WAITING, "", self.now)

    def _keep_going(self) -> None:
        """What was under way stays so. A cluster that was silent gave its place up: it gets
        it again when no region that stands in for its own changes."""
        changing = UnderWay(StandIns(self.fleet))
        before = {p.cluster: p.state for p in self.rollout.clusters}
        going = [
            part
            for part in self.parts.values()
            if part.begun
            and not part.reached
            and part.state in (Progress.DELIVERING, Progress.FAILED)
        ]
        held = (Progress.DELIVERING, Progress.FAILED)
        for part in sorted(going, key=lambda p: (before.get(p.cluster) not in held, p.cluster)):
            other = changing.met(part.cluster)
            if other:
                # Recorded as silent for as long as it has no place: nothing is written to it.
                why = f"waits for {other}, whose region stands in for its own"
                self.parts[part.cluster] = moved(part, Progress.UNREACHABLE, why, self.now)
            else:
                self.under_way.add(part.cluster)
                changing.add(part.cluster)

    def _open(self, waves: Sequence[Wave]) -> bool:
        """Go through the waves up to the first that is not passed; begin what may begin.
        Returns whether all are passed."""
        for place, wave in enumerate(waves):
            self._begin(wave)
            later = waves[place + 1 :]
            if not self._passed(wave, later):
                self._wait_for(wave, [name for wave in later for name in wave.clusters])
                return False
        return not any(p.state not in _SETTLED for p in self.parts.values())

    def _begin(self, wave: Wave) -> None:
        if self.rollout.intent is not Intent.RUN:
            return
        bad = [p.cluster for p in self.parts.values() if p.begun and p.state not in _SETTLED]
        changing = UnderWay(StandIns(self.fleet), [*self.under_way, *bad])
        strange = set(bad) - set(wave.clusters)
        for name in wave.clusters:
            part = self.parts[name]
            if part.state is not Progress.WAITING:
                continue
            other = changing.met(name)
            if strange or other:
                why = f"waits for {other or min(strange)}"
                self.reasons.append(Refusal(name, "WaitsForCluster", why))
                continue
            part = replace(part, begun=True)
            state = self.states.get(name)
            part = seen(part, state, self.rollout.revision, healthy=wave.gate.healthy, now=self.now)
            self.parts[name] = part
            if part.state in (Progress.DELIVERING, Progress.FAILED):
                self.under_way.add(name)
                changing.add(name)

    def _passed(self, wave: Wave, later: Sequence[Wave]) -> bool:
        """Whether the gates of a wave are open."""
        parts = [self.parts[name] for name in wave.clusters]
        if not all_in(parts, *_SETTLED):
            return False
        following = None  # a wave that is skipped whole begins nothing to be approved
        for coming in later:
            if any(self.parts[name].begun for name in coming.clusters):
                return True  # it was open once; what regressed since is held by _begin
            if not all_in([self.parts[name] for name in coming.clusters], Progress.SKIPPED):
                following = coming
                break
        return (
            self._soaked(wave, parts) and self._burns_little(wave) and self._agreed(wave, following)
        )

    def _soaked(self, wave: Wave, parts: Sequence[ClusterProgress]) -> bool:
        done = [part.since for part in parts if part.state is Progress.DONE]
        until = max(done, default=-inf) + wave.gate.soak
        if self.now >= until:
            return True
        self.again_at = min(self.again_at, until)
        why = f"must be well for {until - self.now:.0f} s more"
        self.reasons.append(Refusal(wave.name, "Soaking", why))
        return False

    def _burns_little(self, wave: Wave) -> bool:
        for name in wave.clusters:
            state = self.states.get(name)
            burn = state.burn if state is not None else None
            if burn is None or self.parts[name].state is Progress.SKIPPED:
                continue
            if not burn < wave.gate.burn_most:  # NaN, not measured, is not below either
                said = "is not measured" if isnan(burn) else f"is {burn:.2f}"
                said += f" ({state.burn_of})" if state is not None and state.burn_of else ""
                why = f"the burn rate of {name} {said}; it must be below {wave.gate.burn_most:g}"
                self.again_at = min(self.again_at, self.now + _MEASURED_S)
                self.reasons.append(Refusal(wave.name, "BudgetBurns", why))
                return False
        return True

    def _agreed(self, wave: Wave, following: Wave | None) -> bool:
        if not wave.gate.approval or following is None:
            return True
        wanted = approval_hash(self.rollout, following)
        if wanted in self.rollout.approvals:
            return True
        self.approve = wanted
        why = f"{following.name} ({', '.join(following.clusters)}) begins after an approval"
        self.reasons.append(Refusal(wave.name, "WaitsForApproval", why))
        return False

    def _wait_for(self, wave: Wave, later: Sequence[str]) -> None:
        for name in later:
            if self.parts[name].state is Progress.WAITING:
                self.reasons.append(Refusal(name, "WaitsForWave", f"waits for {wave.name}"))

    def _phase(self, *, passed: bool) -> Phase:
        if passed:
            aside = any(part.state is Progress.SKIPPED for part in self.parts.values())
            return Phase.PARTIAL if aside else Phase.COMPLETED
        return Phase.PAUSED if self.rollout.intent is Intent.PAUSE else Phase.RUNNING

    def _name_troubles(self, *, aborted: bool) -> None:
        staged = {stage.environment for stage in self.fleet.stages}
        strays = {m.cluster: m.environment for m in self.fleet.members}
        for name, part in self.parts.items():
            if aborted and part.begun and not part.reached:
                why = "was being changed when the rollout was aborted; nothing more is written"
                self.reasons.append(Refusal(name, "LeftPartWay", why))
            elif part.state in _NAMED:
                self.reasons.append(Refusal(name, part.state, part.message))
            elif part.state is Progress.WAITING and strays[name] not in staged:
                why = f"its environment {strays[name] or '(none)'} is no stage of the fleet"
                self.reasons.append(Refusal(name, "NoStage", why))

    def _deliver(self) -> dict[str, str]:
        """Reached: the new content, kept true. Not begun, or skipped before it began: the old
        one, kept true. Between the two: only what has a place."""
        found: dict[str, str] = {}
        for name, part in self.parts.items():
            if part.reached or name in self.under_way:
                found[name] = self.rollout.revision
            elif not part.begun and part.before:
                found[name] = part.before
        return found

"""A rollback: every cluster that was begun gets back what it had, last wave first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from frota.model.plan import Refusal
from frota.model.rollout import (
    Advance,
    ClusterProgress,
    ClusterState,
    Phase,
    Progress,
    Rollout,
    RolloutFleet,
)
from frota.planners.rollout.progress import NOT_SEEN, members_in, moved, skipped
from frota.planners.rollout.waves import StandIns, UnderWay, waves_of

_TURNING = (Progress.DELIVERING, Progress.FAILED)
_NAMED = (*_TURNING, Progress.UNREACHABLE, Progress.SKIPPED)


def go_back(
    fleet: RolloutFleet, states: Mapping[str, ClusterState], rollout: Rollout, now: float
) -> Advance:
    """One step back. No soak and no approval: what it goes back to was there before. A
    cluster that does not answer holds nobody up, and the rollback is not over without it.
    Health is not waited for either: what had to be undone may have broken more than it."""
    turn = _Turn(fleet, rollout, now)
    turn.look(states)
    turn.keep_going()
    for wave in reversed(waves_of(fleet)):
        turn.begin(wave.clusters)
    return turn.answer()


def turned_round(rollout: Rollout) -> Rollout:
    """The record at the moment of turning: nobody is on the way back yet."""
    parts = tuple(
        replace(part, state=Progress.WAITING, message="") if part.begun else part
        for part in rollout.clusters
    )
    return replace(rollout, phase=Phase.ROLLING_BACK, clusters=parts)


@dataclass(slots=True)
class _Turn:
    """One step back, as far as it is worked out."""

    fleet: RolloutFleet
    rollout: Rollout
    now: float
    parts: dict[str, ClusterProgress] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    changing: UnderWay = field(init=False)
    reasons: list[Refusal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changing = UnderWay(StandIns(self.fleet))

    def look(self, states: Mapping[str, ClusterState]) -> None:
        """How far each cluster is."""
        aside = skipped(self.rollout)
        for name, part in members_in(self.rollout, self.fleet).items():
            if not part.begun:
                found = moved(part, Progress.WAITING, "", self.now)
            elif name in aside:
                found = moved(part, Progress.SKIPPED, aside[name], self.now)
            elif not part.before:
                found = moved(part, Progress.SKIPPED, "had nothing before", self.now)
            else:
                found = self._seen(part, states.get(name))
            self.parts[name] = found

    def _seen(self, part: ClusterProgress, state: ClusterState | None) -> ClusterProgress:
        if state is None or not state.reachable:
            why = (state.message if state else NOT_SEEN) or "does not answer"
            return moved(part, Progress.UNREACHABLE, why, self.now)
        if state.revision == part.before or part.state is Progress.RETURNED:
            return moved(part, Progress.RETURNED, "", self.now)
        if part.state in _TURNING:
            now = Progress.FAILED if state.failed else Progress.DELIVERING
            return moved(part, now, state.message, self.now)
        return moved(part, Progress.WAITING, "", self.now)

    def keep_going(self) -> None:
        """Those on their way go on before others begin."""
        for name, part in self.parts.items():
            if part.state in _TURNING and not self.changing.met(name):
                self._turn(name)

    def begin(self, wave: Sequence[str]) -> None:
        """Turn the clusters of a wave, if nothing that comes before them is on its way."""
        ahead = min(filter(self._goes, self.under_way.difference(wave)), default="")
        for name in wave:
            part = self.parts[name]
            if not part.begun or part.state is not Progress.WAITING:
                continue
            first = self.changing.met(name) or ahead
            if first:
                self.reasons.append(Refusal(name, "WaitsForCluster", f"goes back after {first}"))
                continue
            self.parts[name] = moved(part, Progress.DELIVERING, "", self.now)
            self._turn(name)

    def _turn(self, name: str) -> None:
        self.under_way.add(name)
        self.changing.add(name)

    def _goes(self, name: str) -> bool:
        return self.parts[name].state is Progress.DELIVERING

    def answer(self) -> Advance:
        """The step."""
        deliver: dict[str, str] = {}
        for name, part in self.parts.items():
            if part.state is Progress.RETURNED or name in self.under_way or not part.begun:
                deliver[name] = part.before
            elif part.reached:  # it has the new content until its turn comes, or keeps it
                deliver[name] = self.rollout.revision
            if part.state in _NAMED:
                self.reasons.append(Refusal(name, part.state, part.message))
        over = all(
            not part.begun or part.state in (Progress.RETURNED, Progress.SKIPPED)
            for part in self.parts.values()
        )
        phase = Phase.ROLLED_BACK if over else Phase.ROLLING_BACK
        record = replace(self.rollout, phase=phase, clusters=tuple(self.parts.values()))
        return Advance(
            record,
            {name: revision for name, revision in deliver.items() if revision},
            frozenset(self.under_way),
            tuple(self.reasons),
        )

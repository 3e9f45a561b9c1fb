"""The record that a rollout begins with."""

from __future__ import annotations

from collections.abc import Mapping

from frota.model.rollout import ClusterProgress, Rollout, RolloutFleet


def begin(
    fleet: RolloutFleet, revision: str, generation: int, before: Mapping[str, str], now: float
) -> Rollout:
    """A rollout of ``revision``. ``before``: the revision that each cluster is kept at now
    (what the last rollout delivers to it); clusters without one have had nothing. A rollout
    that is not over is replaced by a new one: its clusters that were reached have its
    revision before, the others what they had before it."""
    return Rollout(
        id=f"{fleet.name}-{generation}-{revision[:8]}",
        fleet=fleet.name,
        revision=revision,
        generation=generation,
        began=now,
        clusters=tuple(
            ClusterProgress(member.cluster, before.get(member.cluster, ""), since=now)
            for member in fleet.members
        ),
    )

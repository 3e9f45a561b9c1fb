"""The controllers of all host groups of one provider: one thread, one clock, one queue."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from math import inf

from frota.app.leased import LeasedFence, LeasedHypervisor
from frota.app.outfit import Outfit, Outfitter
from frota.app.tenure import Tenure
from frota.app.turning import Turning
from frota.controllers.desired import desired_group
from frota.controllers.hostgroup import HostGroupController
from frota.controllers.records import GROUP
from frota.ports.store import Store
from frota.runtime.lease import Leases
from frota.runtime.loop import Loop
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result
from frota.runtime.worker import Observer, Worker


@dataclass(slots=True)
class _Member:
    """One group at work. ``revision`` is that of the HostGroup it was arranged for."""

    outfit: Outfit
    controller: HostGroupController
    revision: int

    def reconcile(self) -> Result:
        """See ``tenure.Controller``. A declared group is needed whether or not it is quiet."""
        again_at = self.controller.reconcile().again_at
        return Result(inf if again_at is None else again_at)


class Engine:
    """Reconciles the groups of one provider until it is stopped."""

    def __init__(
        self, store: Store, outfitter: Outfitter, leases: Leases, observer: Observer
    ) -> None:
        self._store = store
        self._outfitter = outfitter
        self._rng = random.SystemRandom()
        self._tenure = Tenure(leases, str, self._make, lambda _, member: member.outfit.close())
        worker = Worker(WorkQueue(self._rng), self._tenure.reconcile, outfitter.clock, observer)
        loop = Loop(worker, outfitter.alarm)
        self.turning = Turning(loop, "controllers", self._finish)

    @property
    def outfitter(self) -> Outfitter:
        """What makes the ports of this engine's groups."""
        return self._outfitter

    def _finish(self) -> None:
        self._tenure.close()
        self._outfitter.close()

    def _make(self, group: str, kept: _Member | None) -> _Member | None:
        """The group at work, made or brought up to date; None when it is not declared."""
        entry = self._store.get(GROUP, group)
        if entry is None:
            return None
        if kept is not None and kept.revision == entry.revision:
            return kept
        spec = desired_group(entry.value)
        if kept is not None:
            if kept.outfit.arrange(spec):
                kept.revision = entry.revision
                return kept
            self._tenure.forget(group)
        outfit = self._outfitter.outfit(spec, self._store, partial(self.turning.wake, group))
        held = self._tenure.holds(group)
        controller = HostGroupController(
            group,
            store=self._store,
            hypervisor=LeasedHypervisor(outfit.hypervisor, held),
            fence=LeasedFence(outfit.fence, held),
            witness=outfit.witness,
            clock=self._outfitter.clock,
            rng=self._rng,
        )
        return _Member(outfit, controller, entry.revision)

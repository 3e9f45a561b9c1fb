"""The controllers of all host groups of one provider: one thread, one clock, one queue."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from frota.app.leased import LeasedFence, LeasedHypervisor
from frota.app.outfit import Outfit, Outfitter
from frota.app.turning import Turning
from frota.controllers.desired import desired_group
from frota.controllers.hostgroup import HostGroupController
from frota.controllers.records import GROUP
from frota.ports.store import Store, StoreError
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
    term: int


class Engine:
    """Reconciles the groups of one provider until it is stopped."""

    def __init__(
        self, store: Store, outfitter: Outfitter, leases: Leases, observer: Observer
    ) -> None:
        self._store = store
        self._outfitter = outfitter
        self._leases = leases
        self._members: dict[str, _Member] = {}
        self._rng = random.SystemRandom()
        queue = WorkQueue(self._rng)
        worker = Worker(queue, self._reconcile, outfitter.clock, observer)
        loop = Loop(worker, outfitter.alarm)
        self.turning = Turning(loop, "controllers", self._finish)

    @property
    def outfitter(self) -> Outfitter:
        """What makes the ports of this engine's groups."""
        return self._outfitter

    def _finish(self) -> None:
        for group in list(self._members):
            self._drop(group)
        self._outfitter.close()

    def _reconcile(self, group: str) -> Result:
        standing = self._leases.ensure(group)
        if not standing.held:
            self._members_lost(group)
            return Result(standing.again_at)
        member = self._member(group, standing.term)
        if member is None:
            return Result()
        again_at = member.controller.reconcile().again_at
        if again_at is None:
            return Result(standing.again_at)
        return Result(min(again_at, standing.again_at))

    def _members_lost(self, group: str) -> None:
        """Another process holds the lease: whatever this one remembers is worthless."""
        if group in self._members:
            self._drop(group, release=False)

    def _member(self, group: str, term: int) -> _Member | None:
        """The group at work, made or brought up to date; None when it is not declared."""
        entry = self._store.get(GROUP, group)
        if entry is None:
            self._drop(group)
            return None
        member = self._members.get(group)
        if member is not None and member.revision == entry.revision and member.term == term:
            return member
        spec = desired_group(entry.value)
        if member is not None and member.term == term and member.outfit.arrange(spec):
            member.revision = entry.revision
            return member
        if member is not None:
            self._drop(group, release=False)
        outfit = self._outfitter.outfit(spec, self._store, partial(self.turning.wake, group))
        held: Callable[[], bool] = partial(self._leases.held, group)
        controller = HostGroupController(
            group,
            store=self._store,
            hypervisor=LeasedHypervisor(outfit.hypervisor, held),
            fence=LeasedFence(outfit.fence, held),
            witness=outfit.witness,
            clock=self._outfitter.clock,
            rng=self._rng,
        )
        made = self._members[group] = _Member(outfit, controller, entry.revision, term)
        return made

    def _drop(self, group: str, *, release: bool = True) -> None:
        member = self._members.pop(group, None)
        if member is not None:
            member.outfit.close()
        if release:
            with suppress(StoreError):  # it runs out by itself
                self._leases.release(group)

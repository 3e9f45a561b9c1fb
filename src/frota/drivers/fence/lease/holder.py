"""The host's side of a lease, as a state machine without clock or I/O.

The loop around it (``frota.drivers.fence.host.loop``) tells it the time, what was read
from the shared directory, which writes were confirmed and whether VMs are left; it
answers what to write and whether VMs must be ended now. It never waits for storage: a
lease that is not known to be renewed in time is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from frota.drivers.fence.lease.records import Cause, Order, Slot, Standing, Terms, Verb


class Phase(StrEnum):
    """Where the agent stands."""

    JOINING = "joining"  # nothing is guarded yet: the shared directory was not read
    GUARDING = "guarding"
    ENDING = "ending"  # the VMs must be ended; not seen gone yet
    FENCED = "fenced"  # seen gone; whatever appears is ended again
    STOPPED = "stopped"  # the agent may exit; the controller can see that nobody guards


_STANDING = {
    Phase.GUARDING: Standing.GUARDING,
    Phase.ENDING: Standing.ENDING,
    Phase.FENCED: Standing.FENCED,
}


class Refused(Exception):
    """The slot is in use by another machine that is alive. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this agent is. ``boot`` changes at every boot, ``machine`` never."""

    host: str
    space: str
    machine: str
    boot: str
    watchdog: bool = False


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agent must know again when it is restarted within one boot. ``counter`` is
    that of the last renewal known to be on storage."""

    space: str
    boot: str
    incarnation: str
    counter: int
    phase: Phase
    cause: Cause
    terms: Terms


def _milliseconds(now: float) -> int:
    return int(now * 1000)


class Holder:
    """Decides for one host. Times are seconds of the host's boot clock, which goes on
    while the machine is suspended."""

    def __init__(self, identity: Identity, terms: Terms, memory: Memory | None = None) -> None:
        self.identity = identity
        self.terms = terms
        self.phase = Phase.JOINING
        self.cause = Cause.NONE
        self.incarnation = ""
        self._renewed = 0  # counter of the last confirmed renewal
        self._issued = 0  # the newest counter handed out
        self._written: Slot | None = None  # the last confirmed write of this process
        self._replaces: Slot | None = None  # what was on storage when joining
        self._stranger: tuple[int, float] | None = None  # another machine's counter, first seen
        self.stopping = False
        if memory is not None and (memory.space, memory.boot) == (identity.space, identity.boot):
            self._remember(memory)

    # What the loop asks.

    @property
    def ends(self) -> bool:
        """Whether no VM may run now."""
        return self.phase in (Phase.ENDING, Phase.FENCED)

    @property
    def ready(self) -> bool:
        """Whether this incarnation is known to be on storage: VMs may be started."""
        return self._written is not None and self._written.incarnation == self.incarnation

    @property
    def done(self) -> bool:
        """Whether an agent told to stop may exit, once no write of it is under way."""
        return self.phase is Phase.STOPPED or (self.stopping and self._told_fenced)

    def left(self, now: float) -> float:
        """Seconds until the VMs must be ended unless a renewal is confirmed before."""
        return self._renewed / 1000 + self.terms.lease - now

    def pets(self, now: float) -> bool:
        """Whether the watchdog may be petted: not while VMs may run that should be gone,
        nor when the lease is so old that the watchdog must be the one to end them."""
        if self.phase is Phase.GUARDING:
            return self.terms.lease - self.left(now) <= self.terms.pet
        return self.phase is not Phase.ENDING

    def memory(self) -> Memory | None:
        """What to keep for a restart; None while nothing is guarded."""
        if not self.incarnation:
            return None
        me = self.identity
        return Memory(
            me.space,
            me.boot,
            self.incarnation,
            self._renewed,
            self.phase,
            self.cause,
            self.terms,
        )

    def owns(self, slot: Slot | None) -> bool:
        """Whether a slot found on storage may be overwritten by this agent."""
        if slot is None or slot == self._replaces:
            return True
        me = self.identity
        return (slot.machine, slot.boot) == (me.machine, me.boot)

    def to_write(self, now: float) -> Slot | None:
        """What to write if a write begins now, or None when nothing is due."""
        standing = Standing.UNGUARDED if self._leaving else _STANDING.get(self.phase)
        if standing is None:
            return None
        last = self._written
        said = last is not None and (last.incarnation, last.standing, last.cause) == (
            self.incarnation,
            standing,
            self.cause,
        )
        if said and now - self._issued / 1000 < self.terms.renew:
            return None
        self._issued = max(self._issued + 1, _milliseconds(now))
        me = self.identity
        return Slot(
            host=me.host,
            space=me.space,
            machine=me.machine,
            boot=me.boot,
            incarnation=self.incarnation,
            counter=self._issued,
            standing=standing,
            cause=self.cause,
            watchdog=me.watchdog,
        )

    # What the loop tells.

    def tick(self, now: float) -> None:
        """Time has passed. To be called before anything else is told."""
        if self.phase is Phase.GUARDING and self.left(now) <= 0:
            self.phase, self.cause = Phase.ENDING, Cause.LEASE

    def wrote(self, slot: Slot) -> None:
        """A write was confirmed. One that comes after the lease was lost revives nothing."""
        self._written = slot
        if slot.incarnation != self.incarnation or self.phase is not Phase.GUARDING:
            return
        self._renewed = max(self._renewed, slot.counter)
        if slot.standing is Standing.UNGUARDED:
            self.phase = Phase.STOPPED

    def read(self, slot: Slot | None, order: Order | None, now: float) -> None:
        """The own slot as it was before any write of the same round (None: there is none,
        or it is garbled), and the controller's order. Raises Refused."""
        if self.phase is Phase.JOINING:
            self._join(slot, now)
        mine = order is not None and order.incarnation == self.incarnation
        if mine and order is not None and order.verb is Verb.FENCE:
            if self.phase is Phase.GUARDING:
                self.phase = Phase.ENDING
            self.cause = Cause.REQUEST
        elif self.phase is Phase.FENCED and self._let_back(order if mine else None, order is None):
            self._begin(now)

    def swept(self, remaining: int) -> None:
        """All VMs were asked to end, and this many were still there afterwards."""
        if self.ends:
            self.phase = Phase.ENDING if remaining else Phase.FENCED

    def stop(self) -> None:
        """The agent is to be stopped on purpose. Before it may exit (``done``) the slot
        must say that nobody guards, or that the host is fenced."""
        self.stopping = True
        if self.phase is Phase.JOINING:
            self.phase = Phase.STOPPED

    # How it decides.

    @property
    def _leaving(self) -> bool:
        return self.stopping and self.phase is Phase.GUARDING

    @property
    def _told_fenced(self) -> bool:
        """Whether the slot says of this incarnation that it is fenced, and it is."""
        last = self._written
        if last is None or self.phase is not Phase.FENCED:
            return False
        return last.incarnation == self.incarnation and last.standing is Standing.FENCED

    def _remember(self, memory: Memory) -> None:
        if memory.phase in (Phase.JOINING, Phase.STOPPED):
            return  # the slot on storage tells more
        self.incarnation = memory.incarnation
        self.cause = memory.cause
        self._renewed = self._issued = memory.counter
        # What was seen gone before the restart must be seen gone again.
        self.phase = Phase.GUARDING if memory.phase is Phase.GUARDING else Phase.ENDING

    def _join(self, slot: Slot | None, now: float) -> None:
        me = self.identity
        self._replaces = slot
        if slot is None or slot.space != me.space:
            self._begin(now)
        elif (slot.machine, slot.boot) == (me.machine, me.boot):
            self._take_up(slot, now)
        elif slot.machine == me.machine:
            self._begin(now)  # the machine was booted since: nothing of then runs
        else:
            self._await_stranger(slot, now)

    def _take_up(self, slot: Slot, now: float) -> None:
        """Go on where an agent of this boot left off. The incarnation stays, for its VMs
        may run."""
        self.incarnation = slot.incarnation
        self.cause = slot.cause
        self._renewed = self._issued = slot.counter
        if slot.standing is Standing.UNGUARDED:
            self._renewed = _milliseconds(now)
            self.phase, self.cause = Phase.GUARDING, Cause.NONE
        elif slot.standing is Standing.GUARDING:
            self.phase = Phase.GUARDING
        else:
            self.phase = Phase.ENDING

    def _await_stranger(self, slot: Slot, now: float) -> None:
        if self._stranger is None:
            self._stranger = (slot.counter, now)
        counter, since = self._stranger
        if slot.counter != counter:
            raise Refused(
                f"the slot of host {self.identity.host!r} is renewed by another machine "
                f"({slot.machine}): every host needs a --host of its own"
            )
        if now - since > self.terms.proof:
            self._begin(now)  # the machine was replaced

    def _let_back(self, mine: Order | None, withdrawn: bool) -> bool:
        if self.cause is Cause.REQUEST:
            return withdrawn or (mine is not None and mine.verb is Verb.RESUME)
        return self._told_fenced

    def _begin(self, now: float) -> None:
        """A new incarnation. The lease counts from now, as the slot may be seen from now."""
        birth = max(self._issued + 1, _milliseconds(now))
        self._issued, self._renewed = birth - 1, birth
        self.incarnation = f"{self.identity.boot}.{birth}"
        self.phase, self.cause = Phase.GUARDING, Cause.NONE

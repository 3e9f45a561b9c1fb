"""The controller's side of the leases of one group, without clock or I/O.

It is told what each round of reads found, and answers whether a host's VMs are proved to
be gone. All times are of the controller's own clock; the hosts' clocks are only compared
with themselves. Silence of the shared directory proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from frota.drivers.fence.lease.records import Cause, Slot, Standing, Terms

STUCK = 60.0  # seconds after which a host that cannot end its VMs is called a failure


class Finding(StrEnum):
    """What the lease says of one claim."""

    WAITING = "waiting"  # it may still become a proof by itself
    PROVED = "proved"
    USELESS = "useless"  # as things stand it can never become a proof


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding; ``method`` is set on a proof, ``message`` is for people."""

    finding: Finding
    message: str
    method: str = ""


@dataclass(slots=True)
class Sight:
    """What is known of one host's slot. ``since`` is when the present counter was first
    seen in an unbroken row of good reads, ``last`` the newest of them; both None after a
    read failed."""

    slot: Slot | None = None
    since: float | None = None
    last: float | None = None
    failing: float | None = None  # since when reads fail
    error: str = "not read yet"
    distrusted: tuple[str, int] | None = None  # incarnation and counter of a lease that
    # ran out although the host was in service

    @property
    def still(self) -> float:
        """For how long the counter is known not to have changed."""
        if self.since is None or self.last is None:
            return 0.0
        return self.last - self.since


@dataclass(slots=True)
class Claim:
    """The question whether everything that ran on a host when it was asked has ended."""

    asked: float
    slot: Slot | None = None  # what stood there when first read after asking
    alive: bool = False  # its incarnation was seen to guard after asking
    successor: Slot | None = None
    evidence: Evidence = field(
        default_factory=lambda: Evidence(Finding.WAITING, "the slot was not read yet")
    )


class Observer:
    """Weighs the slots of one group. Not safe to call from several threads."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._sights: dict[str, Sight] = {}
        self._claims: dict[tuple[str, str], Claim] = {}

    # What is asked.

    def ask(self, host: str, incarnation: str, now: float) -> None:
        """Begin to look for a proof. ``incarnation`` is the controller's name for the life
        of the host that is in question. Asking again does nothing."""
        if (host, incarnation) in self._claims:
            return
        self._mark(self._sight(host))
        self._claims[host, incarnation] = Claim(now)

    def evidence(self, host: str, incarnation: str) -> Evidence | None:
        """What the last round found; None when nothing was asked."""
        claim = self._claims.get((host, incarnation))
        return None if claim is None else claim.evidence

    def findings(self, host: str) -> tuple[tuple[str, Finding], ...]:
        """What every claim on a host stands at."""
        claims = self._claims.items()
        return tuple(
            (life, claim.evidence.finding) for (name, life), claim in claims if name == host
        )

    def bound(self, host: str, incarnation: str) -> Slot | None:
        """The slot as it stood when the claim was first weighed: who to send orders to."""
        claim = self._claims.get((host, incarnation))
        return None if claim is None else claim.slot

    def forget(self, host: str) -> None:
        """Drop every claim on the host."""
        for key in [key for key in self._claims if key[0] == host]:
            del self._claims[key]

    def sight(self, host: str) -> Sight:
        """What is known of a host's slot."""
        return self._sight(host)

    def distrusted(self, host: str, incarnation: str) -> int:
        """The counter at which the lease of this incarnation ran out although the host was
        in service; -1 when it did not. To be noted where a restart finds it again."""
        noted = self._sight(host).distrusted
        return noted[1] if noted is not None and noted[0] == incarnation else -1

    def distrust(self, host: str, incarnation: str, counter: int) -> None:
        """A lease of which it was noted earlier that it proves nothing."""
        self._sight(host).distrusted = (incarnation, counter)

    # What is told.

    def found(self, host: str, slot: Slot | None, started: float, ended: float) -> None:
        """A good read of one slot, begun and ended at these times."""
        sight = self._sight(host)
        broken = sight.last is None or started - sight.last > self.terms.margin
        if broken or slot != sight.slot or sight.since is None:
            sight.since = ended
        sight.slot, sight.last = slot, max(started, sight.since)
        sight.failing, sight.error = None, ""
        self._weigh(host, sight, started)

    def missed(self, host: str, error: str, now: float) -> None:
        """A read failed, or what was read is garbled: the row of good reads is broken."""
        sight = self._sight(host)
        sight.since = sight.last = None
        sight.failing = now if sight.failing is None else sight.failing
        sight.error = error
        for (name, _), claim in self._claims.items():
            if name == host and claim.evidence.finding is not Finding.PROVED:
                blind = now - max(sight.failing, claim.asked) > self.terms.proof
                claim.evidence = Evidence(
                    Finding.USELESS if blind else Finding.WAITING,
                    f"the lease cannot be read: {error}",
                )

    # How it weighs.

    def _sight(self, host: str) -> Sight:
        return self._sights.setdefault(host, Sight())

    def _mark(self, sight: Sight) -> None:
        """Note a lease that ran out while nobody asked: its host was in service and VMs
        may have been started since."""
        if sight.slot is not None and sight.still >= self.terms.proof:
            sight.distrusted = (sight.slot.incarnation, sight.slot.counter)

    def _weigh(self, host: str, sight: Sight, started: float) -> None:
        claims = [claim for (name, _), claim in self._claims.items() if name == host]
        if not claims:
            self._mark(sight)
        for claim in claims:
            if claim.evidence.finding is not Finding.PROVED and started >= claim.asked:
                claim.evidence = self._judge(claim, sight, started)

    def _judge(self, claim: Claim, sight: Sight, started: float) -> Evidence:
        slot = sight.slot
        if slot is None:
            return Evidence(Finding.USELESS, "no host agent has written a lease")
        if claim.slot is None:
            claim.slot = slot
        bound = claim.slot
        flaw = _flaw(slot, bound, sight.distrusted)
        if flaw:
            return Evidence(Finding.USELESS, flaw)
        if slot.incarnation != bound.incarnation and claim.alive:
            return self._judge_successor(claim, slot)
        if slot.incarnation != bound.incarnation:
            # Who guarded when it was asked is not known to be older than this.
            claim.slot = bound = slot
        if slot != bound and slot.standing is Standing.FENCED:
            asked = slot.cause is Cause.REQUEST
            how = "when asked" if asked else "as it could not renew its lease"
            message = f"the host ended its VMs {how}"
            return Evidence(Finding.PROVED, message, "lease-ack" if asked else "lease")
        claim.alive = claim.alive or slot != bound
        return self._judge_age(claim, slot, sight.still, started)

    def _judge_age(self, claim: Claim, slot: Slot, still: float, started: float) -> Evidence:
        ran_out = still >= self.terms.proof
        # A host that could not end its VMs yet may have fallen silent before it could.
        stuck = slot.standing is Standing.ENDING and not slot.watchdog
        if stuck and (ran_out or started - claim.asked > STUCK):
            return Evidence(Finding.USELESS, "the host agent could not end its VMs")
        if ran_out and slot.standing is Standing.FENCED:
            return Evidence(
                Finding.USELESS, "the host agent fell silent after it had ended its VMs once"
            )
        if ran_out:
            message = f"the lease was not renewed for {still:.0f} s"
            return Evidence(Finding.PROVED, message, "lease")
        if stuck:
            return Evidence(Finding.WAITING, "the host is ending its VMs")
        return Evidence(
            Finding.WAITING, f"a proof when it is not renewed for {self.terms.proof:g} s"
        )

    def _judge_successor(self, claim: Claim, slot: Slot) -> Evidence:
        """Another incarnation stands there. Two renewals of it are wanted, as a single
        one may be a write of long ago that storage had kept back."""
        first = claim.successor
        if first is None or first.incarnation != slot.incarnation:
            claim.successor = slot
        elif first.counter != slot.counter:
            return Evidence(Finding.PROVED, "the host ended its VMs and began anew", "lease")
        return Evidence(Finding.WAITING, "the host seems to have begun anew")


def _flaw(slot: Slot, bound: Slot, distrusted: tuple[str, int] | None) -> str:
    """Why a slot can prove nothing; empty when it can."""
    if slot.machine != bound.machine:
        return "another machine writes the lease of this host"
    if slot.standing is Standing.UNGUARDED:
        return "the host agent was stopped: nobody ends the VMs"
    if distrusted == (slot.incarnation, slot.counter):
        return "the host agent had stopped renewing while the host was in service"
    return ""

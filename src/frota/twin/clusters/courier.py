"""One delivery on its way to a simulated cluster, batch after batch."""

from __future__ import annotations

from collections.abc import Callable

from frota.model.delivery import Change, ChangeResult, Delivery, DeliveryOutcome, Verdict
from frota.twin.clusters.fleet import ServerState, TwinMember

_GOOD = frozenset({Verdict.APPLIED, Verdict.UNCHANGED, Verdict.DELETED})


class Courier:
    """Carries out one delivery; ``ended`` is given its outcome, once."""

    def __init__(
        self, delivery: Delivery, member: TwinMember, ended: Callable[[DeliveryOutcome], None]
    ) -> None:
        self.delivery = delivery
        self._member = member
        self._ended = ended
        self._results: dict[int, ChangeResult] = {}
        self._changes = [change for batch in delivery.batches for change in batch]
        self._batch = -1
        self._open: set[int] = set()
        self._stop = ""
        self._over = False

    def begin(self) -> None:
        """Send the first batch."""
        self._advance()

    def cancel(self) -> None:
        """Begin no further change; those on their way end as they do."""
        self._stop = self._stop or "cancelled"
        if not self._open:
            self._advance()

    def abandon(self) -> None:
        """The process died: what is on its way may arrive, and nobody is told."""
        self._over = True

    def _advance(self) -> None:
        if any(result.verdict not in _GOOD for result in self._results.values()):
            self._stop = self._stop or "a change before it failed"
        while not self._open and not self._over:
            self._batch += 1
            if self._stop or self._batch >= len(self.delivery.batches):
                self._end()
                return
            first = sum(len(batch) for batch in self.delivery.batches[: self._batch])
            batch = self.delivery.batches[self._batch]
            self._open = set(range(first, first + len(batch)))
            for place in range(first, first + len(batch)):
                self._send(place)

    def _end(self) -> None:
        self._over = True
        results = tuple(
            self._results.get(place) or ChangeResult(change.key, Verdict.SKIPPED, self._stop)
            for place, change in enumerate(self._changes)
        )
        self._ended(DeliveryOutcome(self.delivery.id, self.delivery.cluster, results))

    def _send(self, place: int) -> None:
        member = self._member
        world = member.server.world
        delay = member.pace.write.draw(world.rng) * member.slow
        world.after(delay, lambda: self._arrive(place))

    def _arrive(self, place: int) -> None:
        """The request reaches the server, or does not. Of those whose answer is lost, half
        have been carried out."""
        member, change = self._member, self._changes[place]
        world = member.server.world
        if self._over:
            if member.state is ServerState.UP and world.rng.random() < 0.5:
                self._carry_out(change)
        elif member.state is ServerState.UP:
            self._done(place, self._carry_out(change))
        elif member.state is ServerState.DOWN:
            self._done(place, ChangeResult(change.key, Verdict.FAILED, "connection refused"))
        else:
            late = world.rng.random() < 0.5
            world.after(member.pace.timeout, lambda: self._give_up(place, late=late))

    def _give_up(self, place: int, *, late: bool) -> None:
        change = self._changes[place]
        if late and self._member.state is not ServerState.DOWN:
            self._carry_out(change)  # it was read before the server hung, or when it goes on
        self._done(place, ChangeResult(change.key, Verdict.UNKNOWN, "no answer in time"))

    def _carry_out(self, change: Change) -> ChangeResult:
        return self._member.server.change(change, dry_run=self.delivery.dry_run)

    def _done(self, place: int, result: ChangeResult) -> None:
        if self._over:
            return
        self._results[place] = result
        self._open.discard(place)
        if not self._open:
            self._advance()

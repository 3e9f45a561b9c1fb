"""Running one due key: what the production loop and the simulator share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from frota.ports.clock import Clock
from frota.runtime.queue import WorkQueue
from frota.runtime.result import Result

Reconcile = Callable[[str], Result]
_REST_MOST_S = 1.0


class Observer(Protocol):
    """Who is told of what went wrong: a log, the terminal, a test."""

    def failed(self, key: str, error: Exception, again_at: float) -> None:
        """A reconcile raised; it will be tried again then."""
        ...

    def stalled(self, seconds: float) -> None:
        """Nothing ran for this long, though something should have: the process was
        stopped, or a reconcile took that time. What was observed before is old."""
        ...


class Worker:
    """Takes due keys from a queue and reconciles them, one at a time.

    After a reconcile its key rests ``lone`` times as long as that took, a second at most; and
    ``rest`` times as long when the reconcile itself had waited for the end of a rest. What comes
    in many small pieces is so answered in few passes, and what comes alone soon.
    """

    def __init__(
        self,
        queue: WorkQueue,
        reconcile: Reconcile,
        clock: Clock,
        observer: Observer,
        *,
        rest: float = 0.0,
        lone: float = 0.0,
    ) -> None:
        self.queue = queue
        self.clock = clock
        self.observer = observer
        self._reconcile = reconcile
        self._rest = rest
        self._lone = lone

    def run_due(self) -> bool:
        """Reconcile the key that is due longest; False when none is due. An error of the
        reconcile ends here: the key is tried again after its backoff."""
        began = self.clock.now()
        key = self.queue.pop_due(began)
        if key is None:
            return False
        try:
            result = self._reconcile(key)
        except Exception as error:  # noqa: BLE001 - a fault of one key must not stop the others
            again_at = self.queue.failed(key, self.clock.now())
            self.tell_failed(key, error, again_at)
        else:
            now = self.clock.now()
            times = self._rest if self.queue.pressed(key) else self._lone
            rests = min(_REST_MOST_S, times * (now - began))
            self.queue.done(key, result.again_at, rests_until=now + rests)
        return True

    def tell_failed(self, key: str, error: Exception, again_at: float) -> None:
        """Tell the observer; that it cannot write (a closed terminal) stops nothing."""
        with suppress(Exception):
            self.observer.failed(key, error, again_at)

    def tell_stalled(self, seconds: float) -> None:
        """As ``tell_failed``."""
        with suppress(Exception):
            self.observer.stalled(seconds)

"""Controllers that are kept for as long as the leases of what they are about are held."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, Protocol, TypeVar

from frota.ports.store import StoreError
from frota.runtime.lease import Leases
from frota.runtime.result import Result


class Controller(Protocol):
    """What is kept."""

    def reconcile(self) -> Result:
        """One pass; without a time to come again it is not needed any longer."""
        ...


_Kept = TypeVar("_Kept", bound=Controller)


class Tenure(Generic[_Kept]):
    """One controller for each key, for one thread.

    ``lease`` names the lease of a key. ``make`` gives the controller of a key, from the one
    that is kept: the same one, a new one, or None where there is nothing to control. ``drop``
    ends one that is not needed any longer, or that remembers a time when another process may
    have held the lease.
    """

    def __init__(
        self,
        leases: Leases,
        lease: Callable[[str], str],
        make: Callable[[str, _Kept | None], _Kept | None],
        drop: Callable[[str, _Kept], None],
    ) -> None:
        self._leases = leases
        self._lease = lease
        self._make = make
        self._drop = drop
        self._kept: dict[str, tuple[int, _Kept]] = {}  # with their terms

    def holds(self, key: str) -> Callable[[], bool]:
        """Asked before every act: whether this process may do it."""
        return partial(self._leases.held, self._lease(key))

    def reconcile(self, key: str) -> Result:
        """One pass over a key, if its lease is held or can be had."""
        standing = self._leases.ensure(self._lease(key))
        term, kept = self._kept.get(key, (standing.term, None))
        if kept is not None and not (standing.held and term == standing.term):
            self.forget(key)
            kept = None
        if not standing.held:
            return Result(standing.again_at)
        controller = self._make(key, kept)
        if controller is not None:
            self._kept[key] = standing.term, controller
            again_at = controller.reconcile().again_at
            if again_at is not None:
                return Result(min(again_at, standing.again_at))
        self._let_go(key)
        return Result()

    def forget(self, key: str) -> None:
        """End the controller of a key, if there is one; its lease stays."""
        _, kept = self._kept.pop(key, (0, None))
        if kept is not None:
            self._drop(key, kept)

    def close(self) -> None:
        """Let go of everything, so that others may take over at once."""
        for key in list(self._kept):
            self._let_go(key)

    def _let_go(self, key: str) -> None:
        self.forget(key)
        with suppress(StoreError):  # it runs out by itself
            self._leases.release(self._lease(key))

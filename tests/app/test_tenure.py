"""Controllers are kept while their leases are held, and let go of with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from frota.app.tenure import Tenure
from frota.ports.store import StoreFull
from frota.runtime.lease import KIND, Leases
from frota.runtime.result import Result
from frota.store.memory import MemoryStore
from tests.runtime.virtual import VirtualClock


@dataclass
class Kept:
    """A controller that counts its passes."""

    again_at: float | None = 1e9
    passes: int = 0

    def reconcile(self) -> Result:
        self.passes += 1
        return Result(self.again_at)


@dataclass
class Process:
    """One of several that work on a store."""

    store: MemoryStore
    clock: VirtualClock
    name: str
    made: list[Kept] = field(default_factory=list)
    dropped: list[Kept] = field(default_factory=list)
    declared: bool = True
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        leases = Leases(self.store, self.clock, self.name, duration=20.0)
        self.tenure: Tenure[Kept] = Tenure(leases, "x/{}".format, self._make, self._drop)

    def _make(self, key: str, kept: Kept | None) -> Kept | None:
        assert key == "a"
        if self.trouble is not None:
            raise self.trouble
        if kept is None and self.declared:
            self.made.append(Kept())
            return self.made[-1]
        return kept if self.declared else None

    def _drop(self, _key: str, kept: Kept) -> None:
        self.dropped.append(kept)

    def holder(self) -> Any:
        entry = self.store.get(KIND, "x/a")
        return entry.value.holder if entry is not None else None


@pytest.fixture
def one() -> Process:
    return Process(MemoryStore(), VirtualClock(), "one")


@pytest.fixture
def two(one: Process) -> Process:
    return Process(one.store, one.clock, "two")


def test_it_is_kept_from_pass_to_pass(one: Process) -> None:
    held = one.tenure.holds("a")
    assert not held()
    again_at = one.tenure.reconcile("a").again_at
    assert again_at is not None
    assert one.clock.now() < again_at < one.clock.now() + 20.0  # to renew the lease
    one.clock.time = again_at
    one.tenure.reconcile("a")
    assert held()
    assert [kept.passes for kept in one.made] == [2]


def test_who_has_no_lease_controls_nothing(one: Process, two: Process) -> None:
    one.tenure.reconcile("a")
    again_at = two.tenure.reconcile("a").again_at
    assert again_at == one.clock.now() + 20.0
    assert two.made == []


def test_what_was_kept_before_another_had_the_lease_is_worthless(
    one: Process, two: Process
) -> None:
    one.tenure.reconcile("a")
    two.tenure.reconcile("a")
    one.clock.time += 20.0
    two.tenure.reconcile("a")
    one.tenure.reconcile("a")
    assert one.dropped == one.made[:1]
    two.tenure.close()
    one.tenure.reconcile("a")
    assert len(one.made) == 2
    assert one.holder() == "one"


def test_a_lease_taken_back_between_two_passes_is_a_new_term(one: Process, two: Process) -> None:
    one.tenure.reconcile("a")
    two.tenure.reconcile("a")
    one.clock.time += 20.0
    two.tenure.reconcile("a")
    two.tenure.close()
    one.tenure.reconcile("a")
    assert (len(one.made), one.dropped) == (2, one.made[:1])


def test_it_lets_go_of_what_is_not_declared_and_of_what_is_not_needed(one: Process) -> None:
    one.declared = False
    assert one.tenure.reconcile("a") == Result()
    assert one.holder() == ""
    one.declared = True
    one.tenure.reconcile("a")
    one.made[0].again_at = None
    assert one.tenure.reconcile("a") == Result()
    assert (one.holder(), one.dropped) == ("", one.made)


def test_what_fails_is_kept_and_tried_again(one: Process) -> None:
    one.tenure.reconcile("a")
    one.trouble = StoreFull("no room")
    with pytest.raises(StoreFull):
        one.tenure.reconcile("a")
    one.trouble = None
    one.tenure.reconcile("a")
    assert [kept.passes for kept in one.made] == [2]
    assert one.dropped == []


def test_the_end_lets_go_of_everything(one: Process, two: Process) -> None:
    one.tenure.reconcile("a")
    one.tenure.close()
    assert one.dropped == one.made
    two.tenure.reconcile("a")
    assert (two.holder(), len(two.made)) == ("two", 1)

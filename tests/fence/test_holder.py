"""The host's side of a lease."""

from __future__ import annotations

import pytest

from frota.drivers.fence.lease.holder import Holder, Identity, Memory, Phase, Refused
from frota.drivers.fence.lease.records import Cause, Order, Slot, Standing, Terms, Verb

ME = Identity("a", "space", "machine", "boot-1")
TERMS = Terms()


def write(holder: Holder, now: float) -> Slot:
    """One write that storage confirms."""
    slot = holder.to_write(now)
    assert slot is not None
    holder.wrote(slot)
    return slot


def guarding(now: float = 100.0) -> Holder:
    holder = Holder(ME, TERMS)
    holder.read(None, None, now)
    write(holder, now)
    assert phase(holder) is Phase.GUARDING
    return holder


def phase(holder: Holder) -> Phase:
    return holder.phase


def order(holder: Holder, verb: Verb) -> Order:
    return Order("a", "space", holder.incarnation, verb)


def test_nothing_is_guarded_before_storage_was_read() -> None:
    holder = Holder(ME, TERMS)
    holder.tick(1e6)
    assert phase(holder) is Phase.JOINING
    assert not holder.ends
    assert holder.to_write(1e6) is None
    assert holder.memory() is None


def test_it_renews_every_five_seconds_with_a_new_counter() -> None:
    holder = guarding(100)
    assert holder.to_write(104.9) is None
    slot = write(holder, 105)
    assert slot.counter == 105_000
    assert slot.standing is Standing.GUARDING
    assert holder.left(105) == 20


def test_a_renewal_counts_from_when_it_began() -> None:
    holder = guarding(100)
    slow = holder.to_write(105)
    assert slow is not None
    holder.tick(119)
    holder.wrote(slow)
    assert holder.left(119) == 6


def test_the_lease_is_lost_without_storages_word() -> None:
    holder = guarding(100)
    hung = holder.to_write(105)
    holder.tick(119.9)
    assert not holder.ends
    holder.tick(120)
    assert holder.ends
    assert holder.cause is Cause.LEASE
    assert hung is not None
    holder.wrote(hung)  # storage answers after all: too late
    assert phase(holder) is Phase.ENDING


def test_a_machine_that_slept_ends_its_vms_when_it_wakes() -> None:
    holder = guarding(100)
    holder.tick(5000)
    assert holder.ends


def test_after_a_lost_lease_it_begins_anew_when_storage_is_back() -> None:
    holder = guarding(100)
    old = holder.incarnation
    holder.tick(120)
    holder.swept(0)
    holder.read(None, None, 121)  # read only: the slot does not yet say that it is fenced
    assert phase(holder) is Phase.FENCED
    assert write(holder, 122).standing is Standing.FENCED
    holder.read(None, None, 122)
    assert phase(holder) is Phase.GUARDING
    assert holder.incarnation != old


def test_it_does_not_begin_anew_while_it_is_asked_to_be_dead() -> None:
    holder = guarding(100)
    holder.tick(120)
    holder.swept(0)
    write(holder, 122)
    holder.read(None, order(holder, Verb.FENCE), 122)
    assert phase(holder) is Phase.FENCED
    assert holder.cause is Cause.REQUEST


def test_it_ends_its_vms_when_asked_and_says_so_when_they_are_gone() -> None:
    holder = guarding()
    holder.read(None, order(holder, Verb.FENCE), 101)
    assert holder.ends
    assert write(holder, 102).standing is Standing.ENDING  # not acknowledged yet
    holder.swept(1)
    assert phase(holder) is Phase.ENDING
    holder.swept(0)
    slot = write(holder, 103)
    assert (slot.standing, slot.cause) == (Standing.FENCED, Cause.REQUEST)


def test_requests_for_others_are_nothing_to_it() -> None:
    holder = guarding()
    holder.read(None, Order("a", "space", "boot-0.1", Verb.FENCE), 101)
    assert phase(holder) is Phase.GUARDING


def test_once_asked_it_stays_fenced_until_told() -> None:
    holder = guarding(100)
    holder.read(None, order(holder, Verb.FENCE), 101)
    holder.swept(0)
    write(holder, 102)
    holder.read(None, order(holder, Verb.FENCE), 500)
    holder.read(None, Order("a", "space", "other", Verb.RESUME), 501)
    assert phase(holder) is Phase.FENCED
    holder.read(None, order(holder, Verb.RESUME), 502)
    assert phase(holder) is Phase.GUARDING


def test_what_appears_while_fenced_is_ended_again() -> None:
    holder = guarding()
    holder.read(None, order(holder, Verb.FENCE), 101)
    holder.swept(0)
    holder.swept(1)
    assert phase(holder) is Phase.ENDING
    assert not holder.pets(101)


def test_the_watchdog_is_petted_only_while_the_lease_is_young() -> None:
    holder = guarding(100)
    assert holder.pets(108)
    assert not holder.pets(108.1)
    holder.tick(120)
    assert not holder.pets(120)
    holder.swept(0)
    assert holder.pets(121)


# Restarts.


def test_a_restarted_agent_keeps_incarnation_and_deadline() -> None:
    before = guarding(100)
    holder = Holder(ME, TERMS, before.memory())
    assert holder.incarnation == before.incarnation
    holder.tick(119.9)
    assert phase(holder) is Phase.GUARDING
    holder.tick(120)
    assert holder.ends


def test_what_was_seen_gone_must_be_seen_gone_again() -> None:
    before = guarding()
    before.read(None, order(before, Verb.FENCE), 101)
    before.swept(0)
    holder = Holder(ME, TERMS, before.memory())
    assert phase(holder) is Phase.ENDING
    assert holder.cause is Cause.REQUEST


def test_the_memory_of_another_boot_or_directory_is_of_no_use() -> None:
    memory = guarding().memory()
    assert memory is not None
    other = Identity("a", "space", "machine", "boot-2")
    assert phase(Holder(other, TERMS, memory)) is Phase.JOINING
    elsewhere = Identity("a", "elsewhere", "machine", "boot-1")
    assert phase(Holder(elsewhere, TERMS, memory)) is Phase.JOINING


def test_without_memory_the_slot_tells_the_deadline() -> None:
    slot = write(guarding(100), 105)
    holder = Holder(ME, TERMS)
    holder.read(slot, None, 110)
    assert holder.incarnation == slot.incarnation
    holder.tick(124.9)
    assert not holder.ends
    holder.tick(125)
    assert holder.ends


def test_after_a_boot_it_begins_anew_and_may_replace_the_slot() -> None:
    slot = write(guarding(), 105)
    holder = Holder(Identity("a", "space", "machine", "boot-2"), TERMS)
    holder.read(slot, None, 10)
    assert phase(holder) is Phase.GUARDING
    assert holder.owns(slot)
    assert not holder.ready
    write(holder, 10)
    assert holder.ready


# Stopping.


def test_a_stopped_agent_tells_first() -> None:
    holder = guarding(100)
    holder.stop()
    assert not holder.done
    assert write(holder, 101).standing is Standing.UNGUARDED
    assert holder.done


def test_a_stop_that_cannot_be_told_ends_the_vms() -> None:
    holder = guarding(100)
    holder.stop()
    holder.to_write(101)
    holder.tick(120)
    assert holder.ends
    holder.swept(0)
    assert not holder.done
    write(holder, 121)
    assert holder.done


def test_a_farewell_that_arrives_too_late_does_not_let_it_go() -> None:
    holder = guarding(100)
    holder.stop()
    farewell = holder.to_write(101)
    holder.tick(120)
    assert farewell is not None
    holder.wrote(farewell)
    assert holder.ends
    assert not holder.done


def test_after_a_stop_the_incarnation_goes_on() -> None:
    before = guarding(100)
    before.stop()
    slot = write(before, 101)
    holder = Holder(ME, TERMS, before.memory())
    assert phase(holder) is Phase.JOINING
    holder.read(slot, None, 900)
    assert phase(holder) is Phase.GUARDING
    assert holder.incarnation == before.incarnation  # its VMs were never ended
    assert holder.left(900) == 20


# Strangers.


def stranger(counter: int) -> Slot:
    holder = Holder(Identity("a", "space", "another machine", "boot-9"), TERMS)
    holder.read(None, None, counter / 1000)
    return write(holder, counter / 1000)


def test_it_refuses_a_slot_that_another_machine_renews() -> None:
    holder = Holder(ME, TERMS)
    holder.read(stranger(1000), None, 100)
    assert phase(holder) is Phase.JOINING
    with pytest.raises(Refused, match="another machine"):
        holder.read(stranger(6000), None, 106)


def test_it_takes_over_the_slot_of_a_machine_that_is_gone() -> None:
    holder = Holder(ME, TERMS)
    slot = stranger(1000)
    for second in range(26):
        holder.read(slot, None, 100 + second)
    assert phase(holder) is Phase.JOINING
    holder.read(slot, None, 126)
    assert phase(holder) is Phase.GUARDING
    assert holder.owns(slot)


def test_once_it_guards_a_stranger_on_its_slot_is_not_overwritten() -> None:
    holder = guarding()
    assert not holder.owns(stranger(1000))
    assert holder.owns(None)


def test_memory_says_what_a_restart_needs() -> None:
    memory = guarding(100).memory()
    assert memory == Memory(
        "space", "boot-1", "boot-1.100000", 100_000, Phase.GUARDING, Cause.NONE, TERMS
    )

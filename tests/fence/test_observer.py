"""The controller's side of a lease."""

from __future__ import annotations

from msgspec.structs import replace

from frota.drivers.fence.lease.observer import STUCK, Evidence, Finding, Observer
from frota.drivers.fence.lease.records import Cause, Slot, Standing, Terms
from tests.fence.test_records import SLOT

LIFE = "life-1"
TERMS = Terms()


class Watching:
    """An observer that reads one slot every second."""

    def __init__(self) -> None:
        self.observer = Observer(TERMS)
        self.now = 1000.0

    def see(self, slot: Slot | None, seconds: float = 0.0) -> Evidence | None:
        """The slot stands there now, and for so many seconds more."""
        end = self.now + seconds
        while True:
            self.observer.found("a", slot, self.now, self.now)
            if self.now >= end:
                return self.observer.evidence("a", LIFE)
            self.now += 1

    def ask(self) -> None:
        self.observer.ask("a", LIFE, self.now)


def renewed(count: int, **changes: object) -> Slot:
    return replace(SLOT, counter=SLOT.counter + count, **changes)


def finding(evidence: Evidence | None) -> str:
    return "" if evidence is None else f"{evidence.finding} {evidence.method}".strip()


def test_nothing_asked_nothing_found() -> None:
    watching = Watching()
    assert watching.see(SLOT, 100) is None


def test_a_slot_that_stands_still_for_lease_and_margin_is_a_proof() -> None:
    watching = Watching()
    watching.see(SLOT)
    watching.now += 1
    watching.ask()
    assert finding(watching.see(SLOT, 23)) == "waiting"
    assert finding(watching.see(SLOT, 1)) == "proved lease"


def test_a_slot_that_is_renewed_is_none() -> None:
    watching = Watching()
    watching.ask()
    for count in range(20):
        assert finding(watching.see(renewed(count), 5)) == "waiting"


def test_a_proof_never_goes_back() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT, 30)
    assert finding(watching.see(renewed(1), 10)) == "proved lease"
    watching.observer.missed("a", "no answer", watching.now)
    assert finding(watching.observer.evidence("a", LIFE)) == "proved lease"


def test_a_read_that_fails_begins_the_count_anew() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT, 24)
    watching.observer.missed("a", "no answer", watching.now)
    assert finding(watching.see(SLOT, 24)) == "waiting"
    assert finding(watching.see(SLOT, 1)) == "proved lease"


def test_a_pause_of_the_controller_begins_the_count_anew() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT, 5)
    watching.now += 60
    assert finding(watching.see(SLOT)) == "waiting"


def test_a_slow_read_counts_from_its_end() -> None:
    observer = Observer(TERMS)
    observer.ask("a", LIFE, 0)
    observer.found("a", SLOT, 0, 4)
    for start in range(5, 29):
        observer.found("a", SLOT, start, start + 0.1)
    assert finding(observer.evidence("a", LIFE)) == "waiting"
    observer.found("a", SLOT, 29, 29.1)
    assert finding(observer.evidence("a", LIFE)) == "proved lease"


def test_a_read_from_before_the_question_answers_nothing() -> None:
    observer = Observer(TERMS)
    observer.ask("a", LIFE, 10)
    observer.found("a", replace(SLOT, standing=Standing.FENCED), 9, 11)
    assert observer.bound("a", LIFE) is None


def test_while_it_cannot_be_read_it_proves_nothing_and_in_the_end_is_useless() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    for second in range(26):
        watching.observer.missed("a", "no answer", watching.now + second)
        assert finding(watching.observer.evidence("a", LIFE)) == "waiting"
    watching.observer.missed("a", "no answer", watching.now + 26)
    evidence = watching.observer.evidence("a", LIFE)
    assert finding(evidence) == "useless"
    assert evidence is not None
    assert "no answer" in evidence.message


def test_the_hosts_word_that_it_is_fenced() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    fenced = renewed(1, standing=Standing.FENCED, cause=Cause.REQUEST)
    assert finding(watching.see(fenced)) == "proved lease-ack"


def test_a_word_from_before_the_question_must_be_said_again() -> None:
    fenced = renewed(1, standing=Standing.FENCED, cause=Cause.LEASE)
    watching = Watching()
    watching.see(fenced)
    watching.now += 1
    watching.ask()
    assert finding(watching.see(fenced, 5)) == "waiting"
    assert finding(watching.see(replace(fenced, counter=99))) == "proved lease"


def test_a_host_that_fell_silent_while_fenced_may_have_been_let_back() -> None:
    fenced = renewed(1, standing=Standing.FENCED, cause=Cause.LEASE)
    watching = Watching()
    watching.see(fenced)
    watching.now += 1
    watching.ask()
    assert finding(watching.see(fenced, 40)) == "useless"


def test_a_lease_that_ran_out_before_anybody_asked_proves_nothing() -> None:
    watching = Watching()
    watching.see(SLOT, 30)
    watching.ask()
    assert finding(watching.see(SLOT, 60)) == "useless"
    assert watching.observer.distrusted("a", SLOT.incarnation) == SLOT.counter
    # The agent is back: from now on it counts again.
    assert finding(watching.see(renewed(1), 24)) == "waiting"
    assert finding(watching.see(renewed(1), 1)) == "proved lease"


def test_what_was_noted_before_a_restart_still_holds() -> None:
    watching = Watching()
    watching.observer.distrust("a", SLOT.incarnation, SLOT.counter)
    watching.ask()
    assert finding(watching.see(SLOT, 60)) == "useless"


def test_an_agent_that_was_stopped_guards_nothing() -> None:
    watching = Watching()
    watching.ask()
    assert finding(watching.see(replace(SLOT, standing=Standing.UNGUARDED), 60)) == "useless"


def test_no_slot_no_proof() -> None:
    watching = Watching()
    watching.ask()
    assert finding(watching.see(None, 60)) == "useless"


def test_a_new_incarnation_proves_the_end_of_one_that_guarded_when_asked() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    watching.see(renewed(1))
    anew = renewed(9000, incarnation="b.2")
    assert finding(watching.see(anew, 3)) == "waiting"  # may be a late write of long ago
    assert finding(watching.see(replace(anew, counter=9005))) == "proved lease"


def test_a_new_incarnation_proves_nothing_of_one_never_seen_to_guard() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    for count in range(4):
        assert finding(watching.see(renewed(9000 + count, incarnation="b.2"))) == "waiting"
    bound = watching.observer.bound("a", LIFE)
    assert bound is not None
    assert bound.incarnation == "b.2"  # who is to be asked now


def test_another_machine_in_the_slot_proves_nothing() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    watching.see(renewed(1))
    other = renewed(2, machine="m2", incarnation="x.1", standing=Standing.FENCED)
    assert finding(watching.see(other, 60)) == "useless"


def test_a_host_that_cannot_end_its_vms_is_told_of() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    for count in range(int(STUCK) // 5):
        ending = renewed(1 + count, standing=Standing.ENDING)
        assert finding(watching.see(ending, 5)) == "waiting"
    assert finding(watching.see(renewed(99, standing=Standing.ENDING), 1)) == "useless"


def test_silence_while_ending_proves_nothing_without_a_watchdog() -> None:
    for watchdog, outcome in ((False, "useless"), (True, "proved lease")):
        watching = Watching()
        watching.ask()
        ending = renewed(1, standing=Standing.ENDING, watchdog=watchdog)
        assert finding(watching.see(ending, 30)) == outcome


def test_forgetting_drops_the_question() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT, 30)
    watching.observer.forget("a")
    assert watching.observer.evidence("a", LIFE) is None
    assert watching.observer.findings("a") == ()


def test_findings_tell_a_change_without_the_passing_of_time() -> None:
    watching = Watching()
    watching.ask()
    watching.see(SLOT)
    first = watching.observer.findings("a")
    watching.see(SLOT, 20)
    assert watching.observer.findings("a") == first == ((LIFE, Finding.WAITING),)

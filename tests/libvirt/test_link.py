"""One host's connection: beats, hangs, refusals, stalls. Threads are real, time is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import libvirt
import pytest

from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.fault import Silent
from frota.drivers.libvirt.link import HUNG_MOST, Link
from frota.drivers.libvirt.pulse import Pulse
from frota.drivers.libvirt.watch import CALL_S, OPEN_S, Kit
from frota.model.sight import Copy, CopyState
from frota.ports.hypervisor import HostAddress
from tests.libvirt.daemon import FakeDaemon, FakeDomain, ManualClock

BEAT = 0.01  # real seconds between two looks, and of the manual clock too
URI = "qemu+tcp://operator:s3cret@a.example/system"


class Watched:
    """A link to a fake daemon, under a clock moved by hand."""

    def __init__(self) -> None:
        self.daemon = FakeDaemon()
        self.clock = ManualClock()
        self.pulse = Pulse(self.clock, BEAT)
        self.wakes = 0
        self.on_wake: Callable[[], None] = lambda: None
        kit = Kit(self.pulse, BEAT, self.daemon.connect)
        self.link = Link(HostAddress("a", URI), kit, self.woken)

    def woken(self) -> None:
        self.wakes += 1
        self.on_wake()
        self.daemon.changed()

    def up(self) -> Watched:
        self.link.start()
        self.daemon.wait_for(lambda: self.link.view().beating)
        return self

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the process is awake in it."""
        for _ in range(round(seconds / BEAT)):
            self.clock.time += BEAT
            self.pulse.tick()
        self.link.check()

    def wait(self, condition: Callable[[], bool]) -> None:
        self.daemon.wait_for(condition)


@pytest.fixture
def watched() -> Iterator[Watched]:
    stage = Watched()
    yield stage
    stage.link.stop()
    stage.daemon.thaw()


def mark(vm: str, incarnation: str = "", epoch: int = 1) -> Mark:
    return Mark(vm, "east", "control-plane", epoch, f"start-{vm}", "a", incarnation)


def test_a_host_that_answers_beats(watched: Watched) -> None:
    watched.daemon.domains = [FakeDomain("v1", mark("v1")), FakeDomain("mine", None)]
    view = watched.up().link.view()
    assert view.capacity is not None
    assert (view.capacity.memory_mib, view.capacity.vcpus) == (8192, 8)
    assert view.copies == {"v1": Copy("v1", 1, CopyState.RUNNING, "start-v1")}
    assert view.error == ""
    assert watched.wakes >= 1


def test_a_host_without_guests_keeps_its_marker(watched: Watched) -> None:
    assert watched.up().link.view().incarnation == watched.daemon.marker


def test_a_clone_of_a_vm_is_no_copy(watched: Watched) -> None:
    watched.daemon.domains = [FakeDomain("v1-clone", mark("v1"))]
    assert not watched.up().link.view().copies


def test_marks_are_read_once_and_after_events(watched: Watched) -> None:
    domain = FakeDomain("v1", mark("v1"))
    watched.daemon.domains = [domain]
    watched.up()
    looks = watched.daemon.looked
    watched.wait(lambda: watched.daemon.looked >= looks + 5)
    assert domain.reads == 1
    domain.mark = mark("v1", epoch=2)
    watched.daemon.tell(domain)
    watched.wait(lambda: watched.link.view().copies["v1"].epoch == 2)
    assert domain.reads == 2


def test_a_refusal_is_told_in_plain_words_without_password(watched: Watched) -> None:
    watched.daemon.refusal = "authentication failed"
    watched.link.start()
    watched.wait(lambda: "refused the login" in watched.link.view().error)
    assert not watched.link.view().beating
    assert "s3cret" not in watched.link.view().error
    with pytest.raises(Silent, match="refused the login"):
        watched.link.open()


def test_a_missed_beat_wakes_and_keeps_what_was_seen(watched: Watched) -> None:
    watched.daemon.domains = [FakeDomain("v1", mark("v1"))]
    watched.up().link.check()
    watched.daemon.hang()
    looks = watched.daemon.looked
    watched.wait(lambda: watched.daemon.looked > looks)
    seen, before = watched.link.view(), watched.wakes
    watched.pass_time(2 * BEAT)
    view = watched.link.view()
    assert not view.beating
    assert watched.wakes == before + 1
    assert (view.copies, view.incarnation) == (seen.copies, seen.incarnation)
    assert view.last_seen == seen.last_seen
    with pytest.raises(Silent):
        watched.link.open()
    watched.daemon.thaw()
    watched.wait(lambda: watched.link.view().beating)


def test_a_stall_of_this_process_is_no_silence(watched: Watched) -> None:
    watched.up()
    watched.daemon.hang()
    looks = watched.daemon.looked
    watched.wait(lambda: watched.daemon.looked > looks)
    seen = watched.link.view().last_seen
    watched.clock.time += 3600
    assert watched.link.view().beating
    assert watched.link.view().last_seen > seen + 3599
    watched.pulse.tick()
    watched.link.check()
    assert watched.link.view().beating
    watched.pass_time(2 * BEAT)
    assert not watched.link.view().beating


def opened(watched: Watched, times: int) -> bool:
    return watched.daemon.opened == times


def test_a_hanging_daemon_holds_few_threads_and_is_watched_again(watched: Watched) -> None:
    watched.daemon.hang()
    watched.link.start()
    watched.wait(lambda: watched.daemon.opened == 1)
    for hung in range(1, HUNG_MOST + 3):
        watched.pass_time(OPEN_S + 1)
        watched.wait(partial(opened, watched, min(hung + 1, HUNG_MOST)))
        assert "no answer within 10 s" in watched.link.view().error
    watched.daemon.thaw()

    def recovered() -> bool:
        watched.link.check()
        return watched.link.view().beating

    watched.wait(recovered)


def test_a_broken_connection_is_opened_again(watched: Watched) -> None:
    domain = FakeDomain("v1", mark("v1", watched.daemon.marker))
    watched.daemon.domains = [domain]
    incarnation = watched.up().link.view().incarnation
    watched.daemon.broken = True
    watched.wait(lambda: watched.daemon.opened == 2)
    watched.wait(lambda: watched.link.view().beating)
    assert watched.link.view().incarnation == incarnation


def test_a_hang_in_a_heartbeat_is_given_up(watched: Watched) -> None:
    watched.up()
    watched.daemon.hang()
    looks = watched.daemon.looked
    watched.wait(lambda: watched.daemon.looked > looks)
    watched.pass_time(CALL_S + 1)
    watched.wait(lambda: watched.daemon.opened == 2)
    assert "heartbeat" in watched.link.view().error


def test_what_an_operation_saw_is_not_overwritten_by_an_older_look(watched: Watched) -> None:
    domain = FakeDomain("v1", mark("v1"))
    watched.daemon.domains = [domain]
    watched.up()
    session = watched.daemon.connect(URI)
    watched.daemon.hang()
    looks = watched.daemon.looked
    watched.wait(lambda: watched.daemon.looked > looks)
    domain.mark = mark("v1", epoch=2)
    watched.daemon.tell(domain)
    watched.link.note(session, "v1")
    assert watched.link.view().copies["v1"].epoch == 2
    seen: list[int] = []
    watched.on_wake = lambda: seen.append(watched.link.view().copies["v1"].epoch)
    domain.state = libvirt.VIR_DOMAIN_SHUTOFF
    watched.daemon.thaw()
    watched.wait(lambda: watched.link.view().copies["v1"].state is CopyState.STOPPED)
    assert set(seen) == {2}


def test_a_stopped_link_stays_stopped(watched: Watched) -> None:
    watched.link.start()
    watched.wait(lambda: watched.link.view().beating)
    assert watched.daemon.opened == 1
    watched.link.stop()
    watched.link.join(5)
    watched.link.check()
    assert watched.daemon.opened == 1
    assert not watched.link.view().beating

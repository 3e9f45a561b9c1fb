"""What faults do to the truth, and what a controller then sees of it."""

from __future__ import annotations

import pytest

from frota.model.definition import Definition
from frota.model.host import Capacity, Size
from frota.model.sight import CopyState, FenceState, Outcome
from frota.model.vm import Operation, Verb
from frota.ports.hypervisor import HostAddress
from frota.twin import (
    Bmc,
    Chances,
    Crash,
    Leftovers,
    Site,
    TwinClock,
    TwinFence,
    TwinHypervisor,
    TwinWitness,
    World,
)
from frota.twin.mischief import Trouble

ROOM = Capacity(memory_mib=64 * 1024, vcpus=64, slots=100)
SIZE = Size(1024, 1)
VM = "east-web-1"


class Hosts:
    """Three hosts and a controller's session with them."""

    def __init__(self, *, leases: bool = False, chances: Chances | None = None) -> None:
        self.world = World(3)
        self.site = Site(self.world, chances=chances, leases=leases)
        for host in "abc":
            self.site.add(host, ROOM)
        self.session()

    def session(self) -> None:
        self.port = TwinHypervisor(self.site, TwinClock(self.world))
        for host in "abc":
            self.port.attach(HostAddress(host))
        self.run(2)

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def order(self, verb: Verb, src: str = "", dst: str = "", epoch: int = 1) -> Operation:
        name = f"{verb}-{src}-{dst}-{epoch}"
        operation = Operation(name, verb, VM, src, dst, epoch)
        self.port.order(operation, Definition(VM, SIZE, "east", "pool/web"))
        return operation

    def started(self, host: str = "a") -> None:
        self.order(Verb.START, dst=host)
        self.run(10)
        assert self.site.hosts_of(VM) == (host,)

    def outcome(self, operation: Operation) -> Outcome | None:
        found = [item for item in self.port.outcomes() if item.operation == operation.id]
        return found[0] if found else None


def test_a_quiet_world_has_no_events() -> None:
    hosts = Hosts()
    hosts.started()
    assert hosts.world.next_at == float("inf")
    seen = hosts.port.view("a").last_seen
    hosts.run(3600)
    assert hosts.port.view("a").last_seen > seen + 3598


def test_a_lost_outcome_is_unknown_and_the_view_tells() -> None:
    hosts = Hosts()
    hosts.site.mischief.plan(Trouble.LOSE, frozenset({Verb.START}), 1)
    start = hosts.order(Verb.START, dst="a")
    hosts.run(10)
    outcome = hosts.outcome(start)
    assert outcome is not None
    assert outcome.unknown
    assert hosts.port.view("a").copies[VM].state is CopyState.RUNNING


def test_a_cut_hides_and_does_not_stop_a_start() -> None:
    hosts = Hosts()
    start = hosts.order(Verb.START, dst="a")
    hosts.site.cut(["a"])
    hosts.run(10)
    outcome = hosts.outcome(start)
    assert outcome is not None
    assert outcome.unknown
    assert hosts.site.hosts_of(VM) == ("a",)
    assert VM not in hosts.port.view("a").copies
    hosts.site.heal(["a"])
    hosts.run(3)
    assert VM in hosts.port.view("a").copies


def test_an_order_that_never_arrived_is_unknown() -> None:
    hosts = Hosts()
    hosts.site.crash("a")
    start = hosts.order(Verb.START, dst="a")
    hosts.run(5)
    outcome = hosts.outcome(start)
    assert outcome is not None
    assert outcome.unknown
    hosts.site.boot("a")
    hosts.run(60)
    assert hosts.site.hosts_of(VM) == ()


def test_what_a_frozen_daemon_was_told_it_does_when_it_thaws() -> None:
    hosts = Hosts()
    hosts.site.hang("a")
    start = hosts.order(Verb.START, dst="a")
    hosts.run(60)
    outcome = hosts.outcome(start)
    assert outcome is not None
    assert outcome.unknown
    assert hosts.site.hosts_of(VM) == ()
    hosts.site.thaw("a")
    hosts.run(10)
    assert hosts.site.hosts_of(VM) == ("a",)


@pytest.mark.parametrize("dies", ["a", "b"])
def test_a_host_that_dies_during_a_move(dies: str) -> None:
    hosts = Hosts()
    hosts.started("a")
    move = hosts.order(Verb.LIVE, "a", "b")
    hosts.run(0.5)
    hosts.site.crash(dies)
    hosts.run(30)
    outcome = hosts.outcome(move)
    assert outcome is not None
    assert outcome.error
    assert hosts.site.hosts_of(VM) == (("a",) if dies == "b" else ())
    if dies == "b":
        assert hosts.port.view("a").copies[VM].state is CopyState.RUNNING


def test_a_failed_move_leaves_the_guest() -> None:
    hosts = Hosts()
    hosts.started("a")
    hosts.site.mischief.plan(Trouble.FAIL, frozenset({Verb.LIVE}), 1, VM, "b")
    move = hosts.order(Verb.LIVE, "a", "b")
    hosts.run(30)
    outcome = hosts.outcome(move)
    assert outcome is not None
    assert outcome.error
    assert not outcome.unknown
    assert hosts.site.hosts_of(VM) == ("a",)
    assert VM not in hosts.port.view("b").copies


def test_a_move_whose_client_dies_may_break_off() -> None:
    hosts = Hosts(chances=Chances(move_dies_with_controller=1.0))
    hosts.started("a")
    hosts.order(Verb.LIVE, "a", "b")
    hosts.run(0.5)
    hosts.port.close()
    hosts.session()
    hosts.run(30)
    assert hosts.site.hosts_of(VM) == ("a",)


def test_a_kill_waits_for_the_start_before_it() -> None:
    hosts = Hosts()
    hosts.order(Verb.START, dst="a")
    hosts.order(Verb.KILL, src="a")
    hosts.run(20)
    assert hosts.site.hosts_of(VM) == ()


def test_a_host_without_its_disks_starts_nothing() -> None:
    hosts = Hosts()
    hosts.site.cut(["a"], storage=True, network=False)
    start = hosts.order(Verb.START, dst="a")
    hosts.run(10)
    outcome = hosts.outcome(start)
    assert outcome is not None
    assert outcome.error
    assert not outcome.unknown


def test_leftovers_of_a_crash() -> None:
    for leftovers, state in (
        (Leftovers.NONE, None),
        (Leftovers.DEFINED, CopyState.STOPPED),
        (Leftovers.RUNNING, CopyState.RUNNING),
    ):
        hosts = Hosts()
        hosts.started("a")
        before = hosts.port.view("a").incarnation
        hosts.site.crash("a")
        hosts.run(5)
        hosts.site.boot("a", leftovers=leftovers)
        hosts.run(5)
        view = hosts.port.view("a")
        assert view.incarnation != before
        copy = view.copies.get(VM)
        assert (copy.state if copy is not None else None) is state


def test_a_host_cut_off_from_storage_ends_itself_before_the_proof() -> None:
    for offset in range(20):
        hosts = Hosts(leases=True)
        fence = TwinFence(hosts.site)
        hosts.started("a")
        hosts.run(offset * 0.37)
        hosts.site.machines["a"].bmc = Bmc.FAILS
        incarnation = hosts.port.view("a").incarnation
        hosts.site.cut(["a"], storage=True)
        fence.probe("a", incarnation)
        while fence.verdict("a", incarnation).state is not FenceState.PROVED:
            hosts.run(0.5)
            assert hosts.world.now < 120
        assert hosts.site.hosts_of(VM) == ()


def test_a_frozen_lease_agent_means_a_reset_by_the_watchdog() -> None:
    hosts = Hosts(leases=True)
    hosts.started("a")
    before = hosts.port.view("a").incarnation
    hosts.site.hang("a", agent=True)
    hosts.run(30)
    assert hosts.site.hosts_of(VM) == ()
    hosts.run(120)
    assert hosts.port.view("a").beating
    assert hosts.port.view("a").incarnation != before


def test_a_short_cut_from_storage_harms_nobody() -> None:
    hosts = Hosts(leases=True)
    hosts.started("a")
    hosts.site.cut(["a"], storage=True, network=False)
    hosts.run(10)
    hosts.site.heal(["a"])
    hosts.run(60)
    assert hosts.site.hosts_of(VM) == ("a",)


def test_power_loss_takes_the_power_controller_with_it() -> None:
    hosts = Hosts()
    fence = TwinFence(hosts.site)
    incarnation = hosts.port.view("a").incarnation
    hosts.site.crash("a", Crash.POWER_LOSS)
    fence.kill("a", incarnation)
    hosts.run(60)
    assert fence.verdict("a", incarnation).state is FenceState.FAILED
    hosts.site.boot("a")
    hosts.site.crash("a", Crash.POWER_OFF)
    fence.probe("a", incarnation)
    hosts.run(5)
    assert fence.verdict("a", incarnation).state is FenceState.PROVED


def test_the_witness_sees_with_the_controllers_own_eyes() -> None:
    hosts = Hosts()
    witness = TwinWitness(hosts.site)
    assert witness.sees() is True
    assert TwinWitness(hosts.site, configured=False).sees() is None
    hosts.site.cut_controller()
    hosts.run(5)
    assert witness.sees() is False
    assert not any(hosts.port.view(host).beating for host in "abc")
    hosts.site.heal_controller()
    hosts.run(5)
    assert all(hosts.port.view(host).beating for host in "abc")


def test_two_running_copies_are_known_at_once() -> None:
    hosts = Hosts()
    hosts.started("a")
    hosts.order(Verb.START, dst="b", epoch=2)
    hosts.run(10)
    assert hosts.site.doubles == {VM}
    hosts.order(Verb.KILL, src="a", epoch=1)
    hosts.run(10)
    assert not hosts.site.doubles

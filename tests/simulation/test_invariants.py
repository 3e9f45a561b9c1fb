"""Each invariant is seen to break when it is broken: a checker that never fires proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from frota.model.availability import AvailabilitySet, Level
from frota.model.definition import Definition
from frota.model.host import Capacity, Host, HostState, Size
from frota.model.policy import Admission, Policy
from frota.model.sight import Copy, CopyState
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.ports.hypervisor import HostAddress
from frota.ports.store import Write
from frota.twin import Leftovers, Site, TwinClock, TwinHypervisor, World
from frota.twin.invariants import Checker
from frota.twin.invariants.episodes import fewest_moves

ROOM = Capacity(memory_mib=16 * 1024, vcpus=16, slots=10)
SIZE = Size(4096, 1)
DOMAINS = frozenset({"host/a", "host/b", "host/c"})
WEB = AvailabilitySet("web", "east", "pool/web", generations=(DOMAINS,))
CONTROL = AvailabilitySet("cp", "east", "control-plane", generations=(DOMAINS,))
KINDS = {Host: "Host", Vm: "VirtualMachine", AvailabilitySet: "AvailabilitySet"}


class Stage:
    """Three hosts, their records, and a checker that watches."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.world = World(5)
        self.site = Site(self.world)
        for name in "abc":
            self.site.add(name, ROOM)
        clock = TwinClock(self.world)
        self.checker = Checker(self.site, policy or Policy(), clock.now)
        self.port = TwinHypervisor(self.site, clock)
        self.checker.watch(self.port.view)
        for name in "abc":
            self.port.attach(HostAddress(name))
        self.world.run_until(2.0)
        self.write(WEB, CONTROL, *(self.host(name) for name in "abc"))

    def host(self, name: str, **changes: Any) -> Host:
        host = Host(name, name, ROOM, incarnation=f"{name}#1", reason="joined")
        return replace(host, **changes)

    def write(self, *values: Host | Vm | AvailabilitySet) -> None:
        self.checker.committed(
            [Write(KINDS[type(value)], f"plant/{value.name}", value, None) for value in values]
        )

    def delete(self, kind: str, name: str) -> None:
        self.checker.committed([Write(kind, f"plant/{name}", None, None)])

    def vm(self, name: str, host: str, **changes: Any) -> Vm:
        """A VM that runs, in truth and on record."""
        vm = Vm(name, "web", SIZE, order=1, state=VmState.RUNNING, host=host, home=host, epoch=1)
        vm = replace(vm, **changes)
        self.site.sizes[name] = vm.size
        if vm.state is VmState.RUNNING:
            machine = self.site.machines[host]
            self.site.put(machine, Copy(name, vm.epoch, CopyState.RUNNING))
            self.site.notice(machine)
        self.world.run_until(self.world.now + 1.0)
        self.write(vm)
        return vm

    def move(self, vm: Vm, dst: str, verb: Verb = Verb.LIVE, **changes: Any) -> Operation:
        """Put an operation on record and order it."""
        src = "" if verb is Verb.START else vm.host
        operation = Operation(f"{verb}-{vm.name}-{dst}", verb, vm.name, src, dst, vm.epoch)
        operation = replace(operation, voluntary=verb is Verb.LIVE, **changes)
        state = VmState.STARTING if verb is Verb.START else VmState.MIGRATING
        host = dst if verb is Verb.START else vm.host
        self.write(replace(vm, state=state, operation=operation, host=host))
        definition = Definition(vm.name, vm.size, "east", "pool/web")
        self.checker.ordered(operation, definition)
        return operation

    def broken(self) -> Sequence[str]:
        self.checker.settled()
        self.checker.happened()
        return [item.invariant for item in self.checker.found]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_nothing_is_broken_when_nothing_happens(stage: Stage) -> None:
    stage.vm("v1", "a")
    assert stage.broken() == []


def test_i1_two_running_copies(stage: Stage) -> None:
    stage.vm("v1", "a")
    stage.site.put(stage.site.machines["b"], Copy("v1", 2, CopyState.RUNNING))
    assert "I1" in stage.broken()


def test_i1_i18_a_start_while_it_runs_elsewhere(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.move(replace(vm, epoch=2), "b", Verb.START)
    assert {"I1", "I18"} <= set(stage.broken())


def test_i18_a_start_while_its_host_is_only_silent(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.site.crash("a")
    stage.world.run_until(60.0)
    stage.write(stage.host("a", state=HostState.FENCING))
    stage.move(replace(vm, epoch=2), "b", Verb.START)
    assert "I18" in stage.broken()


def test_i18_a_start_that_may_have_worked_on_a_silent_host(stage: Stage) -> None:
    vm = Vm("v1", "web", SIZE, order=1)
    stage.move(vm, "a", Verb.START, epoch=1)
    stage.site.crash("a")
    stage.world.run_until(20.0)
    lost = replace(vm, state=VmState.LOST, host="a", epoch=1, reason="the start on a is unknown")
    stage.write(lost)
    stage.move(replace(lost, epoch=2), "b", Verb.START)
    assert stage.broken() == ["I18"]


def test_i18_after_a_proof_all_is_well(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.site.crash("a")
    stage.world.run_until(60.0)
    stage.write(stage.host("a", state=HostState.DOWN, fence_proof="power-off"))
    stage.move(replace(vm, epoch=2), "b", Verb.START)
    assert stage.broken() == []


def test_i18_a_host_that_serves_with_stale_guests(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.site.crash("a")
    stage.write(stage.host("a", state=HostState.DOWN, fence_proof="power-off"))
    stage.write(replace(vm, host="b", epoch=2))
    stage.site.boot("a", leftovers=Leftovers.RUNNING)
    stage.write(stage.host("a", state=HostState.RECOVERING))
    assert "I18" in stage.broken()


def test_i2_a_start_without_room(stage: Stage) -> None:
    for number in range(4):
        stage.vm(f"v{number}", "a")
    waiting = Vm("new", "web", SIZE, order=9, reason="new")
    stage.move(waiting, "a", Verb.START, epoch=1)
    assert "I2" in stage.broken()


def test_i3_a_set_that_shrinks_or_changes(stage: Stage) -> None:
    stage.write(replace(WEB, generations=(DOMAINS - {"host/a"},)))
    stage.write(replace(CONTROL, levels=(Level.RACK,)))
    vm = stage.vm("v1", "a")
    stage.write(replace(vm, set="cp"))
    assert stage.broken().count("I3") >= 3


def test_i4_refused_although_there_is_room(stage: Stage) -> None:
    refused = Vm("v1", "web", SIZE, order=1, state=VmState.UNPLACEABLE, reason="Capacity")
    stage.write(refused)
    assert "I4" in stage.broken()


def test_i4_strict_admission_may_refuse_new_ones() -> None:
    stage = Stage(Policy(admission=Admission.STRICT))
    stage.write(Vm("v1", "web", SIZE, order=1, state=VmState.UNPLACEABLE, reason="AdmissionN1"))
    assert stage.broken() == []


def test_i5_admitted_beside_members_although_a_host_is_free(stage: Stage) -> None:
    stage.vm("v1", "a")
    stage.move(Vm("v2", "web", SIZE, order=2), "a", Verb.START, epoch=1)
    assert "I5" in stage.broken()


def test_i6_a_move_that_makes_a_set_less_even(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.vm("v2", "b")
    stage.move(vm, "b")
    assert "I6" in stage.broken()


def test_i6_a_rebalancing_that_helps_nobody(stage: Stage) -> None:
    vm = stage.vm("v1", "a")
    stage.move(vm, "b")
    stage.site.drop(stage.site.machines["a"], "v1")
    stage.write(replace(vm, host="b"))
    assert "I6" in stage.broken()


def test_i8_two_control_plane_members_at_once(stage: Stage) -> None:
    stage.vm("cp1", "a", set="cp")
    first = stage.vm("cp2", "a", set="cp")
    second = stage.vm("cp3", "a", set="cp")
    stage.move(first, "b")
    stage.move(second, "c")
    assert "I8" in stage.broken()


def test_i9_a_move_that_gives_up_the_loss_of_a_host(stage: Stage) -> None:
    small, large = replace(ROOM, memory_mib=10_000), replace(ROOM, memory_mib=12_000)
    stage.write(stage.host("a", capacity=small), stage.host("b", capacity=small))
    stage.write(stage.host("c", capacity=large))
    vm = stage.vm("v1", "a", size=Size(4000, 1))
    stage.vm("v2", "a", size=Size(4000, 1))
    stage.vm("x", "c", size=Size(8000, 1), set="cp")
    # While b is empty it can take x; with v1 there, neither a nor b can.
    stage.move(vm, "b")
    assert stage.broken() == ["I9"]


def test_i10_a_domain_lost_for_good_must_be_said(stage: Stage) -> None:
    stage.write(stage.host("a", state=HostState.REMOVED))
    assert "I10" in stage.broken()


def test_i10_and_is_not_forgotten(stage: Stage) -> None:
    lost = replace(WEB, removed=("host/a",))
    stage.write(lost)
    stage.write(replace(lost, removed=()))
    assert "I10" in stage.broken()


def test_i11_a_dead_host_stays_on_the_list(stage: Stage) -> None:
    stage.write(stage.host("a", state=HostState.DOWN, fence_proof="power-off"))
    stage.delete("Host", "a")
    assert "I11" in stage.broken()


def test_i13_throttles_and_cooldown(stage: Stage) -> None:
    vms = [stage.vm(f"v{number}", "a", size=Size(512, 1)) for number in range(4)]
    for vm in vms[:3]:
        stage.move(vm, "b")
    assert "I13" in stage.broken()


def test_i13_no_choice_while_a_restart_waits(stage: Stage) -> None:
    first = stage.vm("v1", "a")
    stage.vm("v2", "a")
    stage.write(Vm("v3", "web", SIZE, order=3, state=VmState.LOST, reason="host died"))
    stage.move(first, "b")
    assert "I13" in stage.broken()


def test_i14_two_operations_on_one_vm(stage: Stage) -> None:
    vm = Vm("v1", "web", SIZE, order=1)
    start = stage.move(vm, "a", Verb.START, epoch=1)
    stage.port.order(start, Definition("v1", SIZE, "east", "pool/web"))
    stage.move(replace(vm, epoch=2), "b", Verb.START)
    assert "I14" in stage.broken()


def test_i15_old_members_do_not_move_to_new_hosts(stage: Stage) -> None:
    stage.vm("v1", "a")
    vm = stage.vm("v2", "a")
    stage.site.add("d", ROOM)
    stage.port.attach(HostAddress("d"))
    stage.world.run_until(10.0)
    stage.write(stage.host("d"), replace(WEB, generations=(DOMAINS, DOMAINS | {"host/d"})))
    stage.move(vm, "d")
    assert stage.broken() == ["I15"]


def test_i16_what_could_be_more_even_at_the_end(stage: Stage) -> None:
    stage.vm("v1", "a")
    stage.vm("v2", "a")
    stage.checker.converged()
    assert stage.broken() == ["I16"]


def test_i17_more_moves_than_needed(stage: Stage) -> None:
    first, second = stage.vm("v1", "a"), stage.vm("v2", "a")
    stage.vm("v3", "b")
    for vm, dst in ((first, "c"), (second, "c")):
        stage.move(vm, dst)
    for vm, dst in ((first, "c"), (second, "a")):
        machine = stage.site.machines["a"]
        stage.site.drop(machine, vm.name)
        stage.site.put(stage.site.machines[dst], Copy(vm.name, 1, CopyState.RUNNING))
    third = replace(second, host="c", home="c")
    stage.write(replace(first, host="c", home="c"), third)
    assert "I17" in stage.broken() or "I6" in stage.broken()


def test_i19_every_vm_that_does_not_run_says_why(stage: Stage) -> None:
    stage.write(Vm("v1", "web", SIZE, order=1, state=VmState.LOST))
    assert "I19" in stage.broken()
    stage.write(Vm("v2", "web", SIZE, order=2, state=VmState.STARTING, host="a"))
    assert stage.broken().count("I19") == 2


def test_liveness_a_record_that_is_not_true(stage: Stage) -> None:
    stage.vm("v1", "a")
    stage.site.drop(stage.site.machines["a"], "v1")
    stage.site.put(stage.site.machines["b"], Copy("ghost", 1, CopyState.RUNNING))
    stage.checker.converged()
    assert stage.broken().count("liveness") == 2


@pytest.mark.parametrize(
    ("counts", "moves"),
    [
        ([3, 0], 1),
        ([3, 3, 0], 2),
        ([2, 2, 2], 0),
        ([7, 0, 0], 4),
        ([1, 0, 0], 0),
        ([4, 4, 0, 0], 4),
    ],
)
def test_fewest_moves(counts: list[int], moves: int) -> None:
    assert fewest_moves(counts) == moves

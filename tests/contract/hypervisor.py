"""What every implementation of ``frota.ports.hypervisor.Hypervisor`` must do.

Subclass ``HypervisorContract`` and give a ``stage`` fixture (``hypervisor_stage.Stage``):
at least two hosts, attached and beating, that run nothing. A test that a stage cannot
play must not be left out silently: make the stage able to play it.
"""

from __future__ import annotations

import pytest

from frota.model.sight import Copy, CopyState, Outcome
from frota.model.vm import Operation, Verb
from tests.contract.hypervisor_stage import VM, Acting, Stage, act, start


class WatchingContract(Acting):
    """Views: heartbeats, incarnations, what a silence does and does not change."""

    def test_a_host_never_seen_is_not_beating(self, stage: Stage) -> None:
        view = stage.port.view("nowhere")
        assert (view.host, view.beating, view.incarnation) == ("nowhere", False, "")
        assert view.capacity is None
        assert not view.copies

    def test_attached_hosts_beat(self, stage: Stage) -> None:
        for host in stage.hosts:
            view = stage.port.view(host)
            assert view.beating
            assert view.incarnation
            assert view.capacity is not None
            assert view.capacity.memory_mib > 0
            assert view.capacity.vcpus > 0
            assert not view.copies
            assert not view.error
        seen = stage.port.view(stage.hosts[0]).last_seen
        stage.wait_until(lambda: stage.port.view(stage.hosts[0]).last_seen > seen, within=5)
        assert stage.port.view(stage.hosts[0]).last_seen <= stage.now()

    def test_incarnations_are_of_one_host(self, stage: Stage) -> None:
        names = {stage.port.view(host).incarnation for host in stage.hosts}
        assert len(names) == len(stage.hosts)

    def test_attaching_again_changes_nothing(self, stage: Stage) -> None:
        host = stage.hosts[0]
        before = stage.port.view(host)
        stage.port.attach(stage.address(host))
        after = stage.port.view(host)
        assert after.beating
        assert after.incarnation == before.incarnation

    def test_a_detached_host_is_not_watched(self, stage: Stage) -> None:
        stage.port.detach("nowhere")
        stage.port.detach(stage.hosts[0])
        stage.wait_until(lambda: not stage.port.view(stage.hosts[0]).beating, within=10)
        assert stage.port.view(stage.hosts[1]).beating
        stage.port.attach(stage.address(stage.hosts[0]))
        self.back(stage, stage.hosts[0])

    def test_a_crash_is_silence_and_a_new_incarnation(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        self.started(stage, b, "east-cp-2")
        before = stage.port.view(a)
        stage.crash(a)
        self.silent(stage, a)
        silent = stage.port.view(a)
        assert silent.incarnation == before.incarnation
        assert silent.copies == before.copies, "while silent, what was seen last"
        assert silent.last_seen <= stage.now()
        assert stage.port.view(b).beating
        stage.boot(a)
        self.back(stage, a)
        after = stage.port.view(a)
        assert after.incarnation != before.incarnation
        assert not any(copy.live for copy in after.copies.values())
        assert self.runs(stage, b, "east-cp-2")

    def test_an_empty_host_that_crashed_has_a_new_incarnation(self, stage: Stage) -> None:
        host = stage.hosts[0]
        before = stage.port.view(host).incarnation
        stage.crash(host)
        self.silent(stage, host)
        stage.boot(host)
        self.back(stage, host)
        assert stage.port.view(host).incarnation != before

    def test_a_hang_is_silence_and_the_same_incarnation(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        before = stage.port.view(a)
        stage.hang(a)
        self.silent(stage, a)
        assert stage.port.view(b).beating, "a hung host hangs nobody else"
        self.started(stage, b, "east-cp-2")
        stage.thaw(a)
        self.back(stage, a)
        after = stage.port.view(a)
        assert after.incarnation == before.incarnation
        assert after.copies == before.copies

    def test_a_restart_of_the_daemon_is_no_new_incarnation(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        before = stage.port.view(host)
        stage.renew_daemon(host)
        stage.wait_until(lambda: stage.port.view(host).last_seen > before.last_seen + 1)
        self.back(stage, host)
        stage.wait_until(lambda: self.runs(stage, host))
        assert stage.port.view(host).incarnation == before.incarnation

    def test_a_new_controller_sees_the_same(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        before = stage.port.view(host)
        stage.restart()
        self.back(stage, host)
        after = stage.port.view(host)
        assert after.incarnation == before.incarnation
        assert after.copies == before.copies

    def test_changes_wake(self, stage: Stage) -> None:
        woken: list[bool] = []
        stage.port.on_change(lambda: woken.append(True))
        operation = start(VM, stage.hosts[0])
        stage.port.order(operation, stage.definition(VM))
        stage.wait_until(lambda: bool(woken), within=60)
        self.end(stage, operation)
        woken.clear()
        stage.crash(stage.hosts[0])
        self.silent(stage, stage.hosts[0])
        stage.wait_until(lambda: bool(woken), within=5)


class StartingContract(Acting):
    """START, STOP, KILL, and the ids that make them idempotent."""

    def test_the_same_id_again_does_nothing(self, stage: Stage) -> None:
        operation = start(VM, stage.hosts[0])
        for _ in range(3):
            stage.port.order(operation, stage.definition(VM))
        assert self.end(stage, operation) == Outcome(operation.id)
        stage.port.settle("nothing")

    def test_the_same_vm_and_epoch_again_succeeds(self, stage: Stage) -> None:
        self.started(stage, stage.hosts[0])
        self.well(stage, start(VM, stage.hosts[0], name="again"))
        assert self.runs(stage, stage.hosts[0])

    def test_another_epoch_beside_a_running_copy_is_refused(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host, epoch=2)
        for epoch in (1, 3):
            outcome = self.do(stage, start(VM, host, epoch))
            assert outcome.error
            assert not outcome.unknown
        copy = self.copy(stage, host)
        assert copy is not None
        assert (copy.epoch, copy.state) == (2, CopyState.RUNNING)

    def test_a_start_without_a_definition_fails(self, stage: Stage) -> None:
        operation = start(VM, stage.hosts[0])
        stage.port.order(operation, None)
        assert self.end(stage, operation).error
        assert self.copy(stage, stage.hosts[0]) is None

    def test_a_start_on_an_unknown_host_fails(self, stage: Stage) -> None:
        outcome = self.do(stage, start(VM, "nowhere"))
        assert outcome.error
        assert not outcome.unknown

    def test_many_starts_at_once(self, stage: Stage) -> None:
        operations = [start(f"east-cp-{n}", stage.hosts[n % 2]) for n in range(1, 5)]
        for operation in operations:
            stage.port.order(operation, stage.definition(operation.vm))
        for operation in operations:
            assert self.end(stage, operation) == Outcome(operation.id)
            assert self.runs(stage, operation.dst, operation.vm)

    def test_a_new_controller_may_order_the_start_again(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        stage.restart()
        self.well(stage, start(VM, host))
        assert self.runs(stage, host)

    def test_stop_removes_the_copy(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        self.well(stage, act(Verb.STOP, VM, host))
        assert self.copy(stage, host) is None
        self.well(stage, act(Verb.STOP, VM, host, epoch=2))

    def test_kill_ends_old_epochs_only(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host, epoch=3)
        self.well(stage, act(Verb.KILL, VM, host, epoch=2))
        assert self.runs(stage, host)
        self.well(stage, act(Verb.KILL, VM, host, epoch=3))
        assert self.copy(stage, host) is None
        self.well(stage, act(Verb.KILL, VM, host, epoch=4))

    def test_kill_removes_leftovers_of_a_crash(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        stage.crash(host)
        self.silent(stage, host)
        stage.boot(host)
        self.back(stage, host)
        self.well(stage, act(Verb.KILL, VM, host))
        assert self.copy(stage, host) is None

    def test_a_leftover_does_not_hinder_a_new_start(self, stage: Stage) -> None:
        host = stage.hosts[0]
        self.started(stage, host)
        stage.crash(host)
        self.silent(stage, host)
        stage.boot(host)
        self.back(stage, host)
        self.started(stage, host, epoch=2)


class MovingContract(Acting):
    """LIVE and COLD: where the guest is at the end, and that it is known."""

    def test_live(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        move = act(Verb.LIVE, VM, a, b)
        self.well(stage, move)
        assert self.copy(stage, a) is None
        assert self.copy(stage, b) == Copy(VM, 1, CopyState.RUNNING, move.id)
        self.well(stage, act(Verb.LIVE, VM, b, a))
        assert self.runs(stage, a)
        assert self.copy(stage, b) is None

    def test_live_keeps_the_guest_through_a_later_crash_of_the_source(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        self.well(stage, act(Verb.LIVE, VM, a, b))
        stage.crash(a)
        self.silent(stage, a)
        assert self.runs(stage, b)
        before = stage.port.view(b).incarnation
        stage.renew_daemon(b)
        self.silent(stage, b)
        self.back(stage, b)
        stage.wait_until(lambda: self.runs(stage, b))
        assert stage.port.view(b).incarnation == before

    def test_live_of_what_does_not_run_fails(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        outcome = self.do(stage, act(Verb.LIVE, VM, a, b))
        assert outcome.error
        assert not outcome.unknown
        assert self.copy(stage, b) is None

    def test_live_to_a_dead_host_leaves_the_guest(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        stage.crash(b)
        self.silent(stage, b)
        outcome = self.do(stage, act(Verb.LIVE, VM, a, b))
        assert outcome.error
        stage.wait_until(lambda: self.runs(stage, a), within=10)

    def test_both_ends_of_a_move_are_seen(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        stage.slow(VM, a)
        move = act(Verb.LIVE, VM, a, b)
        stage.port.order(move, None)
        self.under_way(stage, move)
        self.end(stage, move, within=180)

    def under_way(self, stage: Stage, move: Operation) -> None:
        """Wait until both ends of a move are seen, each with the move's id."""
        out = Copy(move.vm, move.epoch, CopyState.OUTGOING, move.id)
        come = Copy(move.vm, move.epoch, CopyState.INCOMING, move.id)
        stage.wait_until(
            lambda: (
                self.copy(stage, move.src, move.vm) == out
                and self.copy(stage, move.dst, move.vm) == come
            ),
            within=20,
        )

    def test_a_cancelled_move_leaves_the_guest(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        stage.slow(VM, a)
        move = act(Verb.LIVE, VM, a, b)
        stage.port.order(move, None)
        self.under_way(stage, move)
        stage.port.cancel(move.id)
        stage.port.cancel("nothing")
        outcome = self.end(stage, move, within=30)
        assert outcome.error
        assert not outcome.unknown
        assert self.runs(stage, a)
        assert self.copy(stage, b) is None

    def test_a_new_controller_adopts_a_move(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        stage.slow(VM, a)
        move = act(Verb.LIVE, VM, a, b)
        stage.port.order(move, None)
        self.under_way(stage, move)
        stage.restart()
        self.under_way(stage, move)
        self.well(stage, move)
        assert self.runs(stage, b)
        assert self.copy(stage, a) is None

    def test_a_new_controller_learns_of_a_finished_move(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        move = act(Verb.LIVE, VM, a, b)
        self.well(stage, move)
        stage.restart()
        self.well(stage, move)
        assert self.runs(stage, b)

    def test_cold(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        move = act(Verb.COLD, VM, a, b, epoch=2)
        self.well(stage, move)
        assert self.copy(stage, a) is None
        assert self.copy(stage, b) == Copy(VM, 2, CopyState.RUNNING, move.id)
        stage.restart()
        self.well(stage, move)


class SilenceContract(Acting):
    """What cannot be seen is unknown, and never success or failure."""

    def test_a_start_on_a_silent_host_is_unknown(self, stage: Stage) -> None:
        # A controller before this one may have begun it: only the host could tell.
        host = stage.hosts[0]
        stage.crash(host)
        self.silent(stage, host)
        outcome = self.do(stage, start(VM, host))
        assert outcome.error
        assert outcome.unknown

    def test_an_operation_cut_off_by_a_hang_is_unknown(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        self.started(stage, a)
        stage.slow(VM, a)
        move = act(Verb.LIVE, VM, a, b)
        stage.port.order(move, None)
        stage.wait_until(
            lambda: (copy := self.copy(stage, a)) is not None and copy.state is CopyState.OUTGOING
        )
        stage.hang(a)
        stage.hang(b)
        outcome = self.end(stage, move)
        assert outcome.unknown
        stage.thaw(a)
        stage.thaw(b)
        self.back(stage, a)
        self.back(stage, b)
        stage.wait_until(lambda: self.runs(stage, a) != self.runs(stage, b), within=120)

    def test_a_hung_host_does_not_slow_the_caller(self, stage: Stage) -> None:
        a, b = stage.hosts[:2]
        stage.hang(a)
        before = stage.now()
        for n in range(50):
            stage.port.order(start(f"east-pool-{n}", a), stage.definition(f"east-pool-{n}"))
            stage.port.view(a)
        assert stage.now() - before < 2
        self.started(stage, b)
        for n in range(50):
            assert self.end(stage, start(f"east-pool-{n}", a), within=120).error
        stage.thaw(a)
        self.back(stage, a)


@pytest.mark.usefixtures("stage")
class HypervisorContract(WatchingContract, StartingContract, MovingContract, SilenceContract):
    """The whole contract."""

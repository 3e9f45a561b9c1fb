"""What every implementation of ``frota.ports.fence.Fence`` must do.

Subclass ``FenceContract`` (the group has fence devices) and ``LeaseContract`` (hosts end
their own VMs when they lose their lease) and give a ``world`` fixture. A test that a
world cannot stage must not be left out silently: make the world able to stage it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from frota.ports.fence import Fence, FenceState

HOST = "a"
OTHER = "b"


class FenceWorld(Protocol):
    """Two hosts, ``a`` and ``b``, each with a VM that runs, and ways to hurt them.

    ``within`` of ``wait_until`` is in seconds of the world's own clock, real or virtual.
    """

    @property
    def fence(self) -> Fence:
        """The port under test."""
        ...

    def incarnation(self, host: str) -> str:
        """The present incarnation of the host, as the controller would pass it on."""
        ...

    def runs_vms(self, host: str) -> bool:
        """The truth: whether any VM of this host runs at this moment."""
        ...

    def power_off(self, host: str) -> None:
        """The host loses its power; its fence device (if any) still answers."""
        ...

    def hang(self, host: str) -> None:
        """The host's management hangs (SIGSTOP); its VMs, lease and device go on."""
        ...

    def cut(self, host: str) -> None:
        """The host loses every network, storage too; its VMs run on. Its fence device
        cannot be reached either."""
        ...

    def break_devices(self, host: str) -> None:
        """The fence devices of the host fail from now on."""
        ...

    def mend_devices(self, host: str) -> None:
        """The fence devices of the host work again."""
        ...

    def revive(self, host: str) -> None:
        """The host is well again, with a new incarnation and a VM that runs."""
        ...

    def wait_until(self, condition: Callable[[], bool], within: float) -> None:
        """Let time pass until the condition holds; fail the test when it does not."""
        ...

    def settle(self, seconds: float) -> None:
        """Let this much time pass."""
        ...


class _Asking:
    """What both contracts share: asking, and never seeing a proof that is not true."""

    def state(self, world: FenceWorld, host: str = HOST, incarnation: str = "") -> FenceState:
        """The verdict's state; a proof for the present life of a host whose VMs run is a
        failure wherever it is seen."""
        present = world.incarnation(host)
        asked = incarnation or present
        verdict = world.fence.verdict(host, asked)
        if verdict.state is FenceState.PROVED:
            assert verdict.method, "a proof names its method"
            if asked == present:
                assert not world.runs_vms(host), "proof while VMs run"
        if verdict.state is FenceState.FAILED:
            assert verdict.message, "a failure says what went wrong"
        return verdict.state

    def wait_for(
        self, world: FenceWorld, state: FenceState, within: float, incarnation: str = ""
    ) -> None:
        """Wait until the verdict of the first host is in this state."""
        world.wait_until(lambda: self.state(world, HOST, incarnation) is state, within)


class FenceContract(_Asking):
    """A group whose hosts have fence devices."""

    PROOF = 60.0  # seconds within which a device that works must have proved its host dead
    LONG = 60.0  # seconds after which nothing more is to be expected

    @pytest.fixture
    def world(self) -> FenceWorld:
        raise NotImplementedError

    def test_nothing_asked_is_idle(self, world: FenceWorld) -> None:
        assert self.state(world, HOST) is FenceState.IDLE
        assert world.fence.verdict("nobody", "x").state is FenceState.IDLE
        world.fence.forget("nobody")

    def test_an_unknown_host_fails_with_a_message(self, world: FenceWorld) -> None:
        world.fence.probe("nobody", "x")
        world.fence.kill("nobody", "x")
        world.wait_until(
            lambda: world.fence.verdict("nobody", "x").state is FenceState.FAILED, self.PROOF
        )
        assert world.fence.verdict("nobody", "x").message

    def test_a_probe_harms_nobody(self, world: FenceWorld) -> None:
        world.fence.probe(HOST, world.incarnation(HOST))
        world.settle(self.LONG)
        assert world.runs_vms(HOST)
        assert self.state(world) is not FenceState.PROVED

    def test_a_probe_proves_a_host_without_power(self, world: FenceWorld) -> None:
        world.power_off(HOST)
        world.fence.probe(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, self.PROOF)

    def test_a_kill_ends_a_hung_host(self, world: FenceWorld) -> None:
        world.hang(HOST)
        assert world.runs_vms(HOST)
        world.fence.kill(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        assert not world.runs_vms(HOST)

    def test_a_kill_leaves_other_hosts_alone(self, world: FenceWorld) -> None:
        world.fence.kill(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        assert world.runs_vms(OTHER)
        assert self.state(world, OTHER) is FenceState.IDLE

    def test_asking_again_changes_nothing(self, world: FenceWorld) -> None:
        incarnation = world.incarnation(HOST)
        for _ in range(3):
            world.fence.probe(HOST, incarnation)
            world.fence.kill(HOST, incarnation)
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        before = world.fence.verdict(HOST, incarnation)
        world.fence.probe(HOST, incarnation)
        world.fence.kill(HOST, incarnation)
        world.settle(self.LONG)
        assert world.fence.verdict(HOST, incarnation) == before

    def test_a_kill_after_a_probe_still_kills(self, world: FenceWorld) -> None:
        world.fence.probe(HOST, world.incarnation(HOST))
        world.fence.kill(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        assert not world.runs_vms(HOST)

    def test_a_kill_fails_and_may_be_asked_anew(self, world: FenceWorld) -> None:
        incarnation = world.incarnation(HOST)
        world.break_devices(HOST)
        world.fence.kill(HOST, incarnation)
        self.wait_for(world, FenceState.FAILED, self.PROOF)
        assert world.runs_vms(HOST)
        world.mend_devices(HOST)
        world.fence.kill(HOST, incarnation)
        self.wait_for(world, FenceState.PROVED, self.PROOF)

    def test_a_proof_holds_for_its_incarnation_only(self, world: FenceWorld) -> None:
        before = world.incarnation(HOST)
        world.fence.kill(HOST, before)
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        world.revive(HOST)
        world.settle(5)
        assert world.incarnation(HOST) != before
        assert self.state(world, HOST, before) is FenceState.PROVED
        assert self.state(world) is FenceState.IDLE

    def test_forget_drops_the_verdict(self, world: FenceWorld) -> None:
        incarnation = world.incarnation(HOST)
        world.fence.kill(HOST, incarnation)
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        world.fence.forget(HOST)
        assert world.fence.verdict(HOST, incarnation).state is FenceState.IDLE

    def test_a_change_wakes(self, world: FenceWorld) -> None:
        woken: list[FenceState] = []
        incarnation = world.incarnation(HOST)
        world.fence.on_change(lambda: woken.append(world.fence.verdict(HOST, incarnation).state))
        world.fence.kill(HOST, incarnation)
        world.wait_until(lambda: FenceState.PROVED in woken, self.PROOF)


class LeaseContract(_Asking):
    """A group without fence devices whose hosts hold leases (20 s, margin 5 s)."""

    PROOF = 40.0  # the lease, the margin, and time to look
    LONG = 40.0

    @pytest.fixture
    def world(self) -> FenceWorld:
        raise NotImplementedError

    def test_a_probe_harms_nobody(self, world: FenceWorld) -> None:
        world.fence.probe(HOST, world.incarnation(HOST))
        world.settle(self.LONG)
        assert world.runs_vms(HOST)
        assert self.state(world) is not FenceState.PROVED

    def test_a_lease_that_ran_out_proves(self, world: FenceWorld) -> None:
        world.power_off(HOST)
        world.fence.probe(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, self.PROOF)

    def test_a_host_with_its_lease_ends_itself_when_asked(self, world: FenceWorld) -> None:
        world.hang(HOST)
        world.fence.kill(HOST, world.incarnation(HOST))
        self.wait_for(world, FenceState.PROVED, 15.0)  # sooner than its lease could run out
        assert not world.runs_vms(HOST)
        assert world.runs_vms(OTHER)

    def test_a_host_cut_off_ends_itself(self, world: FenceWorld) -> None:
        world.cut(HOST)
        world.settle(10)
        world.fence.kill(HOST, world.incarnation(HOST))
        assert self.state(world) is FenceState.WORKING
        world.settle(5)
        assert self.state(world) is FenceState.WORKING, "the lease still runs: not failed"
        self.wait_for(world, FenceState.PROVED, self.PROOF)

    def test_without_a_request_a_lost_lease_still_ends_the_vms(self, world: FenceWorld) -> None:
        world.cut(HOST)
        world.wait_until(lambda: not world.runs_vms(HOST), 25.0)
        assert world.runs_vms(OTHER)

    def test_a_proof_holds_for_its_incarnation_only(self, world: FenceWorld) -> None:
        before = world.incarnation(HOST)
        world.fence.kill(HOST, before)
        self.wait_for(world, FenceState.PROVED, self.PROOF)
        world.fence.forget(HOST)
        world.revive(HOST)
        world.settle(10)
        assert world.incarnation(HOST) != before
        assert world.runs_vms(HOST), "a host that was let back in keeps its new VMs"
        assert self.state(world) is FenceState.IDLE

"""Starts and stops through the whole driver, on a fake daemon: what needs no real host."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import libvirt
import pytest

from frota.drivers.libvirt.document import parse
from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.hypervisor import LibvirtHypervisor
from frota.model.definition import Definition
from frota.model.host import Size
from frota.model.sight import CopyState, Outcome
from frota.model.vm import Operation, Verb
from frota.ports.hypervisor import HostAddress
from tests.libvirt.daemon import WAIT_S, FakeDaemon, FakeDomain, ManualClock
from tests.libvirt.test_pci import device

GPU = "GA100 [A100 PCIe 40GB]"


class Group:
    """One host, watched."""

    def __init__(self) -> None:
        self.daemon = FakeDaemon()
        self.port = LibvirtHypervisor(
            ManualClock(), beat=0.05, stop_grace=0.0, connect=self.daemon.connect
        )
        self._news = threading.Condition()
        self.port.on_change(self._changed)

    def attach(self) -> Group:
        self.port.attach(HostAddress("a", "fake"))
        self._wait_beating()
        return self

    def _wait_beating(self) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.port.view("a").beating, WAIT_S)

    def _changed(self) -> None:
        with self._news:
            self._news.notify_all()

    def do(self, verb: Verb, vm: str, gpus: int = 0, epoch: int = 1) -> Outcome:
        name = f"{verb}-{vm}-{epoch}"
        size = Size(64, 1, "A100" if gpus else "", gpus)
        definition = Definition(vm, size, "east", "pool/gpu", accelerator="qemu")
        src, dst = ("", "a") if verb is Verb.START else ("a", "")
        self.port.order(Operation(name, verb, vm, src, dst, epoch), definition)
        with self._news:
            assert self._news.wait_for(lambda: bool(self.port.outcomes()), WAIT_S)
        [outcome] = self.port.outcomes()
        self.port.settle(name)
        return outcome

    def passed(self, vm: str) -> list[str | None]:
        """The PCI buses of the devices the VM has."""
        [domain] = [item for item in self.daemon.domains if item.name == vm]
        found = parse(domain.xml).findall("devices/hostdev/source/address")
        return [item.get("bus") for item in found]


@pytest.fixture
def group() -> Iterator[Group]:
    group = Group()
    yield group
    group.port.close()


def test_gpus_are_taken_one_by_one_and_given_back(group: Group) -> None:
    group.daemon.devices = [device(bus, GPU) for bus in (0x81, 0x82, 0x83)]
    theirs = (
        "<domain><devices><hostdev type='pci'><source><address bus='0x81'/></source>"
        "</hostdev></devices></domain>"
    )
    group.daemon.domains = [FakeDomain("theirs", None, xml=theirs)]
    capacity = group.attach().port.view("a").capacity
    assert capacity is not None
    assert capacity.gpus == (("A100", 3),)
    assert not group.do(Verb.START, "v1", 1).error
    assert not group.do(Verb.START, "v2", 1).error
    assert (group.passed("v1"), group.passed("v2")) == (["0x82"], ["0x83"])
    refused = group.do(Verb.START, "v3", 1)
    assert refused.error == "host a has not 1 free GPU(s) of model A100 for v3"
    assert not group.do(Verb.STOP, "v1").error
    assert not group.do(Verb.START, "v3", 1, epoch=2).error
    assert group.passed("v3") == ["0x82"]


def test_a_start_that_fails_leaves_nothing(group: Group) -> None:
    group.attach()
    group.daemon.broken_qemu = 'qemu said: Failed to get "write" lock'
    outcome = group.do(Verb.START, "v1")
    assert "open already" in outcome.error
    assert not group.daemon.domains
    assert "v1" not in group.port.view("a").copies


@pytest.mark.parametrize(("found", "ends"), [(1, True), (2, True), (3, False)])
def test_a_leftover_is_cleared_unless_it_is_newer(group: Group, found: int, ends: bool) -> None:
    mark = Mark("v1", "east", "pool/gpu", found, "old", "a", "t")
    group.daemon.domains = [FakeDomain("v1", mark, libvirt.VIR_DOMAIN_SHUTOFF, host=group.daemon)]
    group.attach()
    outcome = group.do(Verb.START, "v1", epoch=2)
    assert (outcome.error == "") is ends
    assert [domain.mark.epoch for domain in group.daemon.domains if domain.mark] == [max(2, found)]
    state = group.port.view("a").copies["v1"].state
    assert state is (CopyState.RUNNING if ends else CopyState.STOPPED)


def test_orders_for_hosts_that_are_not_there(group: Group) -> None:
    group.port.order(Operation("x", Verb.COLD, "v1", src="a", dst="nowhere"), None)
    assert group.port.outcomes() == [Outcome("x", "no host named 'a' is attached")]
    group.attach()
    group.port.order(Operation("y", Verb.COLD, "v1", src="a", dst="nowhere"), None)
    assert Outcome("y", "no host named 'nowhere' is attached") in group.port.outcomes()


def test_what_is_closed_takes_nothing(group: Group) -> None:
    group.attach()
    group.port.close()
    group.port.close()
    group.port.attach(HostAddress("b", "fake"))
    group.port.order(Operation("x", Verb.KILL, "v1", src="a"), None)
    assert not group.port.outcomes()
    assert not group.port.view("a").beating
    assert not group.port.view("b").beating

"""The application on simulated hosts: it works, stops, goes on, and sees what others write.

These run in real time, some hundred times as fast; each waits for a condition with a
deadline.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from frota.app.application import Application, Teller
from frota.app.leased import LeasedFence, LeasedHypervisor
from frota.app.outfit import MissingDriver
from frota.app.twin import WorldAlarm
from frota.model.host import HostState, Intent
from frota.model.vm import Operation, Verb, VmState
from frota.ports.store import StoreFull, Write
from frota.resources.documents import load
from frota.store.guard import Guarded
from frota.store.sqlite import SqliteStore
from frota.twin import Site, TwinClock, TwinFence, TwinHypervisor, World
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "three-hosts.yaml"
GROUP = "plant-east"
DEADLINE_S = 60.0


@contextmanager
def running(path: Path, speed: float = 100.0) -> Iterator[Application]:
    """An application at work in a thread."""
    said: list[str] = []
    app = Application(path, "test", said.append, speed=speed)
    with app:
        thread = threading.Thread(target=app.run)
        thread.start()
        try:
            yield app
        finally:
            app.stop()
            thread.join(DEADLINE_S)
    assert [line for line in said if not line.startswith("the wall clock is ")] == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the example in it, applied by another process."""
    path = tmp_path / "frota.db"
    store = SqliteStore(path)
    loaded = load([("x", EXAMPLE.read_text(encoding="utf-8"))])
    store.commit([Write(r.kind, r.name, r.document, 0) for r in loaded.resources])
    store.close()
    return path


def vms_running(app: Application) -> int:
    return sum(e.value.state is VmState.RUNNING for e in app.store.list("VirtualMachine"))


def epochs(app: Application) -> set[int]:
    return {entry.value.epoch for entry in app.store.list("VirtualMachine")}


def test_clusters_without_hosts_are_nobodys(path: Path) -> None:
    """A fleet beside a host group: its clusters are left alone, the VMs run."""
    folder = EXAMPLE.parent / "active-passive"
    files = [(file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir()]
    store = SqliteStore(path)
    store.commit([Write(r.kind, r.name, r.document, 0) for r in load(files).resources])
    store.close()
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        assert {entry.name for entry in app.store.list("AvailabilitySet")} == {
            f"{GROUP}/east-{role}" for role in ("control-plane", "web", "models")
        }


def host_state(app: Application, name: str) -> HostState | None:
    entry = app.store.get("Host", f"{GROUP}/{name}")
    return entry.value.state if entry is not None else None


def test_it_places_vms_and_lets_go_at_the_end(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        lease = app.store.get("Lease", GROUP)
        assert lease is not None
        assert lease.value.holder
    store = SqliteStore(path)
    lease = store.get("Lease", GROUP)
    store.close()
    assert lease is not None
    assert lease.value.holder == ""


def test_after_a_restart_the_vms_run_on(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
    with running(path) as app:
        began = app.clock.now()
        until(lambda: app.clock.now() > began + 120.0)
        assert vms_running(app) == 9
        assert epochs(app) == {1}
        assert {host_state(app, name) for name in "abc"} == {HostState.UP}


def test_time_never_goes_back_over_a_restart(path: Path) -> None:
    with running(path, speed=1000.0) as app:
        until(lambda: vms_running(app) == 9)
        last = max(line.at for line in app.store.journal(last=1000))
    with running(path, speed=1.0) as app:
        assert app.clock.now() >= last


def test_what_another_process_writes_is_seen(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        other = SqliteStore(path)
        entry = other.get("Host", f"{GROUP}/b")
        assert entry is not None
        drained = replace(entry.value, intent=Intent.DRAINED)
        other.commit([Write("Host", entry.name, drained, None)])
        other.close()
        until(lambda: host_state(app, "b") is HostState.MAINTENANCE)
        assert vms_running(app) == 9
        assert epochs(app) == {1}


def test_a_host_that_dies_is_failed_over(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        site = app.site(GROUP)
        assert site is not None
        site.crash("b")
        until(lambda: host_state(app, "b") is HostState.DOWN and vms_running(app) == 9)
        assert epochs(app) == {1, 2}


def test_a_host_that_is_added_later_joins(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        entry = app.store.get("HostGroup", GROUP)
        assert entry is not None
        spec = entry.value["spec"]
        more = {**spec["hosts"][0], "name": "d"}
        document = {**entry.value, "spec": {**spec, "hosts": [*spec["hosts"], more]}}
        app.store.commit([Write("HostGroup", GROUP, document, entry.revision)])
        until(lambda: host_state(app, "d") is HostState.UP)


def test_a_deleted_group_is_let_go(path: Path) -> None:
    with running(path) as app:
        until(lambda: vms_running(app) == 9)
        app.store.commit([Write("HostGroup", GROUP, None, None)])
        until(
            lambda: (lease := app.store.get("Lease", GROUP)) is not None and not lease.value.holder
        )


def test_a_second_process_is_refused(path: Path) -> None:
    with running(path), pytest.raises(Guarded, match="another Frota works on this store"):
        Application(path, "second", lambda _: None).__enter__()


def test_a_missing_driver_is_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = EXAMPLE.with_name("libvirt.yaml").read_text(encoding="utf-8")
    loaded = load([("x", real)])
    store = SqliteStore(path)
    store.commit([Write(r.kind, r.name, r.document, None) for r in loaded.resources])
    store.close()
    for name in [name for name in sys.modules if name.startswith("frota.drivers.libvirt")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libvirt", None)
    app = Application(path, "test", lambda _: None)
    with app, pytest.raises(MissingDriver, match=r"pip install 'frota\[libvirt\]'"):
        app.run()


def test_an_empty_store_waits_for_a_declaration(tmp_path: Path) -> None:
    with running(tmp_path / "new" / "frota.db") as app:
        loaded = load([("x", EXAMPLE.read_text(encoding="utf-8"))])
        app.store.commit([Write(r.kind, r.name, r.document, 0) for r in loaded.resources])
        until(lambda: vms_running(app) == 9)


def test_without_the_lease_no_order_goes_out() -> None:
    world = World(1)
    site = Site(world)
    hypervisor, fence = TwinHypervisor(site, TwinClock(world)), TwinFence(site)
    order = Operation("op", Verb.START, "vm", dst="a", epoch=1)
    for held in (False, True):
        leased = LeasedHypervisor(hypervisor, lambda: held)  # noqa: B023 - used at once
        leased.order(order, None)
        leased.cancel("op")
        LeasedFence(fence, lambda: held).kill("a", "a#1")  # noqa: B023 - used at once
        world.run_until(world.now + 1.0)
        assert bool(leased.outcomes()) is held
        assert (fence.verdict("a", "a#1").state.value != "idle") is held


def test_the_same_trouble_is_told_once() -> None:
    world = World(1)
    said: list[str] = []
    teller = Teller(said.append, TwinClock(world))
    for _ in range(3):
        teller.failed("g", StoreFull("the disk is full"), 1.0)
    teller.failed("g", KeyError("x"), 1.0)
    world.run_until(100.0)
    teller.failed("g", KeyError("x"), 1.0)
    teller.stalled(3.0)
    assert said == [
        "g: the disk is full; it will be tried again",
        "g: KeyError: 'x'; it will be tried again",
        "g: KeyError: 'x'; it will be tried again",
        "Frota itself stood still for 3.0 s; what it saw before is old",
    ]


class Stopwatch:
    """A clock that moves on by itself, as a real one does."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        self.time += 0.001
        return self.time


def test_the_world_goes_on_while_the_alarm_waits() -> None:
    world = World(1)
    alarm = WorldAlarm(world, Stopwatch(), speed=1000.0)
    seen: list[float] = []
    world.at(2.0, lambda: seen.append(world.now))
    world.at(3.0, alarm.ring)
    alarm.wait(10.0)
    assert seen == [2.0]
    assert world.now == 3.0  # it rang
    alarm.wait(1.0)
    assert world.now == 4.0
    alarm.close()

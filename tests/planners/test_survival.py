"""N-1: what would find no room if a host or rack died."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from frota.model.host import Capacity, HostState, Size
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, Vm
from frota.planners.placement.survival import failing_hosts, losses
from tests.planners.builders import GIB, group, host, pool, vm


def sized(name: str, on: str, memory_gib: int, *, gpu_model: str = "", gpus: int = 0) -> Vm:
    return vm(name, "w", on, size=Size(memory_gib * GIB, 1, gpu_model, gpus))


def test_crumbs_of_free_memory_hold_no_large_vm() -> None:
    hosts = [host(f"h{n:02}", memory_gib=32) for n in range(17)]
    vms = [sized("big", "h00", 32), *(sized(f"v{n}", f"h{n:02}", 30) for n in range(1, 17))]
    found = losses(group(hosts, [pool("w")], vms))
    assert found["h00"] == (Size(32 * GIB, 1),)  # though 32 GiB are free in all


def test_every_dimension_counts() -> None:
    plenty, gpu = Capacity(64 * GIB, 64, 100), Capacity(64 * GIB, 64, 100, (("A100", 1),))
    few_cpus, few_slots = Capacity(64 * GIB, 0, 100), Capacity(64 * GIB, 64, 0)
    for other in (few_cpus, few_slots):
        hosts = [host("a", capacity=plenty), host("b", capacity=other)]
        assert failing_hosts(group(hosts, [pool("w")], [sized("v", "a", 1)])) == ("a",)
    trainer = sized("t", "a", 1, gpu_model="A100", gpus=1)
    hosts = [host("a", capacity=gpu), host("b", capacity=plenty)]
    assert failing_hosts(group(hosts, [pool("w")], [trainer])) == ("a",)
    hosts = [host("a", capacity=gpu), host("b", capacity=gpu)]
    assert not failing_hosts(group(hosts, [pool("w")], [trainer]))


def test_only_hosts_that_serve_help_and_both_ends_of_a_move_count() -> None:
    hosts = [host("a"), host("b", state=HostState.DRAINING)]
    assert failing_hosts(group(hosts, [pool("w")], [sized("v", "a", 1)])) == ("a",)
    moving = sized("v", "a", 40)
    arriving = Operation("o", Verb.LIVE, "v", "a", "b")
    other = sized("w", "c", 30)
    hosts = [host("a"), host("b"), host("c")]
    calm = group(hosts, [pool("w")], [moving, other])
    assert not failing_hosts(calm)
    busy = calm.with_vms([vm("v", "w", "a", size=moving.size, operation=arriving)])
    assert set(failing_hosts(busy)) == {"a", "b", "c"}


def test_a_rack_dies_as_one() -> None:
    hosts = [host("a", rack="r1"), host("b", rack="r1"), host("c", rack="r2", memory_gib=6)]
    vms = [sized("v1", "a", 4), sized("v2", "b", 4)]
    snapshot = group(hosts, [pool("w")], vms)
    assert not failing_hosts(snapshot)
    racks = {rack: snapshot.of_rack(rack) for rack in ("r1", "r2")}
    assert {k: len(v) for k, v in losses(snapshot, domains=racks).items()} == {"r1": 1, "r2": 0}


def _possible(snapshot: Snapshot, dead: str) -> bool:
    """Whether some assignment of the dead host's VMs fits, by trying them all."""
    rest = [h for h in snapshot.hosts.values() if h.name != dead]
    guests = [v.size.memory_mib for v in snapshot.vms.values() if v.host == dead]
    free = [
        h.capacity.memory_mib
        - sum(v.size.memory_mib for v in snapshot.vms.values() if v.host == h.name)
        for h in rest
    ]
    for places in product(range(len(rest)), repeat=len(guests)):
        left = list(free)
        for place, size in zip(places, guests, strict=True):
            left[place] -= size
        if min(left, default=0) >= 0:
            return True
    return not guests


@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=9),
)
def test_what_it_promises_is_possible(rooms: list[int], placed: list[tuple[int, int]]) -> None:
    hosts = [host(f"h{n}", memory_gib=room) for n, room in enumerate(rooms)]
    free = list(rooms)
    vms = []
    for number, (at, size) in enumerate(placed):
        index = at % len(hosts)
        if free[index] >= size:
            free[index] -= size
            vms.append(sized(f"v{number}", f"h{index}", size))
    snapshot = group(hosts, [pool("w")], vms)
    before = {name: losses(snapshot)[name] for name in snapshot.hosts}
    for name in snapshot.hosts:
        if not before[name]:
            assert _possible(snapshot, name)
    assert losses(snapshot) == before  # asking changes nothing

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from frota.model.host import Capacity, Size
from frota.planners.placement.exact import assign
from frota.planners.placement.residue import Assignment, Mover, Residue

SMALL, LARGE = Size(2, 1), Size(3, 2)
WORK = 5.0


def residue(movers: list[Mover], room: list[Capacity], racks: str = "") -> Residue:
    sets = max(mover.set for mover in movers) + 1
    return Residue(
        movers=tuple(movers),
        room=tuple(room),
        rack_of=tuple(map(ord, racks)) if racks else tuple(range(len(room))),
        seated=((),) * sets,
        levels=((bool(racks), True),) * sets,
    )


def test_mixed_sizes_swap_into_what_fits() -> None:
    """Two sets, each twice on one host: the large ones only fit where the small ones leave."""
    movers = [
        Mover(0, LARGE, host=0),
        Mover(0, LARGE, host=0),
        Mover(1, SMALL, host=1),
        Mover(1, SMALL, host=1),
    ]
    room = [Capacity(6, 9, 9), Capacity(5, 9, 9)]
    found = assign(residue(movers, room), WORK)
    assert found is not None
    assert found.best
    assert sorted(found.hosts[:2]) == sorted(found.hosts[2:]) == [0, 1]


def test_gpus_are_counted_by_model() -> None:
    gpu = Size(1, 1, "A100", 1)
    room = [Capacity(9, 9, 9, (("A100", 1),)), Capacity(9, 9, 9, (("H100", 4),))]
    assert assign(residue([Mover(0, gpu), Mover(0, gpu)], room), WORK) is None
    assert assign(residue([Mover(0, gpu)], room), WORK) == Assignment((0,), best=True)


def test_no_answer_when_the_work_ends() -> None:
    sizes = [Size(1000 + 37 * k, 1) for k in range(60)]
    room = [Capacity(sum(size.memory_mib for size in sizes) // 12 + 1, 99, 99)] * 12
    assert assign(residue([Mover(0, size) for size in sizes], room), 1e-6) is None


def _vector(item: Residue, index: int, hosts: tuple[int, ...]) -> tuple[int, int]:
    counts = Counter(dict(item.seated[index]))
    counts.update(
        host
        for mover, host in zip(item.movers, hosts, strict=True)
        if mover.set == index and host >= 0
    )
    racks: Counter[int] = Counter()
    for host, count in counts.items():
        racks[item.rack_of[host]] += count
    by_rack, by_host = item.levels[index]
    squares = (sum(count * count for count in table.values()) for table in (racks, counts))
    return next(squares) * by_rack, next(squares) * by_host


def _fits(item: Residue, hosts: tuple[int, ...]) -> bool:
    for place, room in enumerate(item.room):
        here = [m.size for m, host in zip(item.movers, hosts, strict=True) if host == place]
        gpus: Counter[str] = Counter()
        for size in here:
            gpus[size.gpu_model] += size.gpus
        if (
            sum(size.memory_mib for size in here) > room.memory_mib
            or sum(size.vcpus for size in here) > room.vcpus
            or len(here) > room.slots
            or any(count > room.gpus_of(name) for name, count in gpus.items() if count)
        ):
            return False
    return True


def _value(item: Residue, hosts: tuple[int, ...]) -> tuple[int, int, int, int]:
    vectors = [_vector(item, index, hosts) for index in range(len(item.levels))]
    pairs = list(zip(item.movers, hosts, strict=True))
    moves = sum(mover.weight for mover, host in pairs if mover.host not in (-1, host))
    home = sum(mover.home == host for mover, host in pairs)
    return sum(v[0] for v in vectors), sum(v[1] for v in vectors), moves, -home


def _best(item: Residue) -> tuple[int, int, int, int] | None:
    everywhere = frozenset(range(len(item.room)))
    choices = [
        sorted((everywhere if m.allowed is None else m.allowed) | ({m.host} - {-1}))
        for m in item.movers
    ]
    now = tuple(mover.host for mover in item.movers)
    settled = {mover.set for mover in item.movers} - {m.set for m in item.movers if m.host < 0}
    found = [
        _value(item, hosts)
        for hosts in product(*choices)
        if _fits(item, hosts)
        and all(_vector(item, index, hosts) <= _vector(item, index, now) for index in settled)
    ]
    return min(found, default=None)


@st.composite
def residues(draw: st.DrawFn) -> Residue:
    hosts = draw(st.integers(2, 3))
    place = st.integers(0, hosts - 1)
    sizes = st.sampled_from((Size(1, 1), Size(2, 1), Size(3, 2), Size(1, 1, "A100", 1)))
    movers = draw(
        st.lists(
            st.builds(
                Mover,
                set=st.integers(0, 1),
                size=sizes,
                host=st.one_of(place, place, st.just(-1)),
                weight=st.integers(1, 2),
                home=st.one_of(place, st.just(-1)),
                allowed=st.one_of(st.none(), st.frozensets(place, min_size=1)),
            ),
            min_size=1,
            max_size=5,
        )
    )
    room = []
    for host in range(hosts):
        here = [mover.size for mover in movers if mover.host == host]
        spare = draw(st.tuples(*[st.integers(0, 3)] * 4))
        gpus = sum(size.gpus for size in here) + spare[3]
        memory = sum(size.memory_mib for size in here) + spare[0]
        vcpus = sum(size.vcpus for size in here) + spare[1]
        room.append(Capacity(memory, vcpus, len(here) + spare[2], (("A100", gpus),)))
    return Residue(
        movers=tuple(movers),
        room=tuple(room),
        rack_of=tuple(draw(st.lists(st.integers(0, 1), min_size=hosts, max_size=hosts))),
        seated=tuple(
            tuple(draw(st.dictionaries(place, st.integers(1, 2), max_size=1)).items())
            for _ in range(2)
        ),
        levels=tuple((draw(st.booleans()), draw(st.booleans())) for _ in range(2)),
    )


@settings(max_examples=100)
@given(residues())
def test_best_of_all_assignments(item: Residue) -> None:
    best = _best(item)
    found = assign(item, WORK)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert found.best
    assert _fits(item, found.hosts)
    assert _value(item, found.hosts) == best
    assert assign(item, WORK) == found

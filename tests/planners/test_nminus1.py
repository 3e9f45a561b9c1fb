from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.losses import mixed
from frota.model.host import Capacity, Size
from frota.planners.placement.exact import fits_all
from frota.planners.placement.nminus1 import Gap, failing

GIB = 1024
NOTHING = Capacity(0, 0, 0)


def vm(memory_gib: int, vcpus: int = 1) -> Size:
    return Size(memory_gib * GIB, vcpus)


def room(memory_gib: int, vcpus: int = 99, slots: int = 99, **gpus: int) -> Capacity:
    return Capacity(memory_gib * GIB, vcpus, slots, tuple(sorted(gpus.items())))


def test_free_memory_in_crumbs_is_no_room() -> None:
    """Eight hosts with 31 GiB free each: 248 GiB in all, and no place for 32."""
    free = [room(31)] * 8
    guests = [[vm(32)]] * 8
    assert failing(free, guests) == tuple(Gap(host, proved=True) for host in range(8))


def test_every_vm_a_host_of_its_own() -> None:
    assert failing([room(32)] * 4, [[vm(32)] * 3] * 4) == ()
    assert failing([room(32)] * 4, [[vm(32)] * 4] * 4) == tuple(
        Gap(host, proved=True) for host in range(4)
    )


def test_several_on_one_host() -> None:
    assert failing([room(0), room(64)], [[vm(16)] * 4, []]) == ()


@pytest.mark.parametrize(
    "short",
    [room(64, vcpus=3), room(64, slots=3), room(64, vcpus=99, slots=3)],
)
def test_not_only_memory_counts(short: Capacity) -> None:
    assert failing([NOTHING, short], [[vm(16)] * 4, []]) == (Gap(0, proved=True),)


def test_gpus_by_model() -> None:
    gpu = Size(GIB, 1, "A100", 2)
    assert failing([NOTHING, room(9, A100=3, H100=8)], [[gpu], []]) == ()
    assert failing([NOTHING, room(9, A100=3, H100=8)], [[gpu, gpu], []]) == (Gap(0, proved=True),)
    other = Size(GIB, 1, "H100", 4)
    assert failing([NOTHING, room(9, A100=3, H100=8)], [[gpu, other, other], []]) == ()


def test_an_empty_host_and_a_lone_host() -> None:
    assert failing([room(1), NOTHING], [[], []]) == ()
    assert failing([room(99)], [[vm(1)]]) == (Gap(0, proved=True),)
    assert failing([], []) == ()


def test_hosts_that_fail_together() -> None:
    free, guests = [room(16)] * 4, [[vm(16)]] * 4
    assert failing(free, guests, [[0, 1], [2, 3]]) == ()
    assert failing(free, guests, [[0, 1, 2], [3]]) == (Gap(0, proved=True),)


def test_what_best_fit_misses_counts_as_not_proved_until_searched() -> None:
    """8, 7, 6, 5 and 3 go into 10 and 20 as 7 3 and 8 6 5; best fit begins with 8 in 10."""
    free = [NOTHING, room(10), room(20)]
    guests: list[Sequence[Size]] = [[vm(8), vm(7), vm(6), vm(5), vm(3)], [], []]
    assert failing(free, guests) == (Gap(0, proved=False),)
    assert failing(free, guests, search=lambda v, h: fits_all(v, h, 5.0)) == ()
    assert failing(free, guests, search=lambda _v, _h: None) == (Gap(0, proved=False),)


sizes = st.builds(
    Size,
    st.integers(1, 6),
    st.integers(0, 3),
    st.sampled_from(("", "A100")),
    st.just(0),
).map(lambda size: Size(size.memory_mib, size.vcpus, size.gpu_model, int(bool(size.gpu_model))))


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.builds(
                Capacity,
                st.integers(0, 12),
                st.integers(0, 8),
                st.integers(0, 4),
                st.integers(0, 2).map(lambda count: (("A100", count),)),
            ),
            st.lists(sizes, max_size=4),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_sound_both_ways(hosts: list[tuple[Capacity, list[Size]]]) -> None:
    free, guests = [f for f, _ in hosts], [g for _, g in hosts]
    gaps = {gap.loss: gap.proved for gap in failing(free, guests)}
    truth = {}
    for host in range(len(hosts)):
        rest = [capacity for other, capacity in enumerate(free) if other != host]
        truth[host] = fits_all(guests[host], rest, 5.0)
        if host not in gaps:
            assert truth[host] is True
        elif gaps[host]:
            assert truth[host] is False
    searched = failing(free, guests, search=lambda v, h: fits_all(v, h, 5.0))
    assert [gap.loss for gap in searched] == [host for host, fits in truth.items() if not fits]
    assert all(gap.proved for gap in searched)


def test_a_large_group_at_two_levels_of_fill() -> None:
    free, guests = mixed(hosts=200, vms=3_000, fill=0.65)
    assert failing(free, guests) == ()
    racks = [list(range(first, first + 10)) for first in range(0, 200, 10)]
    assert failing(free, guests, racks) == ()
    free, guests = mixed(hosts=200, vms=3_000, fill=0.98)
    assert len(failing(free, guests, racks)) == len(racks)

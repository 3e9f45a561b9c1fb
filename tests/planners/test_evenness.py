from __future__ import annotations

import pytest

from frota.planners.placement.evenness import (
    capped_skew,
    even_counts,
    is_even,
    least_moves,
    skew,
    sum_of_squares,
)


@pytest.mark.parametrize(
    ("counts", "even", "moves"),
    [
        ([7, 0, 0], (3, 2, 2), 4),  # more members than domains
        ([3, 0], (2, 1), 1),  # a control plane of 3 on 2 hosts after a failure
        ([2, 1], (2, 1), 0),
        ([1, 2], (1, 2), 0),  # the larger share stays where it is
        ([2, 0, 0, 0], (1, 1, 0, 0), 1),  # fewer members than domains
        ([0, 0, 0], (0, 0, 0), 0),
        ([5], (5,), 0),
        ([], (), 0),
    ],
)
def test_without_limits(counts: list[int], even: tuple[int, ...], moves: int) -> None:
    assert even_counts(counts) == even
    assert least_moves(counts) == moves
    assert is_even(counts) == (moves == 0)


@pytest.mark.parametrize(
    ("counts", "floors", "caps", "even"),
    [
        ([6, 6, 0], None, [9, 9, 1], (6, 5, 1)),  # a small rack: even on the others
        ([6, 0, 0], None, [6, 0, 6], (3, 0, 3)),  # one takes nothing
        ([6, 0, 0], [5, 0, 0], None, (5, 1, 0)),  # most are pinned
        ([4, 4, 0], [4, 0, 0], [4, 4, 8], (4, 2, 2)),
    ],
)
def test_with_floors_and_caps(
    counts: list[int], floors: list[int] | None, caps: list[int] | None, even: tuple[int, ...]
) -> None:
    assert even_counts(counts, floors, caps) == even
    assert is_even(even, floors, caps)
    assert not is_even(counts, floors, caps)


def test_a_cap_below_its_count_is_refused() -> None:
    with pytest.raises(ValueError, match="domain 1: expected floor <= count <= cap, found 0, 3, 2"):
        even_counts([1, 3], caps=[4, 2])


def test_measures() -> None:
    assert sum_of_squares([3, 2, 2]) == 17
    assert skew([3, 1, 2]) == 2
    assert skew([]) == 0
    assert capped_skew([3, 1, 3], caps=[9, 1, 9]) == 0  # the full domain is left out
    assert capped_skew([4, 1, 3], caps=[9, 1, 9]) == 1
    assert capped_skew([4, 1], caps=[4, 1]) == 0

"""Which life of a host it is, by its guests and its marker."""

from __future__ import annotations

import pytest

from frota.drivers.libvirt.domain import Mark
from frota.drivers.libvirt.incarnation import settle


def marks(*lives: str) -> list[Mark]:
    """Guests, each ``host:token``."""
    split = [life.partition(":") for life in lives]
    return [
        Mark(f"v{n}", "east", "cp", 1, "op", host, token)
        for n, (host, _, token) in enumerate(split)
    ]


@pytest.mark.parametrize(
    ("marker", "running", "stopped", "token"),
    [
        ("", [], [], None),  # first seen, or booted
        ("t1", [], [], "t1"),  # only the daemon was restarted, or the controller
        ("t1", ["a:t1"], [], "t1"),
        ("", ["a:t1"], [], "t1"),  # the pool was removed, the guests were not
        ("t2", ["a:t1"], [], "t1"),  # what runs has lived through
        ("t1", [], ["a:t1"], None),  # daemon and guests died together
        ("", [], ["a:t1"], None),  # booted, with leftovers
        ("t2", [], ["a:t1"], "t2"),  # leftovers of an earlier life
        ("t1", ["a:t1"], ["a:t1"], "t1"),  # one guest ended, one runs
        ("t1", ["b:t9"], [], "t1"),  # came from another host, not marked anew yet
        ("t1", ["b:t9"], ["a:t1"], None),
        ("t1", ["a:"], [], "t1"),
        ("t1", ["a:t1", "a:t1", "a:t2"], [], "t1"),
    ],
)
def test_rule(marker: str, running: list[str], stopped: list[str], token: str | None) -> None:
    assert settle("a", marker, marks(*running), marks(*stopped)) == token

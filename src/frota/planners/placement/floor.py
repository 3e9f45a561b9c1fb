"""What the hosts of a group say by themselves, whatever VMs they hold.

Hosts change far more seldom than VMs, and their records are frozen: while they are the very
same ones, what was worked out of them is used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from frota.model.availability import Level, domain_of
from frota.model.host import Host

_REMEMBERED = 8  # floors; one group has one, and another for each what-if


@dataclass(frozen=True, slots=True)
class Open:
    """The domains of one configuration that serve now, as indices of a floor.

    ``racks`` and ``hosts`` are those open at each level, and the same in order;
    ``in_rack`` are all hosts of each rack that serve, ``inside`` those among ``hosts``.
    """

    racks: frozenset[int]
    hosts: frozenset[int]
    rack_list: Sequence[int]
    host_list: Sequence[int]
    in_rack: Mapping[int, Sequence[int]]
    inside: Mapping[int, frozenset[int]]


class Floor:
    """Hosts by index into ``names`` (sorted), racks by index into ``racks``; never changed.

    ``serving`` are the hosts that take new work, ``domains`` the domains of all levels that
    these are.
    """

    __slots__ = (
        "_by_config", "capacity", "domains", "hosts", "index", "names", "rack_of", "racks",
        "serving",
    )  # fmt: skip

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = sorted(hosts, key=lambda host: host.name)
        self.names = [host.name for host in self.hosts]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.racks = sorted({host.rack for host in self.hosts})
        rack_index = {rack: i for i, rack in enumerate(self.racks)}
        self.rack_of = [rack_index[host.rack] for host in self.hosts]
        self.capacity = [host.capacity for host in self.hosts]
        serving = [i for i, host in enumerate(self.hosts) if host.schedulable]
        self.serving = frozenset(serving)
        self.domains = frozenset(
            domain_of(self.hosts[i], level) for i in serving for level in Level
        )
        self._by_config: dict[frozenset[str], Open] = {}

    def open_to(self, config: frozenset[str]) -> Open:
        """The domains of a configuration that serve; of an empty one, all that do."""
        found = self._by_config.get(config)
        if found is None:
            found = self._by_config[config] = self._work_out(config)
        return found

    def _work_out(self, config: frozenset[str]) -> Open:
        racks, hosts = set(), set()
        in_rack: dict[int, list[int]] = {}
        for index in sorted(self.serving):
            host, rack = self.hosts[index], self.rack_of[index]
            in_rack.setdefault(rack, []).append(index)
            if not config or domain_of(host, Level.RACK) in config:
                racks.add(rack)
            if not config or domain_of(host, Level.HOST) in config:
                hosts.add(index)
        inside = {rack: frozenset(hosts.intersection(here)) for rack, here in in_rack.items()}
        lists = sorted(racks), sorted(hosts)
        return Open(frozenset(racks), frozenset(hosts), *lists, in_rack, inside)


def floor_of(hosts: Mapping[str, Host]) -> Floor:
    """The floor of some hosts, by name."""
    return _floor(_Records(hosts))


class _Records:
    """Hosts as a key: equal only to the very same records. It keeps them, so that no other
    can come to have the identity of one."""

    __slots__ = ("_hash", "hosts")

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = tuple(hosts.values())
        self._hash = hash(tuple(map(id, self.hosts)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Records) and list(map(id, self.hosts)) == list(
            map(id, other.hosts)
        )


@lru_cache(maxsize=_REMEMBERED)
def _floor(records: _Records) -> Floor:
    return Floor(records.hosts)

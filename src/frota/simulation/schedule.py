"""Draws one random fault schedule from a seed, in the form of a scenario file."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

HOURS = 24
_DAY_S = HOURS * 3600
_START_S = 300  # the first placement is left in peace
_FAULTS = (10, 13)
_GPU = "A100"

Item = dict[str, Any]


def draw(seed: int) -> Item:
    """The mapping of a scenario: a group of hosts, its sets, and at least ten faults
    within a day."""
    rng = random.Random(seed)  # noqa: S311 - simulation, not secrets
    hosts = _hosts(rng)
    pools = _pools(rng, hosts)
    scenario: Item = {
        "scenario": f"fuzz-{seed}",
        "seed": rng.randrange(1 << 30),
        "group": _group(rng),
        "hosts": hosts,
        "control-plane": _control_plane(rng, hosts),
        "pools": pools,
        "timeline": _Timeline(rng, list(hosts), list(pools), hosts).draw(),
        "end": f"{HOURS}h",
        "converge": True,
    }
    if rng.random() < 0.5:
        scenario["chances"] = {
            "start-fails": f"{rng.choice((0, 2, 10))}%",
            "move-fails": f"{rng.choice((0, 5, 20))}%",
            "move-slow": f"{rng.choice((0, 5, 20))}%",
            "outcome-lost": f"{rng.choice((0, 1, 5))}%",
            "extra-look": f"{rng.choice((0, 10, 50))}%",
        }
    return scenario


def _group(rng: random.Random) -> Item:
    group: Item = {"brake": {"share": "100%", "deleteShare": "100%"}}
    if rng.random() < 0.5:
        group["fencing"] = {"lease": {"path": "/srv/leases"}}
    if rng.random() < 0.5:
        group["witness"] = {"address": "10.0.0.254:53"}
    if rng.random() < 0.25:
        group["rebalance"] = {"mode": "home"}
    if rng.random() < 0.2:
        group.setdefault("rebalance", {})["coldMoves"] = True
    if rng.random() < 0.15:
        group["admission"] = "strict"
    if rng.random() < 0.15:
        group["preempt"] = True
    if rng.random() < 0.1:
        group["timers"] = {"preset": "wsfc"}
    return group


def _hosts(rng: random.Random) -> dict[str, Item]:
    count = rng.choice((1, 2, 3, 3, 3, 4, 4, 5, 6, 8))
    racks = rng.choice((0, 0, 2, 3)) if count > 2 else 0
    equal = rng.random() < 0.6
    gpus = rng.random() < 0.25
    hosts: dict[str, Item] = {}
    for number in range(count):
        memory = 64 if equal else rng.choice((24, 32, 48, 64, 96))
        host: Item = {"memory": f"{memory}Gi", "cpus": 32}
        if racks and rng.random() < 0.9:
            host["rack"] = f"r{rng.randrange(racks) + 1}"
        if gpus and rng.random() < 0.7:
            host["gpus"] = {_GPU: rng.choice((1, 2, 4))}
        if rng.random() < 0.1:
            host["fence"] = rng.choice(("absent", "fails"))
        hosts["abcdefgh"[number]] = host
    return hosts


def _levels(rng: random.Random, hosts: dict[str, Item]) -> list[str]:
    racks = any("rack" in host for host in hosts.values())
    return rng.choice((["host"], ["rack", "host"], ["rack"])) if racks else ["host"]


def _control_plane(rng: random.Random, hosts: dict[str, Item]) -> Item:
    count = rng.choice((1, 3, 3, 3, 5))
    return {"count": count, "memory": "4Gi", "cpus": 2, "levels": _levels(rng, hosts)}


def _pool(rng: random.Random, hosts: dict[str, Item], total: int) -> Item:
    memory = rng.choice((2, 4, 8, 8, 16))
    most = max(1, min(12, total // memory // 3))
    pool: Item = {
        "count": rng.randint(1, most),
        "memory": f"{memory}Gi",
        "cpus": rng.choice((1, 2)),
        "priority": rng.choice((0, 0, 10, 100)),
        "levels": _levels(rng, hosts),
    }
    if any("gpus" in host for host in hosts.values()) and rng.random() < 0.4:
        pool["gpus"] = {_GPU: 1}
        pool["count"] = min(pool["count"], 3)
    elif rng.random() < 0.15:
        pool["mobility"] = rng.choice(("cold", "pinned"))
    if rng.random() < 0.1:
        pool["adopt"] = True
    return pool


def _pools(rng: random.Random, hosts: dict[str, Item]) -> dict[str, Item]:
    total = sum(int(host["memory"].removesuffix("Gi")) for host in hosts.values())
    names = ("web", "db", "gpu")[: rng.choice((0, 1, 1, 2, 2, 3))]
    return {name: _pool(rng, hosts, total) for name in names}


class _Timeline:
    """Draws what happens. Faults come in bursts: some close together, some hours apart."""

    def __init__(
        self, rng: random.Random, hosts: list[str], pools: list[str], declared: dict[str, Item]
    ) -> None:
        self.rng = rng
        self.added = dict.fromkeys(hosts, 0.0)  # when each host is there for the first time
        self.pools = pools
        self.declared = declared
        self.items: list[tuple[float, Item]] = []
        self.removed: set[str] = set()
        self.now = 0.0

    def draw(self) -> list[Item]:
        """At least ten faults, in order of time."""
        rng = self.rng
        wanted = rng.randint(*_FAULTS)
        faults = 0
        self.now = _START_S + rng.random() * 3600
        gap = (_DAY_S - 2 * 3600) / wanted
        while faults < wanted:
            before = len(self.items)
            rng.choices(_KINDS, _WEIGHTS)[0](self)
            faults += len(self.items) > before  # some find nothing to befall
            burst = rng.random() < 0.4
            self.now += rng.expovariate(1 / 20.0) if burst else rng.random() * 2 * gap
            if self.now > _DAY_S - 600:
                self.now = _START_S + rng.random() * (_DAY_S / 2)
        self.items.sort(key=lambda item: item[0])
        return [{"at": _duration(at), **item} for at, item in self.items]

    def put(self, item: Item, delay: float = 0.0) -> None:
        """Let something happen now, or a while later."""
        self.items.append((self.now + delay, item))

    @property
    def hosts(self) -> list[str]:
        """The hosts that are declared by now: time goes back when a day is full."""
        return [name for name, at in self.added.items() if at <= self.now]

    def host(self) -> str:
        """One of the hosts."""
        return self.rng.choice(self.hosts)

    def some(self) -> list[str]:
        """One host mostly, at times a few."""
        rng = self.rng
        count = rng.choice((1, 1, 1, 1, 2, 3))
        return sorted(rng.sample(self.hosts, min(count, len(self.hosts))))

    def a_while(self) -> float:
        """A time in seconds: a blip, minutes or hours."""
        rng = self.rng
        return rng.choice((rng.uniform(1, 12), rng.uniform(12, 90), rng.uniform(90, 3600),
                           rng.uniform(3600, 4 * 3600)))  # fmt: skip


def _crash(line: _Timeline) -> None:
    rng = line.rng
    how = rng.choice(("kernel", "kernel", "power-off", "power-loss"))
    hosts = line.some()
    line.put({"crash": {"hosts": hosts, "how": how}})
    if how == "power-loss" and rng.random() < 0.3:
        line.put({"declare-dead": hosts[0]}, rng.uniform(30, 600))
    for host in hosts:
        if rng.random() < 0.9:
            _boot(line, host, rng.uniform(30, 60) if rng.random() < 0.5 else line.a_while())


def _boot(line: _Timeline, host: str, delay: float) -> None:
    rng = line.rng
    boot: Item = {"hosts": [host], "leftovers": rng.choice(("defined", "defined", "none"))}
    if rng.random() < 0.05:
        boot["leftovers"] = "running"
    if rng.random() < 0.1:
        boot["capacity"] = {"memory": f"{rng.choice((8, 24, 64, 128))}Gi"}
    line.put({"boot": boot}, delay)


def _flap(line: _Timeline) -> None:
    host, at = line.host(), 0.0
    for _ in range(line.rng.randint(2, 5)):
        line.items.append((line.now + at, {"crash": {"hosts": [host]}}))
        at += line.rng.uniform(45, 200)
        _boot(line, host, at)
        at += line.rng.uniform(30, 600)


def _hang(line: _Timeline) -> None:
    agent = line.rng.random() < 0.3
    line.put({"hang": {"hosts": line.some(), "agent": agent, "for": _duration(line.a_while())}})


def _partition(line: _Timeline) -> None:
    rng = line.rng
    network = rng.random() < 0.85
    storage = not network or rng.random() < 0.4
    cut: Item = {"hosts": line.some(), "storage": storage, "network": network}
    line.put({"partition": {**cut, "for": _duration(line.a_while())}})


def _cut_controller(line: _Timeline) -> None:
    storage = line.rng.random() < 0.3
    line.put({"cut-controller": {"storage": storage, "for": _duration(line.a_while())}})


def _kill_controller(line: _Timeline) -> None:
    rng = line.rng
    if rng.random() < 0.7:
        line.put({"kill-controller": {"calls": rng.randint(1, 30)}})
    else:
        line.put({"kill-controller": {"for": _duration(rng.choice((1, 5, 60, 1800)))}})


def _clock(line: _Timeline) -> None:
    jump = line.rng.choice(("-1h", "1h", "-5m", "24h"))
    line.put({"clock-jump": {"by": jump, "restart": line.rng.random() < 0.7}})


def _fence(line: _Timeline) -> None:
    host = line.host()
    if line.declared.get(host, {}).get("fence") == "absent":
        return
    line.put({"fence": {host: "fails"}})
    line.put({"fence": {host: "works"}}, line.a_while())


def _operations(line: _Timeline) -> None:
    rng = line.rng
    word = rng.choice(("fail-migrations", "slow-migrations", "fail-starts", "lose-outcomes"))
    line.put({word: rng.randint(1, 4)})


def _drain(line: _Timeline) -> None:
    host = line.host()
    line.put({"drain": host})
    if line.rng.random() < 0.9:
        line.put({"resume": host}, line.a_while())


def _add_host(line: _Timeline) -> None:
    name = next((n for n in "ijklm" if n not in line.added), None)
    if name is None:
        return
    line.put({"add-host": {"name": name, "memory": "64Gi", "cpus": 32}})
    line.added[name] = line.now


def _remove_host(line: _Timeline) -> None:
    left = [host for host in line.hosts if host not in line.removed]
    if len(left) < 3:
        return
    host = line.rng.choice(left)
    line.removed.add(host)
    line.put({"remove-host": host})
    if line.rng.random() < 0.3:
        line.put({"add-host": {"name": host, "memory": "64Gi", "cpus": 32}}, line.a_while())


def _scale(line: _Timeline) -> None:
    rng = line.rng
    if line.pools and rng.random() < 0.8:
        line.put({"scale": {rng.choice(line.pools): rng.choice((0, 1, 2, 4, 6, 9))}})
    else:
        line.put({"scale": {"control-plane": rng.choice((1, 3, 5))}})


def _delete_pool(line: _Timeline) -> None:
    if line.pools and line.rng.random() < 0.5:
        line.put({"delete-pool": line.rng.choice(line.pools)})


def _redeploy(line: _Timeline) -> None:
    name = line.rng.choice([*line.pools, "control-plane"])
    line.put({"redeploy": f"east-{name}"})


def _by_hand(line: _Timeline) -> None:
    rng = line.rng
    prefix = rng.choice(["cp", *line.pools])
    vm = f"east-{prefix}-{rng.randint(1, 4)}"
    word = rng.choice(("guest-ends", "halt-vm"))
    if word == "manual-move":
        line.put({word: {"vm": vm, "to": line.host()}})
        return
    line.put({word: vm})
    if word == "halt-vm":
        line.put({"unhalt-vm": vm}, line.a_while())


def _capacity(line: _Timeline) -> None:
    memory = f"{line.rng.choice((16, 48, 96))}Gi"
    line.put({"capacity": {"host": line.host(), "capacity": {"memory": memory}}})


def _policy(line: _Timeline) -> None:
    rng = line.rng
    spec = rng.choice(
        (
            {"rebalance": {"mode": "home"}},
            {"rebalance": {"mode": "min_moves"}},
            {"rebalance": {"coldMoves": True}},
            {"throttle": {"outPerHost": 1, "inPerHost": 1, "perCluster": 2}},
        )
    )
    line.put({"policy": spec})


def _end_quarantine(line: _Timeline) -> None:
    line.put({"end-quarantine": line.host()})


_DRAWN: dict[Callable[[_Timeline], None], int] = {
    _crash: 10,
    _flap: 2,
    _hang: 4,
    _partition: 6,
    _cut_controller: 1,
    _kill_controller: 6,
    _clock: 1,
    _fence: 3,
    _operations: 4,
    _drain: 3,
    _add_host: 1,
    _remove_host: 1,
    _scale: 3,
    _delete_pool: 1,
    _redeploy: 1,
    _by_hand: 3,
    _capacity: 1,
    _policy: 1,
    _end_quarantine: 1,
}
_KINDS = list(_DRAWN)
_WEIGHTS = list(_DRAWN.values())


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"

"""Draws the pictures of docs/availability-sets.md from real plans.

    python -m tools.pictures            write them
    python -m tools.pictures --check    fail when one is out of date

Each picture is made by the production planners from a snapshot built here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape

from frota.model.availability import CONTROL_PLANE, AvailabilitySet, Level, domain_of
from frota.model.host import Capacity, Host, HostState, Size
from frota.model.plan import Step
from frota.model.snapshot import Snapshot
from frota.model.vm import Vm, VmState
from frota.planners.placement.evenly import Grounds
from frota.planners.placement.ledger import Ledger
from frota.planners.placement.rebalance import plan_rebalance
from frota.planners.placement.starts import plan_starts, waiting

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")
_SIZE = Size(8 * 1024, 2)
_BOX, _GAP, _ROW = 92, 18, 26


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment: a snapshot, what is said of it, and the moves that lead on."""

    title: str
    snapshot: Snapshot
    steps: Sequence[Step] = ()


def _host(name: str, rack: str) -> Host:
    return Host(name, rack, Capacity(64 * 1024, 32, 100), incarnation=f"{name}-1")


def _group(racks: dict[str, str], sets: dict[str, tuple[int, tuple[Level, ...]]]) -> Snapshot:
    """Hosts by rack (``{"r1": "ab"}``), and sets with their number of members, all waiting."""
    hosts = {h: _host(h, rack) for rack, names in racks.items() for h in names}
    config = frozenset(domain_of(h, level) for h in hosts.values() for level in Level)
    made: dict[str, AvailabilitySet] = {}
    vms: dict[str, Vm] = {}
    for name, (count, levels) in sets.items():
        role = CONTROL_PLANE if name == "cp" else f"pool/{name}"
        made[name] = AvailabilitySet(name, "east", role, levels, (config,))
        for number in range(1, count + 1):
            vm = Vm(f"{name}-{number}", name, _SIZE, len(vms) + 1)
            vms[vm.name] = vm
    return Snapshot("example", 0.0, hosts, made, vms)


def _started(snapshot: Snapshot) -> tuple[Snapshot, tuple[Step, ...]]:
    """Where the planner starts all that wait; first places become homes."""
    steps = plan_starts(snapshot, waiting(snapshot), Ledger(snapshot)).steps
    placed = []
    for step in steps:
        vm = snapshot.vms[step.vm]
        running = replace(vm, state=VmState.RUNNING, host=step.dst, epoch=vm.epoch + 1)
        placed.append(replace(running, home=vm.home or step.dst))
    return snapshot.with_vms(placed), steps


def _returned(snapshot: Snapshot, names: Sequence[str]) -> Snapshot:
    return snapshot.with_hosts(replace(snapshot.hosts[n], state=HostState.UP) for n in names)


def _rebalanced(snapshot: Snapshot) -> tuple[Snapshot, tuple[Step, ...]]:
    steps = plan_rebalance(Grounds(snapshot, Ledger(snapshot))).steps
    return snapshot.with_vms(replace(snapshot.vms[s.vm], host=s.dst) for s in steps), steps


def _failure_and_return(snapshot: Snapshot, lost: Sequence[str], what: str) -> list[Frame]:
    """The four moments of a failure."""
    first, _ = _started(snapshot)
    hurt = first.without(lost)
    restarted, starts = _started(hurt)
    back = _returned(restarted, lost)
    even, moves = _rebalanced(back)
    plural = "s" if len(moves) != 1 else ""
    return [
        Frame("placed: every set as even as can be", first),
        Frame(f"{what} dies: its VMs restart together, spread over the rest", restarted, starts),
        Frame(f"{what} is back: {len(moves)} live move{plural}, no plan needs fewer", back, moves),
        Frame("even again", even),
    ]


def three_hosts() -> list[Frame]:
    """A host of three fails and returns."""
    host = (Level.HOST,)
    group = _group({"a": "a", "b": "b", "c": "c"}, {"cp": (3, host), "web": (5, host)})
    return _failure_and_return(group, ["b"], "b")


def two_levels() -> list[Frame]:
    """A rack of three fails and returns; sets are spread over racks, then hosts."""
    both = (Level.RACK, Level.HOST)
    racks = {"r1": "ab", "r2": "cd", "r3": "ef"}
    return _failure_and_return(
        _group(racks, {"cp": (3, both), "gpu": (6, both), "web": (4, both)}), ["c", "d"], "rack r2"
    )


def added_host() -> list[Frame]:
    """A host joins: nothing moves, new members use it."""
    group = _group({"a": "a", "b": "b"}, {"web": (4, (Level.HOST,))})
    first, _ = _started(group)
    joined = first.with_hosts([_host("c", "c")])
    spread = joined.sets["web"]
    wider = replace(spread, generations=(*spread.generations, spread.generations[0] | {"host/c"}))
    joined = joined.with_sets([wider])
    none, moves = _rebalanced(joined)
    grown = none.with_vms(Vm(f"web-{n}", "web", _SIZE, n, generation=1) for n in (5, 6))
    scaled, starts = _started(grown)
    return [
        Frame("two hosts", first),
        Frame(f"c joins: {len(moves)} moves, the set is ConfigStale", joined),
        Frame("two members more: they may use c", scaled, starts),
    ]


def _draw(frames: Sequence[Frame]) -> str:
    parts, top, width = [], 0, 0
    for number, frame in enumerate(frames, start=1):
        body, height, wide = _draw_frame(frame, f"{number}. {frame.title}", top)
        parts.append(body)
        top += height
        width = max(width, wide)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}" font-family="sans-serif" font-size="12">\n'
        '<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#333"/></marker></defs>\n'
        f'<rect width="{width}" height="{top}" fill="white"/>\n'
    )
    return head + "".join(parts) + "</svg>\n"


def _draw_frame(frame: Frame, title: str, top: int) -> tuple[str, int, int]:
    snapshot = frame.snapshot
    colour = dict(zip(snapshot.sets, _COLOURS, strict=False))
    hosts = sorted(snapshot.hosts.values(), key=lambda h: (h.rack, h.name))
    seats: dict[str, tuple[int, int]] = {}
    rows = max(
        (sum(vm.host == host.name for vm in snapshot.vms.values()) for host in hosts), default=0
    )
    tall = max(rows, 2) * _ROW + 34
    out = [f'<text x="{_GAP}" y="{top + 20}" font-weight="bold">{escape(title)}</text>\n']
    left, rack = _GAP, ""
    for host in hosts:
        left += _GAP if rack and host.rack != rack else 0
        rack = host.rack
        dead = host.state is HostState.DOWN
        fill, dash = ("#eee", ' stroke-dasharray="4"') if dead else ("#fafafa", "")
        label = host.name if host.rack == host.name else f"{host.rack} / {host.name}"
        label += " (down)" if dead else ""
        out.append(
            f'<rect x="{left}" y="{top + 30}" width="{_BOX}" height="{tall}" rx="6" '
            f'fill="{fill}" stroke="#888"{dash}/>\n'
            f'<text x="{left + 8}" y="{top + 46}" fill="#555">{escape(label)}</text>\n'
        )
        inside = sorted(vm.name for vm in snapshot.vms.values() if vm.host == host.name)
        for row, name in enumerate(inside if not dead else ()):
            y = top + 54 + row * _ROW
            seats[name] = (left, y)
            out.append(_vm(name, left, y, colour[snapshot.vms[name].set]))
        left += _BOX + 8
    for step in frame.steps:
        if step.src and step.vm in seats:
            out.append(_arrow(step, seats[step.vm], hosts))
        elif step.vm in seats:
            x, y = seats[step.vm]
            out.append(
                f'<rect x="{x + 5}" y="{y - 2}" width="{_BOX - 10}" height="{_ROW - 2}" rx="5" '
                'fill="none" stroke="#d00" stroke-width="2"/>\n'
            )
    return "".join(out), tall + 44, left + _GAP


def _vm(name: str, x: int, y: int, colour: str) -> str:
    return (
        f'<rect x="{x + 7}" y="{y}" width="{_BOX - 14}" height="{_ROW - 6}" rx="4" '
        f'fill="{colour}"/><text x="{x + 14}" y="{y + 14}" fill="white">{escape(name)}</text>\n'
    )


def _arrow(step: Step, seat: tuple[int, int], hosts: Sequence[Host]) -> str:
    """From the VM to the host it goes to."""
    left, rack, goal = _GAP, "", 0
    for host in hosts:
        left += _GAP if rack and host.rack != rack else 0
        rack = host.rack
        if host.name == step.dst:
            goal = left
        left += _BOX + 8
    x, y = seat
    right = goal > x
    start = x + _BOX - 6 if right else x + 6
    end = goal + 4 if right else goal + _BOX - 4
    return (
        f'<path d="M{start} {y + 10} C{(start + end) // 2} {y - 8} {(start + end) // 2} {y - 8} '
        f'{end} {y + 10}" fill="none" stroke="#333" stroke-width="1.5" '
        'marker-end="url(#to)"/>\n'
    )


PICTURES: dict[str, Callable[[], list[Frame]]] = {
    "three-hosts": three_hosts,
    "two-levels": two_levels,
    "added-host": added_host,
}


def main(arguments: Sequence[str]) -> int:
    """Write all pictures, or check them."""
    stale = []
    for name, frames in PICTURES.items():
        path, text = FOLDER / f"{name}.svg", _draw(frames())
        if "--check" in arguments:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
            continue
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run: python -m tools.pictures\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

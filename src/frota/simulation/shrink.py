"""Makes a failing schedule small: as few events, pools, hosts and options as still fail."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from frota.resources.quantity import parse_duration

Schedule = dict[str, Any]

TRIES_MOST = 400


def invariants_of(broken: Sequence[str]) -> frozenset[str]:
    """Which invariants the lines of a failure name."""
    return frozenset(line.partition(" ")[0] for line in broken)


def shrink(
    schedule: Mapping[str, Any],
    fails: Callable[[Mapping[str, Any]], bool],
    tries_most: int = TRIES_MOST,
) -> Schedule:
    """The smallest schedule found for which ``fails`` still holds, by leaving out parts.

    Rounds of ever smaller cuts go on until nothing more can be left out, or the tries
    are used up. A part that makes a schedule invalid does not fail: it stays.
    """
    small = copy.deepcopy(dict(schedule))
    left = tries_most
    progress = True
    while progress and left > 0:
        progress = False
        for candidate in _smaller(small):
            if left <= 0:
                break
            left -= 1
            if fails(candidate):
                small = candidate
                progress = True
                break
    return small


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Schedules with something less, the largest cuts first."""
    yield from _ends_sooner(schedule)
    timeline = schedule["timeline"]
    size = len(timeline) // 2
    while size >= 1:
        for start in range(0, len(timeline), size):
            kept = timeline[:start] + timeline[start + size :]
            yield {**schedule, "timeline": kept}
        size //= 2
    for option in ("chances", "pools", "control-plane"):
        if schedule.get(option):
            yield {key: value for key, value in schedule.items() if key != option}
    for part in ("pools", "group", "chances"):
        for name in list(schedule.get(part, {})):
            rest = {key: value for key, value in schedule[part].items() if key != name}
            yield {**schedule, part: rest}
    for name in list(schedule["hosts"]):
        if len(schedule["hosts"]) > 1:
            yield _without_host(schedule, name)
    for name, pool in schedule.get("pools", {}).items():
        if pool["count"] > 1:
            fewer = {**pool, "count": pool["count"] // 2}
            yield {**schedule, "pools": {**schedule["pools"], name: fewer}}


def _ends_sooner(schedule: Schedule) -> Iterator[Schedule]:
    """The run may stop a little after its last event."""
    last = max((parse_duration(item["at"]) for item in schedule["timeline"]), default=0.0)
    end = f"{int(last // 60) + 30}m"
    if parse_duration(end) < parse_duration(schedule["end"]):
        yield {**schedule, "end": end}
    if schedule.get("converge"):
        yield {**schedule, "converge": False}


def _without_host(schedule: Schedule, name: str) -> Schedule:
    """Without a host, and with what befalls only it."""
    kept = []
    for item in schedule["timeline"]:
        word = next(key for key in item if key != "at")
        changed = _forget(item[word], name)
        if changed is not None:
            kept.append({"at": item["at"], word: changed})
    hosts = {key: value for key, value in schedule["hosts"].items() if key != name}
    return {**schedule, "hosts": hosts, "timeline": kept}


def _forget(args: Any, name: str) -> Any:
    """Arguments without a host; None when nothing is left of them."""
    if args == name:
        return None
    if not isinstance(args, dict):
        return args
    if name in (args.get("host"), args.get("to"), args.get("name")) or name in args:
        return None
    if name in args.get("hosts", ()):
        rest = [host for host in args["hosts"] if host != name]
        return {**args, "hosts": rest} if rest else None
    return args

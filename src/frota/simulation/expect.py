"""Whether a required outcome holds: the records, the orders given, and the ground truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from frota.model.availability import Verdict
from frota.model.vm import Operation, Verb
from frota.simulation.run import Run, is_move

_LIMIT = re.compile(r"(<=|>=|<|>)\s*(\d+)")
_STATE = re.compile(r"(\w+)(?:\((.+)\))?")

ORDER_COUNTS: dict[str, Callable[[Operation], bool]] = {
    "moves": is_move,
    "voluntary-moves": lambda operation: is_move(operation) and operation.voluntary,
    "live-moves": lambda operation: operation.verb is Verb.LIVE,
    "starts": lambda operation: operation.verb is Verb.START,
    "restarts": lambda operation: operation.verb is Verb.START and operation.epoch > 1,
    "stops": lambda operation: operation.verb is Verb.STOP,
    "kills": lambda operation: operation.verb is Verb.KILL,
    "orders": lambda operation: operation.verb is not Verb.KILL,
}
STATE_COUNTS = ("running", "unplaceable", "waiting")
JOURNAL = ("said", "not-said")
SUBJECTS = ("set", "vm", "host")
VERDICT_FIELDS = (
    "phase", "aligned", "blocker", "message", "fault-tolerant", "n1", "domains-available",
    "config-current", "removed-domain",
)  # fmt: skip
SET_FIELDS = (*VERDICT_FIELDS, "counts", "racks", "spread", "members")
VM_FIELDS = ("state", "host", "reason", "home", "epoch", "runs-on")
HOST_FIELDS = ("state", "reason", "vms", "leaves")
ABSENT = "absent"


def unmet(run: Run, subject: str, wanted: Any, since: float) -> str:
    """What was found instead of what was wanted; empty when it holds."""
    kind, _, name = subject.partition(" ")
    if name:
        return {"set": _set, "vm": _vm, "host": _host}[kind](run, name, wanted)
    if subject in ORDER_COUNTS:
        return _number(run.tally.count(ORDER_COUNTS[subject], since), wanted)
    if subject in STATE_COUNTS:
        return _number(_state_count(run, subject), wanted)
    said = _said(run, wanted, since)
    if subject == "said":
        return "" if said else f"nothing in the journal says {wanted}"
    return f"the journal says: {said}" if said else ""


def _said(run: Run, reason: str, since: float) -> str:
    start = run.clock.of(since)
    for line in reversed(run.store.journal(last=10_000)):
        if line.at >= start and line.reason == reason:
            return f"{line.subject}: {line.message}"
    return ""


def _state_count(run: Run, subject: str) -> int:
    if subject == "running":
        return len(run.site.running)
    states = {"unplaceable": ("Unplaceable",), "waiting": ("Pending", "Lost", "Unplaceable")}
    return sum(vm.state.value in states[subject] for vm in run.checker.book.vms.values())


def _number(found: int, wanted: Any) -> str:
    if isinstance(wanted, int):
        return "" if found == wanted else f"found {found}"
    match = _LIMIT.fullmatch(str(wanted))
    if match is None:
        return f"found {found}"
    limit = int(match.group(2))
    holds = {"<=": found <= limit, ">=": found >= limit, "<": found < limit, ">": found > limit}
    return "" if holds[match.group(1)] else f"found {found}"


def _set(run: Run, name: str, wanted: Any) -> str:
    book = run.checker.book
    spread = book.sets.get(name)
    if wanted == ABSENT:
        return "" if spread is None else "the set is still there"
    if spread is None:
        return "there is no such set"
    verdict = book.verdicts.get(name)
    if isinstance(wanted, str):
        wanted = {"phase": wanted}
    found: dict[str, Any] = {
        "counts": {host: n for host, n in book.seats.get(name, {}).items() if n},
        "members": len(book.members(name)),
        **(_verdict(verdict) if verdict is not None else {}),
    }
    found["spread"] = sorted(found["counts"].values(), reverse=True)
    racks: dict[str, int] = {}
    for host, number in found["counts"].items():
        rack = book.hosts[host].rack if host in book.hosts else host
        racks[rack] = racks.get(rack, 0) + number
    found["racks"] = racks
    return _mapping(found, wanted)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "phase": verdict.phase.value,
        "aligned": verdict.aligned,
        "blocker": verdict.blocker.value if verdict.blocker is not None else "none",
        "message": verdict.message,
        "fault-tolerant": verdict.fault_tolerant,
        "n1": verdict.n1_feasible,
        "domains-available": verdict.domains_available,
        "config-current": verdict.config_current,
        "removed-domain": not verdict.no_removed_domain,
    }


def _vm(run: Run, name: str, wanted: Any) -> str:
    vm = run.checker.book.vms.get(name)
    if wanted == ABSENT:
        return "" if vm is None else f"it is still {vm.state.value}"
    if vm is None:
        return "there is no such VM"
    if isinstance(wanted, str):
        wanted = _state(wanted)
    found = {
        "state": vm.state.value,
        "host": vm.host,
        "reason": vm.reason,
        "home": vm.home,
        "epoch": vm.epoch,
        "runs-on": ", ".join(run.site.hosts_of(name)),
    }
    return _mapping(found, wanted)


def _host(run: Run, name: str, wanted: Any) -> str:
    host = run.checker.book.hosts.get(name)
    if wanted == ABSENT:
        return "" if host is None else f"it is still {host.state.value}"
    if host is None:
        return "there is no such host"
    if isinstance(wanted, str):
        wanted = _state(wanted)
    found = {
        "state": host.state.value,
        "reason": host.reason,
        "vms": len([1 for hosts in run.site.running.values() if name in hosts]),
        "leaves": len(host.leaves),
    }
    return _mapping(found, wanted)


def _state(text: str) -> dict[str, Any]:
    """``Unplaceable(GPU)``: a state, and how its reason begins."""
    match = _STATE.fullmatch(text)
    if match is None:
        return {"state": text}
    state, reason = match.groups()
    return {"state": state, "reason": reason} if reason else {"state": state}


def _mapping(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    wrong = []
    for field, value in wanted.items():
        have = found.get(field)
        if not _same(field, have, value):
            wrong.append(f"{field} is {_text(have)}")
    return ", ".join(wrong)


def _same(field: str, have: Any, value: Any) -> bool:
    if field in ("reason", "message"):
        return str(value) in str(have)
    if isinstance(value, list) and not isinstance(have, list):
        return have in value
    if isinstance(value, str) and isinstance(have, int) and not isinstance(have, bool):
        return not _number(have, value)
    if isinstance(value, dict):
        value = {name: n for name, n in value.items() if n}
    return bool(have == value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {n}" for name, n in sorted(value.items())) or "nothing"
    return str(value) if value not in ("", None) else "empty"

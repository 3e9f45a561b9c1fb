"""One table for each kind, from stored JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from frota.cli.conditions import by_subject, lines
from frota.cli.delivery import standing
from frota.cli.naming import (
    CLUSTER,
    FLEET,
    GROUP,
    HOST,
    JOB,
    ROLLOUT,
    SERVICE,
    SET,
    TEAM,
    VM,
    group_name,
    plain_name,
)
from frota.cli.terminal import Cell, Terminal
from frota.cli.words import age, mib, moment, size_text, state_cell
from frota.model.decision import Decision
from frota.ports.store import Entry
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

Row = Sequence[str | Cell]
_Shown = tuple[Sequence[str], list[Row]]
_NOWHERE = frozenset({"Pending", "Lost", "Unplaceable", "Stopped"})


def show(kind: str, entries: Sequence[Entry], store: SqliteStore, terminal: Terminal) -> None:
    """Print the entries of one kind."""
    if not entries:
        terminal.note(f"no {kind} is stored")
        return
    tables = _of_clusters(entries, store) if kind == CLUSTER else [_TABLES[kind](entries, store)]
    for number, (head, rows) in enumerate(tables):
        if number:
            terminal.say()
        terminal.table(head, rows)


def show_journal(lines: Sequence[Decision], terminal: Terminal) -> None:
    """Print lines of the journal."""
    rows = [
        (moment(line.at), line.cause_id, line.stage.value, line.subject, line.reason, line.message)
        for line in lines
    ]
    terminal.table(("TIME", "CAUSE", "STAGE", "SUBJECT", "REASON", "MESSAGE"), rows)


def places(vm: Mapping[str, Any]) -> tuple[str, ...]:
    """The hosts on which a stored VM takes room: both ends while it moves."""
    operation = vm.get("operation")
    if operation is not None:
        ends = {operation.get("src", ""), operation.get("dst", "")} - {""}
        return tuple(ends)
    return () if vm["state"] in _NOWHERE else (vm["host"],)


def used(vms: Sequence[Entry]) -> Mapping[str, Counter[str]]:
    """What VMs take, by the stored name of the host: memory, cpus, vms."""
    found: dict[str, Counter[str]] = {}
    for entry in vms:
        vm, group = entry.value, group_name(entry.name)
        need = {"memory": vm["size"]["memory_mib"], "cpus": vm["size"]["vcpus"], "vms": 1}
        for host in places(vm):
            found.setdefault(f"{group}/{host}", Counter()).update(need)
    return found


def _hosts(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    taken = used(store.raw(VM))
    troubles = by_subject(store)
    now = SystemClock(store.latest()).now()
    rows: list[Row] = []
    for entry in entries:
        host, use = entry.value, taken.get(entry.name, Counter())
        capacity = host["capacity"]
        rows.append(
            (
                group_name(entry.name),
                plain_name(entry.name),
                host["rack"],
                state_cell(host["state"]),
                age(host["since"], now),
                f"{mib(use['memory'])}/{mib(capacity['memory_mib'])}",
                f"{use['cpus']}/{capacity['vcpus']}",
                str(use["vms"]),
                "; ".join((*_said(host["reason"]), *lines(troubles.get(entry.name, ())))),
            )
        )
    head = ("GROUP", "NAME", "RACK", "STATE", "FOR", "MEMORY", "CPUS", "VMS", "REASON")
    return head, rows


def _said(reason: str) -> tuple[str, ...]:
    return (reason,) if reason else ()


def _vms(entries: Sequence[Entry], _store: SqliteStore) -> _Shown:
    rows: list[Row] = []
    for entry in entries:
        vm, size = entry.value, entry.value["size"]
        operation = vm.get("operation")
        host = vm["host"] or "-"
        if operation is not None and operation.get("src") and operation.get("dst"):
            host = f"{operation['src']} -> {operation['dst']}"
        rows.append(
            (
                group_name(entry.name),
                plain_name(entry.name),
                vm["set"],
                state_cell(vm["state"]),
                host,
                vm["home"] or "-",
                size_text(size["memory_mib"], size["vcpus"], size["gpu_model"], size["gpus"]),
                str(vm["epoch"]),
                vm["reason"],
            )
        )
    head = ("GROUP", "NAME", "SET", "STATE", "HOST", "HOME", "SIZE", "EPOCH", "REASON")
    return head, rows


def _sets(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    verdicts = {entry.name: entry.value for entry in store.raw("Verdict")}
    rows: list[Row] = []
    for entry in entries:
        spread, verdict = entry.value, verdicts.get(entry.name)
        counts = verdict["counts"] if verdict else ()
        rows.append(
            (
                group_name(entry.name),
                plain_name(entry.name),
                spread["role"],
                "+".join(spread["levels"]),
                state_cell(verdict["phase"] if verdict else "Unknown"),
                " ".join(f"{domain}={count}" for domain, count in counts) or "-",
                verdict["message"] if verdict else "not judged yet",
            )
        )
    return ("GROUP", "NAME", "ROLE", "LEVELS", "PHASE", "SPREAD", "MESSAGE"), rows


def _groups(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    states: dict[str, Counter[str]] = {}
    for host in store.raw(HOST):
        states.setdefault(group_name(host.name), Counter())[host.value["state"]] += 1
    vms = Counter(group_name(entry.name) for entry in store.raw(VM))
    sets = Counter(group_name(entry.name) for entry in store.raw(SET))
    troubles = by_subject(store)
    leases = {entry.name: entry.value["holder"] for entry in store.raw("Lease")}
    rows: list[Row] = []
    for entry in entries:
        spec, name = entry.value["spec"], entry.name
        rows.append(
            (
                name,
                spec["provider"],
                str(len(spec["hosts"])),
                str(states.get(name, Counter())["Up"]),
                str(vms[name]),
                str(sets[name]),
                leases.get(name) or "-",
                "; ".join(lines(troubles.get(name, ()))),
            )
        )
    return ("NAME", "PROVIDER", "HOSTS", "UP", "VMS", "SETS", "CONTROLLER", "CONDITIONS"), rows


def _of_clusters(entries: Sequence[Entry], store: SqliteStore) -> Iterator[_Shown]:
    """Members of fleets by how they stand, then clusters whose VMs Frota runs."""
    members = [entry for entry in entries if "fleet" in entry.value["spec"]]
    if members:
        yield standing.table(members, store)
    others = [entry for entry in entries if "hostGroup" in entry.value["spec"]]
    if others:
        yield _clusters(others, store)


def _clusters(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    owners = {entry.name: entry.value["cluster"] for entry in store.raw(SET)}
    running: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for vm in store.raw(VM):
        cluster = owners.get(f"{group_name(vm.name)}/{vm.value['set']}", "")
        every[cluster] += 1
        running[cluster] += vm.value["state"] == "Running"
    rows: list[Row] = []
    for entry in entries:
        spec, name = entry.value["spec"], entry.name
        pools = " ".join(f"{p['name']}={p.get('count', '?')}" for p in spec["nodePools"])
        rows.append(
            (
                name,
                spec["hostGroup"],
                spec.get("function", "-"),
                spec.get("environment", "-"),
                str(spec.get("controlPlane", {}).get("count", "-")),
                pools or "-",
                f"{running[name]}/{every[name]}",
            )
        )
    tail = ("GROUP", "FUNCTION", "ENVIRONMENT", "CONTROL-PLANE", "POOLS", "RUNNING")
    return ("NAME", *tail), rows


def _rollouts(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    now = SystemClock(store.latest()).now()
    rows: list[Row] = []
    for entry in entries:
        raw, parts = entry.value, entry.value.get("clusters", ())
        states = Counter(part.get("state", "Waiting") for part in parts)
        rows.append(
            (
                raw["fleet"],
                raw["id"],
                state_cell(raw.get("phase", "Running")),
                raw.get("intent", "Run"),
                age(raw["began"], now),
                f"{states['Done']}/{len(parts)}",
                ", ".join(f"{n} {state}" for state, n in sorted(states.items()) if state != "Done"),
            )
        )
    return ("FLEET", "ID", "PHASE", "INTENT", "FOR", "DONE", "OTHERS"), rows


def _fleets(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    clusters = Counter(entry.value["spec"].get("fleet") for entry in store.raw(CLUSTER))
    rows: list[Row] = []
    for entry in entries:
        spec = entry.value["spec"]
        stages = " -> ".join(stage["name"] for stage in spec["environments"])
        regions = " ".join(region["name"] for region in spec["regions"]) or "-"
        drift = spec["delivery"]["drift"]
        rows.append((entry.name, stages, regions, str(clusters[entry.name]), drift))
    return ("NAME", "ENVIRONMENTS", "REGIONS", "CLUSTERS", "DRIFT"), rows


def _teams(entries: Sequence[Entry], store: SqliteStore) -> _Shown:
    of = {
        kind: Counter(e.value["spec"]["team"] for e in store.raw(kind)) for kind in (SERVICE, JOB)
    }
    rows: list[Row] = [
        (
            entry.name,
            entry.value["spec"]["fleet"],
            ", ".join(entry.value["spec"]["members"]["team"]) or "-",
            str(len(entry.value["spec"]["quotas"])),
            str(of[SERVICE][entry.name]),
            str(of[JOB][entry.name]),
        )
        for entry in entries
    ]
    return ("NAME", "FLEET", "MEMBERS", "QUOTAS", "SERVICES", "JOBS"), rows


def _services(entries: Sequence[Entry], _store: SqliteStore) -> _Shown:
    rows: list[Row] = []
    for entry in entries:
        spec = entry.value["spec"]
        model, scaling = spec["model"], spec.get("scaling")
        replicas = f"{scaling['min']}-{scaling['max']}" if scaling else str(spec["replicas"])
        version = f"{model['name']} {model['version']}"
        rows.append((entry.name, spec["team"], version, replicas, spec["traffic"]["mode"]))
    return ("NAME", "TEAM", "MODEL", "REPLICAS", "TRAFFIC"), rows


def _jobs(entries: Sequence[Entry], _store: SqliteStore) -> _Shown:
    rows: list[Row] = []
    for entry in entries:
        spec = entry.value["spec"]
        gpus = spec["resources"].get("gpu", {}).get("count", 0)
        cells = (str(spec["nodes"]), str(gpus), spec.get("queue", "-"), spec.get("deadline", "-"))
        rows.append((entry.name, spec["team"], *cells))
    return ("NAME", "TEAM", "NODES", "GPUS/NODE", "QUEUE", "DEADLINE"), rows


_Table = Callable[[Sequence[Entry], SqliteStore], _Shown]
_TABLES: Mapping[str, _Table] = {
    HOST: _hosts,
    VM: _vms,
    SET: _sets,
    GROUP: _groups,
    FLEET: _fleets,
    TEAM: _teams,
    SERVICE: _services,
    JOB: _jobs,
    ROLLOUT: _rollouts,
}

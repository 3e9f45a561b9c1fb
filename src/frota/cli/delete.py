"""``frota delete``: a cluster with its VMs, an empty host group, or what a fleet declares."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from frota.cli.arguments import Run, describe
from frota.cli.conditions import CONDITION
from frota.cli.declared import as_declared
from frota.cli.naming import (
    CLUSTER,
    DECLARED,
    FLEET,
    GROUP,
    JOB,
    SERVICE,
    SET,
    TEAM,
    VM,
    find,
    group_name,
    kind_of,
)
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.stored import records_of
from frota.cli.terminal import Terminal
from frota.cli.words import plural
from frota.cli.writing import confirm, report, told
from frota.controllers.clusterrecords import (
    PRUNE_APPROVAL,
    ROLLOUT,
    STATUS,
    TAKE_OVER,
)
from frota.controllers.contents import BUNDLE, PART, bundle_name, part_names
from frota.controllers.fleetrecords import REVISION
from frota.controllers.records import FORMER
from frota.ports.store import Conflict, Write
from frota.resources.documents import load
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

_OWN = ("Host", SET, VM, "Verdict", "Approval", CONDITION, FORMER)


def delete(parser: ArgumentParser) -> Run:
    """The arguments of ``frota delete``."""
    describe(
        parser,
        "Delete a Cluster: its VMs are stopped and deleted, and its sets with them. Or delete a "
        "HostGroup that has no clusters and no VMs any more; the hosts themselves are left alone. "
        "Or delete a Fleet, Team, InferenceService or TrainingJob that nothing names any more.",
        "frota delete cluster east --dry-run",
        "frota delete hostgroup plant-east",
    )
    parser.add_argument("kind", metavar="KIND", help="cluster, hostgroup, fleet, team, …")
    parser.add_argument("name", metavar="NAME", help="which one")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what follows; change nothing")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    kind = kind_of(args.kind, DECLARED)
    with opened(terminal) as store:
        name = find(kind, args.name, [entry.name for entry in store.raw(kind)])
        if kind != GROUP:
            for line in _unnamed(store, kind, name):
                terminal.note(f"warning: {line}")
        make = {CLUSTER: _cluster, GROUP: _group}.get(kind, partial(_plain, kind))
        group, writes, text = make(store, name)
        if args.dry_run:
            report(terminal, f"{kind}/{name}", "delete", False, f"{text} (dry run)")
            return Exit.DONE
        if kind != GROUP:
            terminal.note(text)
            confirm(terminal, name, yes=args.yes)
        try:
            store.commit(writes, [told(store, group, f"{kind}/{name}", "delete")])
        except Conflict as error:
            raise Failure(Exit.BUSY, f"{error}; nothing was changed: try again") from None
        report(terminal, f"{kind}/{name}", "delete", True, f"{kind}/{name} deleted")
    if kind in (CLUSTER, TEAM, SERVICE, JOB):
        warn_when_idle(terminal)
    return Exit.DONE


def _unnamed(store: SqliteStore, kind: str, name: str) -> list[str]:
    """Refuse to take away what other documents need; what only suffers by it comes back."""
    every = {(of, entry.name): entry.value for of in DECLARED for entry in store.raw(of)}
    before = _said(every)
    del every[kind, name]
    wrong, warnings = (
        [line for line in now if line not in was]
        for was, now in zip(before, _said(every), strict=True)
    )
    if wrong:
        lines = "\nfrota: ".join(wrong)
        raise Failure(Exit.REFUSED, f"{kind} {name} is needed:\nfrota: {lines}")
    return warnings


def _said(documents: Mapping[tuple[str, str], Any]) -> tuple[list[str], list[str]]:
    """Problems and warnings about documents, all of them taken together."""
    files = [(f"{kind}/{name}", json.dumps(value)) for (kind, name), value in documents.items()]
    loaded = load(files)
    wrong, warnings = (
        [f"{problem.file}: {problem.path}: {problem.message}" for problem in problems]
        for problems in (loaded.problems, loaded.warnings)
    )
    return wrong, warnings


def _plain(kind: str, store: SqliteStore, name: str) -> tuple[str, list[Write], str]:
    entry = store.get(kind, name)
    if entry is None:
        raise Failure(Exit.NOT_FOUND, f"there is no {kind} {name}")
    gone = [Write(kind, name, None, entry.revision)]
    text = f"deleting {kind} {name}"
    if kind == FLEET:
        gone += [Write(of, item, None, None) for of, item in _of_fleet(store, name)]
        return name, gone, f"{text} forgets its rollouts; it has no clusters any more"
    if kind == TEAM:
        text += ": its namespaces are deleted from clusters by the next rollout"
    elif kind in (SERVICE, JOB):
        text += ": its objects are deleted from clusters by the next rollout"
    return _fleet_of(store, entry.value), gone, text


def _fleet_of(store: SqliteStore, document: Mapping[str, Any]) -> str:
    spec = document["spec"]
    team = store.get(TEAM, spec["team"]) if "team" in spec else None
    fleet: str = team.value["spec"]["fleet"] if team is not None else spec.get("fleet", "")
    return fleet


def _of_fleet(store: SqliteStore, fleet: str) -> Iterator[tuple[str, str]]:
    """What was rolled out in a fleet that has no clusters any more."""
    yield ROLLOUT, fleet
    contents: set[str] = set()
    for entry in store.raw(REVISION):
        if group_name(entry.name) == fleet:
            yield REVISION, entry.name
            contents.update(bundle_name(*pair) for pair in entry.value["clusters"].items())
    for name in sorted(contents):
        yield BUNDLE, name
    parts = {name for content in contents for name in part_names(store, *content.split("/", 1))}
    for name in sorted(parts):
        yield PART, name


def _of_member(store: SqliteStore, cluster: str) -> Iterator[tuple[str, str]]:
    """What is on record of a cluster as a member of its fleet; its release is ended by the
    fleet's controller."""
    yield STATUS, cluster
    yield TAKE_OVER, cluster
    for entry in store.raw(PRUNE_APPROVAL):
        if group_name(entry.name) == cluster:
            yield PRUNE_APPROVAL, entry.name


def _cluster(store: SqliteStore, name: str) -> tuple[str, list[Write], str]:
    entry = store.get(CLUSTER, name)
    if entry is None:
        raise Failure(Exit.NOT_FOUND, f"there is no Cluster {name}")
    group: str = entry.value["spec"].get("hostGroup", "")
    fleet: str = entry.value["spec"].get("fleet", "")
    known = [Write(of, item, None, None) for of, item in _of_member(store, name)] if fleet else []
    if not group:
        gone = Write(CLUSTER, name, None, entry.revision)
        text = (
            f"deleting cluster {name} takes it out of what Frota keeps; what was delivered "
            "there stays as it is"
        )
        return fleet, [gone, *known], text
    sets = {e.name for e in store.raw(SET) if e.value["cluster"] == name}
    vms = [v for v in store.raw(VM) if f"{group_name(v.name)}/{v.value['set']}" in sets]
    text = (
        f"deleting cluster {name} stops and deletes {plural(len(vms), 'VM')} of "
        f"{plural(len(sets), 'set')}"
    )
    held = _held_without(store, group, name)
    if held:
        text += f"; that is more than the brake allows: it waits for frota approve {group} {held}"
    # Its VMs run on until they may be deleted; how they are built must be known so long.
    kept = Write(FORMER, f"{group}/{name}", entry.value, None)
    return group, [Write(CLUSTER, name, None, entry.revision), kept, *known], text


def _held_without(store: SqliteStore, group: str, cluster: str) -> str:
    """The hash of the deletions that follow, if the brake would hold them."""
    entry = store.get(GROUP, group)
    if entry is None:
        return ""
    every = (other.value for other in store.list(CLUSTER) if other.name != cluster)
    left = [document for document in every if document["spec"].get("hostGroup") == group]
    now = SystemClock(store.latest()).now()
    held = as_declared(entry.value, left, records_of(store, group), now).held
    return held.plan if held is not None else ""


def _group(store: SqliteStore, name: str) -> tuple[str, list[Write], str]:
    clusters = [e.name for e in store.raw(CLUSTER) if e.value["spec"].get("hostGroup") == name]
    if clusters:
        raise Failure(
            Exit.REFUSED,
            f"host group {name} has clusters ({', '.join(clusters)}); delete them first",
        )
    own = [entry for kind in _OWN for entry in store.raw(kind) if group_name(entry.name) == name]
    vms = sum(entry.kind == VM for entry in own)
    if vms:
        raise Failure(
            Exit.REFUSED, f"host group {name} has {plural(vms, 'VM')} still; wait until it has none"
        )
    entry = store.get(GROUP, name)
    if entry is None:
        raise Failure(Exit.NOT_FOUND, f"there is no HostGroup {name}")
    lease = store.get("Lease", name)
    gone = [entry, *own, *([] if lease is None else [lease])]
    writes = [Write(item.kind, item.name, None, item.revision) for item in gone]
    hosts = sum(item.kind == "Host" for item in own)
    return name, writes, f"deleting host group {name} forgets {plural(hosts, 'host')}"

"""``frota describe``: all that is known of one thing, and of what belongs to it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from frota.cli import listing, shapes
from frota.cli.arguments import Run
from frota.cli.arguments import describe as describe_command
from frota.cli.conditions import by_subject
from frota.cli.delivery.standing import STATUS
from frota.cli.naming import (
    CLUSTER,
    DECISION,
    FLEET,
    GROUP,
    HOST,
    IN_GROUPS,
    JOB,
    ROLLOUT,
    SERVICE,
    SET,
    TEAM,
    VM,
    find,
    group_name,
    kind_of,
    plain_name,
)
from frota.cli.opening import opened
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.ports.store import Entry
from frota.store.sqlite import SqliteStore

_LINES = 10


def describe(parser: ArgumentParser) -> Run:
    """The arguments of ``frota describe``."""
    describe_command(
        parser,
        "Show all that is known of one host, VM, set, host group, cluster, fleet, team, "
        "service or job, with what belongs to it and the last lines about it in the journal.",
        "frota describe host a",
        "frota describe set plant-east/east-control-plane",
    )
    parser.add_argument("kind", metavar="KIND", help="host, vm, set, hostgroup, cluster, fleet, …")
    parser.add_argument("name", metavar="NAME", help="which one")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    kind = kind_of(args.kind)
    if kind == DECISION:
        raise Failure(Exit.BAD_INPUT, "a decision is shown by: frota get decisions CAUSE")
    with opened(terminal) as store:
        names = [entry.name for entry in store.raw(kind)]
        name = find(kind, args.name, names)
        entry = store.raw_get(kind, name)
        if entry is None:
            raise Failure(Exit.NOT_FOUND, f"{kind} {name} was deleted just now")
        judged = {SET: "Verdict", CLUSTER: STATUS}.get(kind)
        verdict = store.raw_get(judged, name) if judged is not None else None
        conditions = by_subject(store)
        resource = shapes.shaped(
            kind, name, entry.value, verdict.value if verdict else None, conditions.get(name, ())
        )
        related = _related(kind, entry, store)
        group = group_name(name) if kind in IN_GROUPS else ""
        subject = f"{FLEET if kind == ROLLOUT else kind}/{plain_name(name)}"
        lines = store.journal(group=group, subject=subject, last=_LINES)
        if terminal.output == "table":
            _tree(resource, terminal)
            for of, entries in related.items():
                if entries:
                    terminal.say(f"\n{of}:")
                    listing.show(of, entries, store, terminal)
            if lines:
                terminal.say("\nJournal:")
                listing.show_journal(lines, terminal)
            return Exit.DONE
    shown: dict[str, Any] = {"resource": resource}
    for of, entries in related.items():
        shown[f"{of[0].lower()}{of[1:]}s"] = [
            shapes.shaped(of, e.name, e.value, None, conditions.get(e.name, ())) for e in entries
        ]
    shown["decisions"] = [shapes.decision(line) for line in lines]
    terminal.data(shown)
    return Exit.DONE


def _related(kind: str, entry: Entry, store: SqliteStore) -> dict[str, Sequence[Entry]]:
    """What belongs to a thing, by kind."""
    group, plain = group_name(entry.name), plain_name(entry.name)
    vms = store.raw(VM)
    if kind == HOST:
        here = [vm for vm in vms if group_name(vm.name) == group and _on(vm.value, plain)]
        return {VM: here}
    if kind == SET:
        return {VM: [vm for vm in vms if group_name(vm.name) == group and vm.value["set"] == plain]}
    if kind == GROUP:
        return {
            of: [item for item in store.raw(of) if group_name(item.name) == entry.name]
            for of in (HOST, SET)
        }
    if kind == CLUSTER:
        sets = [item for item in store.raw(SET) if item.value["cluster"] == entry.name]
        owned = {(group_name(item.name), plain_name(item.name)) for item in sets}
        of_sets = [vm for vm in vms if (group_name(vm.name), vm.value["set"]) in owned]
        return {SET: sets, VM: of_sets}
    if kind == FLEET:
        parts: dict[str, Sequence[Entry]] = {
            of: [item for item in store.raw(of) if item.value["spec"].get("fleet") == entry.name]
            for of in (CLUSTER, TEAM)
        }
        rollout = store.raw_get(ROLLOUT, entry.name)
        return {**parts, ROLLOUT: [rollout] if rollout is not None else []}
    if kind == TEAM:
        return {
            of: [item for item in store.raw(of) if item.value["spec"]["team"] == entry.name]
            for of in (SERVICE, JOB)
        }
    return {}


def _on(vm: Mapping[str, Any], host: str) -> bool:
    return host in listing.places(vm) or host == vm["home"]


def _tree(resource: Mapping[str, Any], terminal: Terminal) -> None:
    """The resource as YAML, what is empty left out; a person reads this, no program."""
    import yaml

    text = yaml.safe_dump(_full(resource), sort_keys=False, allow_unicode=True, width=100,
                          default_flow_style=None)  # fmt: skip
    terminal.say(text.rstrip())


def _full(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _full(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in ("", None, [], {})}
    if isinstance(value, list):
        return [_full(part) for part in value]
    return value

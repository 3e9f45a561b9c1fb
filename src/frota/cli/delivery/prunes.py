"""Letting deletions go that the brake of a fleet holds in one cluster."""

from __future__ import annotations

from frota.cli.delivery import standing
from frota.cli.naming import CLUSTER
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.words import plural
from frota.cli.writing import confirm, report, told
from frota.controllers.clusterrecords import PRUNE_APPROVAL, STATUS, approval_name
from frota.model.release import ClusterStatus, HeldPrune
from frota.ports.store import Write
from frota.store.sqlite import SqliteStore

_NAMED_MOST = 5


def cluster_meant(store: SqliteStore, word: str) -> str:
    """The member cluster that a name, or the hash of what it holds, means; empty if none."""
    found = standing.statuses(store)
    if word in standing.members(store):
        return word
    return next((name for name, status in found.items() if _hash(status) == word), "")


def _hash(status: standing.Raw) -> str:
    held = status.get("held")
    return str(held["approval"]["plan"]) if held else ""


def let_go(store: SqliteStore, cluster: str, plan: str, terminal: Terminal, *, yes: bool) -> None:
    """Approve what is held in a cluster now. ``plan`` is the hash that was read; without one
    the person is shown what is held, and asked."""
    entry = store.get(STATUS, cluster)
    status: ClusterStatus | None = entry.value if entry is not None else None
    held = status.held if status is not None else None
    if status is None or held is None:
        raise Failure(Exit.NOT_FOUND, f"nothing is held in cluster {cluster}")
    found = held.approval.plan
    if plan and plan != found:
        raise Failure(
            Exit.NOT_FOUND,
            f"no deletions in {cluster} with hash {plan} are held; held: {found}",
        )
    if not plan:
        terminal.note(_shown(cluster, held))
        confirm(terminal, cluster, yes=yes)
    name = approval_name(cluster, found)
    changed = store.get(PRUNE_APPROVAL, name) is None
    if changed:
        line = told(store, status.fleet, f"{CLUSTER}/{cluster}", f"approve deletions {found}")
        store.commit([Write(PRUNE_APPROVAL, name, held.approval, 0)], [line])
    text = f"{plural(held.count, 'deletion')} in {cluster} {'are' if held.count > 1 else 'is'}"
    was = "" if changed else " (was already)"
    report(terminal, f"{PRUNE_APPROVAL}/{name}", "approve", changed, f"{text} approved{was}")


def _shown(cluster: str, held: HeldPrune) -> str:
    named = ", ".join(held.objects[:_NAMED_MOST])
    more = held.count - min(len(held.objects), _NAMED_MOST)
    others = f" and {more} more" if more > 0 else ""
    return (
        f"{cluster} ({held.approval.plan}): {plural(held.count, 'object')} would be deleted: "
        f"{named}{others}; {'; '.join(held.reasons)}"
    )

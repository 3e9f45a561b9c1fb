"""What would be on record once controllers had read the documents: hosts taken as there,
sets and VMs made, grown, shrunk. No host is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from frota.controllers import declare
from frota.controllers.brake import DELETIONS_BRAKED
from frota.controllers.desired import desired_cluster, desired_group
from frota.controllers.draft import Draft
from frota.controllers.records import Records
from frota.model.condition import Condition
from frota.model.host import Host, HostState
from frota.model.snapshot import Snapshot

_LONG_AGO = -1e9  # before any wait for hosts to join
TWIN = "twin"


@dataclass(frozen=True, slots=True)
class Situation:
    """A host group to plan for. ``notes`` say what is not known of it; ``held`` is the
    condition of deletions that the brake would hold: their VMs stay in the snapshot."""

    snapshot: Snapshot
    notes: tuple[str, ...] = ()
    held: Condition | None = None


def as_declared(
    group: Mapping[str, Any],
    clusters: Iterable[Mapping[str, Any]],
    records: Records,
    now: float,
) -> Situation:
    """What follows from documents and records."""
    spec = desired_group(group)
    wanted = {cluster.name: cluster for cluster in map(desired_cluster, clusters)}
    draft = Draft.of(records, spec, wanted, now)
    fresh = not records.hosts
    new_id = _ids()
    declare.declare_hosts(draft, new_id)
    notes = tuple(_take_hosts(draft, fresh=fresh))
    declare.expand_sets(draft)
    declare.adopt_domains(draft)
    declare.declare_population(draft, new_id)
    declare.forget_idle(draft)
    held = draft.conditions.get(f"HostGroup/{spec.name}/{DELETIONS_BRAKED}")
    return Situation(draft.snapshot(), notes, held)


def _ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"plan-{next(numbers)}"


def _take_hosts(draft: Draft, *, fresh: bool) -> Iterable[str]:
    """Hosts that have not joined yet are taken as up, with what is declared of them."""
    for spec in draft.spec.hosts:
        host = draft.hosts[spec.name]
        declared = spec.capacity()
        if host.state is HostState.JOINING:
            if declared is None:
                draft.hosts[spec.name] = replace(host, since=_LONG_AGO)
                yield (
                    f"host {spec.name} is left out: it declares no memory and CPUs, and nobody "
                    "has seen it yet"
                )
            else:
                draft.hosts[spec.name] = _up(replace(host, capacity=declared))
                if not fresh:
                    yield f"host {spec.name} is taken as there, but it has not joined yet"
        elif draft.spec.provider == TWIN and declared is not None:
            draft.hosts[spec.name] = replace(host, capacity=declared)


def _up(host: Host) -> Host:
    return replace(host, state=HostState.UP, since=_LONG_AGO)

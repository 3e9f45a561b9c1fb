"""What would be on record once controllers had read the documents: hosts taken as there,
sets and VMs made, grown, shrunk. No host is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from frota.controllers import declare
from frota.controllers.desired import desired_cluster, desired_group
from frota.controllers.draft import Draft
from frota.controllers.records import Records
from frota.model.host import Host, HostState
from frota.model.snapshot import Snapshot

_LONG_AGO = -1e9  # before any wait for hosts to join
TWIN = "twin"


def as_declared(
    group: Mapping[str, Any],
    clusters: Iterable[Mapping[str, Any]],
    records: Records,
    now: float,
) -> tuple[Snapshot, tuple[str, ...]]:
    """The snapshot that follows from documents and records, and what is not known."""
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
    return draft.snapshot(), notes


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

"""From what is declared to records: hosts that should be members, sets, VMs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from frota.controllers import brake
from frota.controllers.build import left_disk
from frota.controllers.desired import ClusterSpec, HostSpec
from frota.controllers.draft import Draft
from frota.model.availability import domain_of
from frota.model.decision import Stage
from frota.model.host import Capacity, Host, HostState
from frota.model.vm import VmState
from frota.planners.population import Population, Role, populate

_NOTHING = Capacity(0, 0, 0)
_JOINING = HostState.JOINING  # looking it up through its enum is slow
_IDLE = frozenset({VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE})


def declare_hosts(draft: Draft, new_cause: Callable[[], str]) -> None:
    """Make records for hosts that were added; a name that was removed joins anew."""
    for spec in draft.spec.hosts:
        old = draft.hosts.get(spec.name)
        if old is not None and old.state is not HostState.REMOVED:
            if old.rack != spec.rack:
                draft.hosts[spec.name] = replace(old, rack=spec.rack)
            continue
        cause = draft.asked(f"HostGroup/{draft.spec.name}") or new_cause()
        draft.hosts[spec.name] = _joining(spec, old, draft.now, cause)
        draft.story.tell(Stage.CAUSE, cause, f"Host/{spec.name}", "HostAdded", "was declared")


def _joining(spec: HostSpec, old: Host | None, now: float, cause: str) -> Host:
    return Host(
        name=spec.name,
        rack=spec.rack,
        capacity=spec.capacity() or _NOTHING,
        state=HostState.JOINING,
        since=now,
        tenure=old.tenure + 1 if old is not None else 1,
        cause_id=cause,
    )


def expand_sets(draft: Draft) -> None:
    """Sets learn of domains that joined, and of those that are gone for good."""
    levels = {level for spread in draft.sets.values() for level in spread.levels}
    if not levels:
        return
    members = [host for host in draft.hosts.values() if host.member]
    joined = {
        level: frozenset(domain_of(h, level) for h in members if h.state is not HostState.JOINING)
        for level in levels
    }
    present = {level: frozenset(domain_of(h, level) for h in members) for level in levels}
    for spread in list(draft.sets.values()):
        config = spread.generations[-1]
        now = frozenset().union(*(joined[level] for level in spread.levels))
        there = frozenset().union(*(present[level] for level in spread.levels))
        if now <= config <= there.union(spread.removed):
            continue
        changed = spread
        if not now <= config:
            changed = replace(changed, generations=(*spread.generations, config | now))
        gone = tuple(sorted(config - there - set(spread.removed)))
        if gone:
            changed = replace(changed, removed=(*spread.removed, *gone))
        draft.sets[spread.name] = changed
        _tell_expansion(draft, spread.name, now - config, gone)


def _tell_expansion(draft: Draft, name: str, joined: frozenset[str], gone: tuple[str, ...]) -> None:
    cause = next((h.cause_id for h in draft.hosts.values() if h.since == draft.now), "")
    subject = f"AvailabilitySet/{name}"
    if joined:
        text = f"{', '.join(sorted(joined))} joined; old members stay where they are"
        draft.story.tell(Stage.DECISION, cause, subject, "ConfigExpanded", text)
    if gone:
        text = f"{', '.join(gone)} lost for good: Unhealthy until redeployed"
        draft.story.tell(Stage.DECISION, cause, subject, "DomainRemoved", text)


def basis_of_population(draft: Draft) -> tuple[object, ...] | None:
    """All that tells whether VMs and sets are as declared, while no set is being replaced; None
    while hosts join, for then it is a matter of time too."""
    if any(host.state is _JOINING for host in draft.hosts.values()):
        return None
    members = any(host.member for host in draft.hosts.values())
    vms = [(v.set, v.wanted, v.priority, v.mobility, v.size) for v in draft.vms.values()]
    return members, list(draft.clusters.values()), list(draft.sets.values()), vms


def declare_population(draft: Draft, new_cause: Callable[[], str]) -> bool:
    """Create, scale, replace and retire VMs and sets as the clusters ask. Whether there is
    nothing to do for as long as ``basis_of_population`` stays the same."""
    roles = [role for cluster in draft.clusters.values() for role in roles_of(cluster)]
    if _still_gathering(draft):
        owners = {(spread.cluster, spread.role) for spread in draft.sets.values()}
        roles = [role for role in roles if (role.cluster, role.role) in owners]
    snapshot = draft.snapshot()
    order = max((vm.order for vm in draft.vms.values()), default=0) + 1
    found = populate(roles, snapshot, order)
    draft.waiting = found.waiting
    as_declared = not (found.waiting or found.unwanted)  # the brake may keep what is unwanted
    causes = _Causes(draft, new_cause)
    _brake(draft, found, causes)
    if not (found.sets or found.vms or found.gone_sets or found.unwanted):
        return as_declared
    draft.wake_at(draft.now)  # one change may call for the next
    _declare_sets(draft, found, causes)
    for vm in found.vms:
        if vm.name not in draft.vms:
            cause, text = causes.of(vm.set), f"wanted by set {vm.set}"
            draft.story.tell(Stage.CAUSE, cause, f"VirtualMachine/{vm.name}", "Declared", text)
            vm = replace(vm, cause_id=cause)  # noqa: PLW2901 - the same VM, with its cause
        draft.vms[vm.name] = vm
    for name in found.unwanted:
        cause = causes.of(draft.vms[name].set)
        draft.vms[name] = replace(draft.vms[name], wanted=False, cause_id=cause)
        text = "no longer wanted"
        draft.story.tell(Stage.DECISION, cause, f"VirtualMachine/{name}", "ScaledDown", text)
    return False


def _brake(draft: Draft, found: Population, causes: _Causes) -> None:
    """Delete nothing where that would be too much at once."""
    names = found.deletions
    held = brake.story_of_held(draft, brake.DELETIONS_BRAKED)
    cause = held or (causes.of(draft.vms[names[0]].set) if names else "")
    if not brake.lets_deletions(draft, names, cause):
        found.keep()
    elif held and names:
        causes.all_are(held)


def _declare_sets(draft: Draft, found: Population, causes: _Causes) -> None:
    for spread in found.sets:
        if spread.name not in draft.sets:
            draft.sets[spread.name] = spread
            cause = causes.of(spread.name)
            subject = f"AvailabilitySet/{spread.name}"
            draft.story.tell(Stage.CAUSE, cause, subject, "SetDeclared", "made")
        draft.sets[spread.name] = spread
    for name in found.gone_sets:
        cause = causes.of(name)
        draft.sets.pop(name)
        draft.verdicts.pop(name, None)
        draft.story.tell(Stage.OUTCOME, cause, f"AvailabilitySet/{name}", "SetDeleted", "gone")


class _Causes:
    """The story that a change of a set belongs to: that of the person who asked for it."""

    def __init__(self, draft: Draft, new_cause: Callable[[], str]) -> None:
        self._draft = draft
        self._new_cause = new_cause
        self._known: dict[str, str] = {}
        self._all = ""

    def all_are(self, cause: str) -> None:
        """Have everything belong to one story."""
        self._all = cause

    def of(self, name: str) -> str:
        """The cause of a change of the set with this name."""
        if self._all:
            return self._all
        spread = self._draft.sets[name]
        subject = f"Cluster/{spread.cluster}"
        if spread.redeploy or spread.successor_of:
            replaced = name if spread.redeploy else spread.successor_of
            subject = f"AvailabilitySet/{replaced}"
        if subject not in self._known:
            self._known[subject] = self._draft.asked(subject) or self._fallback()
        return self._known[subject]

    def _fallback(self) -> str:
        if "" not in self._known:
            self._known[""] = self._new_cause()
        return self._known[""]


def _still_gathering(draft: Draft) -> bool:
    """Whether new sets should wait: they are configured with the hosts that are there, so
    declared hosts get a moment to join, and the first host must have."""
    joining = [h for h in draft.hosts.values() if h.state is HostState.JOINING]
    patience = draft.spec.policy.timers.isolated
    late = [host for host in joining if host.since + patience > draft.now]
    for host in late:
        draft.wake_at(host.since + patience)
    return bool(late) or all(not h.member or h in joining for h in draft.hosts.values())


def forget_idle(draft: Draft) -> None:
    """Delete records of unwanted VMs that run nowhere."""
    for vm in list(draft.vms.values()):
        if not vm.wanted and vm.operation is None and vm.state in _IDLE:
            del draft.vms[vm.name]
            draft.wake_at(draft.now)  # a host may wait only for copies of it to be ended
            text = f"it ran nowhere{left_disk(vm, draft) if vm.epoch else ''}"
            draft.story.tell(
                Stage.OUTCOME, vm.cause_id, f"VirtualMachine/{vm.name}", "Deleted", text
            )


def unhost_removed(draft: Draft) -> None:
    """Homes on hosts that are gone for good are no homes any more."""
    for name in draft.removed:
        for vm in list(draft.vms.values()):
            if vm.home == name:
                home = vm.host if vm.host != name else ""
                draft.vms[vm.name] = replace(vm, home=home)


@lru_cache(maxsize=4096)
def roles_of(cluster: ClusterSpec) -> tuple[Role, ...]:
    """What the population planner must know of a cluster."""
    return tuple(
        Role(
            cluster=cluster.name,
            role=role.role,
            set_name=role.set_name,
            vm_prefix=role.vm_prefix,
            count=role.count,
            size=role.size,
            priority=role.priority,
            mobility=role.mobility,
            levels=role.levels,
            adopt_new_domains=role.adopt_new_domains,
        )
        for role in cluster.roles
    )


def adopt_domains(draft: Draft) -> None:
    """Members of sets that adopt new domains belong to the latest configuration."""
    latest = {
        name: len(spread.generations) - 1
        for name, spread in draft.sets.items()
        if spread.adopt_new_domains
    }
    if not latest:
        return
    for vm in list(draft.vms.values()):
        if vm.generation < latest.get(vm.set, -1):
            draft.vms[vm.name] = replace(vm, generation=latest[vm.set])

"""Any snapshot at all, as long as its names exist."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from frota.model.availability import AvailabilitySet, Level, domain_of
from frota.model.host import Capacity, Host, HostState, Intent, Size
from frota.model.policy import Admission, Policy, RebalanceMode, Throttle, Timers
from frota.model.snapshot import Snapshot
from frota.model.vm import Mobility, Operation, Verb, Vm, VmState

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
texts = st.text(st.characters(codec="utf-8"), max_size=12)
times = st.floats(-1e17, 1e17, allow_nan=False)
seconds = st.floats(0, 1e9, allow_nan=False)
counts = st.integers(0, 1_000_000)
gpu_models = st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True)

capacities = st.builds(
    Capacity,
    memory_mib=st.integers(0, 1 << 24),
    vcpus=counts,
    slots=counts,
    gpus=st.lists(
        st.tuples(gpu_models, st.integers(1, 64)), max_size=2, unique_by=lambda g: g[0]
    ).map(lambda gpus: tuple(sorted(gpus))),
)
sizes = st.one_of(
    st.builds(Size, st.integers(1, 1 << 20), counts),
    st.builds(Size, st.integers(1, 1 << 20), counts, gpu_models, st.integers(1, 64)),
)
shares = st.floats(0, 1, allow_nan=False)
policies = st.builds(
    Policy,
    timers=st.builds(
        Timers, beat=seconds, suspect_beats=counts, retry_first=seconds, move_cooldown=seconds
    ),
    throttle=st.builds(Throttle, counts, counts, counts),
    rebalance=st.sampled_from(RebalanceMode),
    admission=st.sampled_from(Admission),
    quarantine_share=shares,
    storm_share=shares,
    brake_share=shares,
    brake_delete_share=shares,
    brake_least=counts,
    preempt=st.booleans(),
    cold_rebalance=st.booleans(),
    work_limit=seconds,
    lease_usable=st.booleans(),
)


def hosts(name: str) -> st.SearchStrategy[Host]:
    """A host of this name."""
    return st.builds(
        Host,
        name=st.just(name),
        rack=st.one_of(st.just(name), names),
        capacity=capacities,
        state=st.sampled_from(HostState),
        since=times,
        incarnation=texts,
        intent=st.sampled_from(Intent),
        leaves=st.lists(times, max_size=3).map(tuple),
        fence_proof=texts,
        declared_dead=texts,
        cleared=st.booleans(),
        before=st.sampled_from(HostState),
        until=times,
        tenure=st.integers(1, 5),
        reason=texts,
        cause_id=texts,
    )


@st.composite
def sets(draw: st.DrawFn, name: str, of: list[Host]) -> AvailabilitySet:
    levels = draw(st.sampled_from([(Level.HOST,), (Level.RACK,), (Level.RACK, Level.HOST)]))
    domains = st.frozensets(
        st.sampled_from([domain_of(h, level) for h in of for level in levels] or ["host/gone"])
    )
    every = frozenset(domain_of(h, level) for h in of if h.member for level in levels)
    return AvailabilitySet(
        name=name,
        cluster=draw(names),
        role=draw(st.sampled_from(["control-plane", "pool/w", "pool/x"])),
        levels=levels,
        generations=draw(st.one_of(st.just((every,)), st.lists(domains, max_size=3).map(tuple))),
        removed=tuple(sorted(draw(domains))),
        adopt_new_domains=draw(st.booleans()),
        deleting=draw(st.booleans()),
        redeploy=draw(st.booleans()),
        next_number=draw(counts),
    )


@st.composite
def vms(draw: st.DrawFn, name: str, in_sets: list[str], on: list[str]) -> Vm:
    host = draw(st.sampled_from(["", *on]))
    states = [VmState.PENDING, VmState.LOST, VmState.UNPLACEABLE, VmState.STOPPED]
    end = st.sampled_from(["", *on])
    operation = st.builds(
        Operation,
        id=texts,
        verb=st.sampled_from(Verb),
        vm=st.just(name),
        src=end,
        dst=end,
        epoch=counts,
        voluntary=st.booleans(),
        since=times,
        cause_id=texts,
    )
    return draw(
        st.builds(
            Vm,
            name=st.just(name),
            set=st.sampled_from(["", *in_sets]),
            size=sizes,
            order=counts,
            state=st.sampled_from(list(VmState) if host else states),
            host=st.just(host),
            home=st.sampled_from(["", *on]),
            generation=st.integers(0, 3),
            priority=st.integers(-10, 2000),
            mobility=st.sampled_from(Mobility),
            epoch=counts,
            ready=st.booleans(),
            moved_at=st.one_of(st.just(-1e18), times),
            failures=counts,
            retry_at=st.one_of(st.just(-1e18), times),
            operation=st.one_of(st.none(), operation),
            transit=texts,
            wanted=st.booleans(),
            halted=st.booleans(),
            reason=texts,
            cause_id=texts,
        )
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot whose references hold."""
    host_names = draw(st.lists(names, max_size=4, unique=True))
    set_names = draw(st.lists(names, max_size=3, unique=True))
    vm_names = draw(st.lists(names, max_size=5, unique=True))
    found = [draw(hosts(name)) for name in host_names]
    spreads = [draw(sets(name, found)) for name in set_names]
    if len(spreads) > 1 and draw(st.booleans()):
        spreads[1] = replace(spreads[1], successor_of=spreads[0].name)
    members = [draw(vms(name, set_names, host_names)) for name in vm_names]
    return Snapshot(
        draw(names),
        draw(times),
        {host.name: host for host in found},
        {spread.name: spread for spread in spreads},
        {vm.name: vm for vm in members},
        draw(policies),
    )

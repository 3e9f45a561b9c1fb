"""Clusters as they could be: any function and environment, any mix of workloads."""

from __future__ import annotations

from hypothesis import strategies as st

from frota.compile.kubernetes.site import (
    Checkpoint,
    Flow,
    Gpu,
    Job,
    ModelRef,
    Peer,
    Pool,
    Quota,
    Resources,
    Scaling,
    Service,
    Site,
    Slo,
    Taint,
    Tenancy,
)

_DIGEST = "sha256:" + "0123456789abcdef" * 4
_IMAGE = f"registry.example/image@{_DIGEST}"
_short = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)
_long = st.from_regex(r"[a-z][-a-z0-9]{50,61}[a-z0-9]", fullmatch=True)
names = st.one_of(_short, _long)
_some_names = st.lists(names, max_size=2, unique=True)
_seconds = st.integers(0, 400_000)
_ports = st.integers(1, 65535)
_networks = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "169.254.169.254/32", "169.254.0.0/16", "::/0", "128.0.0.0/1"]
)
gpus = st.builds(
    Gpu, st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-1g.10gb"]), st.integers(1, 8)
)
resources = st.builds(
    Resources, st.integers(1, 64), st.sampled_from(["1Gi", "512Mi"]), st.none() | gpus
)
models = st.builds(
    ModelRef,
    _short,
    st.sampled_from(["v1", "2026-11-01"]),
    st.just(_DIGEST),
    st.sampled_from(
        [
            "https://acme.blob.core.windows.net/models/a.tar",
            "az://acme/models/a",
            "http://10.1.2.3:9000/a",
            "http://store.models.svc.cluster.local/a",
            "pvc://weights/a",
            "hf://acme/model/a.gguf",
            "https://[fd00::1]:8443/a",
        ]
    ),
)
_flows = st.lists(
    st.one_of(
        st.builds(Flow, names, _ports, cidr=_networks),
        st.builds(Flow, names, _ports, namespace=_short),
    ),
    max_size=3,
    unique_by=lambda flow: flow.name,
).map(tuple)
_env = st.dictionaries(
    st.sampled_from(["A", "B"]), st.sampled_from(["y", "1e3", "no", "plain"]), max_size=2
)
pools = st.builds(
    Pool,
    _short,
    st.dictionaries(st.sampled_from(["agentpool", "node.kubernetes.io/sort"]), _short, max_size=2),
    st.lists(st.builds(Taint, st.just("sku"), st.just("NoSchedule"), _short), max_size=2).map(
        tuple
    ),
    st.none() | gpus,
    st.booleans(),
)
_quotas = st.builds(
    Quota,
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 100),
    st.none() | st.just("1Gi"),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
)
_groups = st.lists(_short, max_size=2, unique=True).map(tuple)


def _tenancy(team: str, namespace: str) -> st.SearchStrategy[Tenancy]:
    return st.builds(
        Tenancy,
        st.just(team),
        st.just(namespace),
        _groups,
        _groups,
        _groups,
        _quotas,
        _seconds,
    )


def services(name: str, tenancy: Tenancy) -> st.SearchStrategy[Service]:
    """A service of a team."""
    return st.builds(
        Service,
        name=st.just(name),
        team=st.just(tenancy.team),
        namespace=st.just(tenancy.namespace),
        model=models,
        image=st.just(_IMAGE),
        port=_ports,
        resources=resources,
        replicas=st.integers(0, 5),
        args=st.just(("--flag", "y")),
        env=_env,
        metrics_port=st.just(0) | _ports,
        startup=st.integers(1, 7200),
        nodes_per_replica=st.integers(1, 3),
        scaling=st.none()
        | st.builds(
            Scaling,
            st.integers(0, 2),
            st.integers(2, 9),
            st.sampled_from(["queue", "kv-cache", "cpu"]),
            st.integers(1, 100),
        ),
        slo=st.builds(Slo, st.sampled_from([0.0, 0.999]), st.sampled_from([0.0, 0.5, 3.0])),
        egress=_flows,
        gateway=st.none() | st.builds(Peer, _short, st.dictionaries(st.just("app"), _short)),
    )


def jobs(name: str, tenancy: Tenancy) -> st.SearchStrategy[Job]:
    """A job of a team."""
    return st.builds(
        Job,
        name=st.just(name),
        team=st.just(tenancy.team),
        namespace=st.just(tenancy.namespace),
        image=st.just(_IMAGE),
        resources=resources,
        command=st.just(("train",)),
        env=_env,
        nodes=st.integers(1, 4),
        queue=st.just("") | _short,
        suspend=st.booleans(),
        spot=st.booleans(),
        deadline=_seconds,
        ttl_after_finished=_seconds,
        checkpoint=st.none() | st.builds(Checkpoint, st.just("5Gi"), st.just("/state")),
        model=st.none() | models,
        egress=_flows,
    )


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A cluster of a fleet."""
    teams = draw(_some_names)
    tenancies = tuple(draw(_tenancy(team, f"{team[:60]}-{n}")) for n, team in enumerate(teams))
    found_services: list[Service] = []
    found_jobs: list[Job] = []
    for tenancy in tenancies:
        served, trained = draw(_some_names), draw(_some_names)
        found_services += [draw(services(name, tenancy)) for name in served]
        found_jobs += [draw(jobs(name, tenancy)) for name in trained]
    return Site(
        fleet=draw(names),
        cluster=draw(names),
        function=draw(st.sampled_from(["training", "inference", "experimentation"])),
        environment=draw(st.sampled_from(["dev", "staging", "prod"])),
        pools=tuple(draw(st.lists(pools, max_size=3, unique_by=lambda pool: pool.name))),
        client_id=draw(st.sampled_from(["", "11111111-2222-3333-4444-555555555555"])),
        tenancies=tenancies,
        services=tuple(found_services),
        jobs=tuple(found_jobs),
    )

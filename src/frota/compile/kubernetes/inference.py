"""An InferenceService in one cluster: servers, how they are reached, scaled and spared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frota.compile.kubernetes import pods, quotas
from frota.compile.kubernetes.labels import (
    GROUP_NAME_MOST,
    SERVICE,
    Manifest,
    fitted,
    manifest,
    model_labels,
    named,
)
from frota.compile.kubernetes.site import Scaling, Service, Site

CACHE_USED = "frota_inference_cache_usage_ratio"
WAITING = "frota_inference_requests_waiting"

_LWS = "leaderworkerset.x-k8s.io"
# Set by LeaderWorkerSet on its pods; the first of a group is the one that serves.
_LEADER = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
_PROBE_SECONDS = 10
_LEAVE_SECONDS = 10  # until the endpoint is gone everywhere, requests still come
_GRACE_SECONDS = 120  # for answers that are under way
_SCHEDULING_SECONDS = 600  # added to the start-up time before a rollout counts as stuck


def objects(site: Site, service: Service) -> Iterator[Manifest]:
    """Everything that one service needs, except its network policies and its monitor."""
    labels = {SERVICE: service.name, **model_labels(service.model)}
    yield pods.account(site, service, labels)
    yield _group(site, service, labels) if _grouped(service) else _single(site, service, labels)
    yield _service(service, labels)
    yield _disruption(service, labels)
    if service.scaling:
        yield _scaler(service, service.scaling, labels)


def _grouped(service: Service) -> bool:
    return service.nodes_per_replica > 1


def target(service: Service) -> Manifest:
    """The object that runs a service, as others refer to it."""
    if _grouped(service):
        return {
            "apiVersion": f"{_LWS}/v1",
            "kind": "LeaderWorkerSet",
            "name": group_name(service),
        }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name}


def _single(site: Site, service: Service, labels: dict[str, str]) -> Manifest:
    alone = service.replicas < 2 and service.scaling is None
    # GPUs to start one more beside the old ones may be missing: several replicas may do
    # without one of them, a single one may not.
    update = {"maxSurge": 1, "maxUnavailable": 0 if alone else 1}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {SERVICE: service.name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": update},
        "progressDeadlineSeconds": service.startup + _SCHEDULING_SECONDS,
        "revisionHistoryLimit": 3,
        "template": _template(site, service, serves=True, key="pod-template-hash"),
        **_replicas(service),
    }
    return manifest("apps/v1", "Deployment", _metadata(service, labels), spec=spec)


def _group(site: Site, service: Service, labels: dict[str, str]) -> Manifest:
    spec: dict[str, Any] = {
        "leaderWorkerTemplate": {
            "size": service.nodes_per_replica,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": _template(site, service, serves=True),
            "workerTemplate": _template(site, service, serves=False),
        },
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},
        },
        "startupPolicy": "LeaderCreated",
        **_replicas(service),
    }
    metadata = named(group_name(service), service.namespace, labels)
    return manifest(f"{_LWS}/v1", "LeaderWorkerSet", metadata, spec=spec)


def group_name(service: Service) -> str:
    """The name of a service's LeaderWorkerSet, which makes a headless Service of that name."""
    return fitted(service.name, "nodes", most=GROUP_NAME_MOST)


def _replicas(service: Service) -> dict[str, int]:
    """Where something scales the service, the number is that something's to write."""
    return {} if service.scaling else {"replicas": service.replicas}


def _template(site: Site, service: Service, *, serves: bool, key: str = "") -> Manifest:
    labels = pods.labels_of(site, service, {SERVICE: service.name})
    container = pods.Container(
        name="server",
        image=service.image,
        resources=service.resources,
        args=service.args,
        env=service.env,
        more={"ports": _ports(service), **(_probes(service) if serves else {})},
    )
    nodes = pods.suitable(site, service.resources, pool=service.pool, spot=False)
    spec = pods.spec(service, container, nodes)
    spec["priorityClassName"] = quotas.INFERENCE
    spec["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    spec["topologySpreadConstraints"] = _spread(service, key, serves=serves)
    metadata = {"labels": labels, "annotations": pods.annotations_of(service)}
    return {"metadata": metadata, "spec": spec}


def _spread(service: Service, key: str, *, serves: bool) -> list[Manifest]:
    """Over zones and over hosts, as well as it goes: a replica on a shared host is better
    than one that waits."""
    chosen = {SERVICE: service.name, **(_LEADER if _grouped(service) and serves else {})}
    own = {"matchLabelKeys": [key]} if key else {}
    return [
        {
            "maxSkew": 1,
            "topologyKey": topology,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": chosen},
            **own,
        }
        for topology in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _ports(service: Service) -> list[Manifest]:
    ports = [{"name": "http", "containerPort": service.port, "protocol": "TCP"}]
    if _own_metrics_port(service):
        more = {"name": "metrics", "containerPort": service.metrics_port, "protocol": "TCP"}
        ports.append(more)
    return ports


def _own_metrics_port(service: Service) -> bool:
    return service.metrics_port not in (0, service.port)


def metrics_port_name(service: Service) -> str:
    """The name of the port at which a pod tells its metrics."""
    return "metrics" if _own_metrics_port(service) else "http"


def _probes(service: Service) -> Manifest:
    """Loading a model takes long: until the start-up probe has passed, no other counts."""
    check = {"httpGet": {"path": service.health, "port": "http"}}
    tries = -(-service.startup // _PROBE_SECONDS)
    return {
        "startupProbe": {**check, "periodSeconds": _PROBE_SECONDS, "failureThreshold": tries},
        "readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3},
        "lifecycle": {"preStop": {"sleep": {"seconds": _LEAVE_SECONDS}}},
    }


def _service(service: Service, labels: dict[str, str]) -> Manifest:
    chosen = {SERVICE: service.name, **(_LEADER if _grouped(service) else {})}
    port = {"name": "http", "port": service.port, "targetPort": "http", "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": chosen, "ports": [port]}
    return manifest("v1", "Service", _metadata(service, labels), spec=spec)


def _disruption(service: Service, labels: dict[str, str]) -> Manifest:
    """One at a time. With a single replica a drain still gets through: the other way round
    it would hang for ever."""
    chosen = {SERVICE: service.name, **(_LEADER if _grouped(service) else {})}
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": chosen},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    metadata = named(pods.account_name(service), service.namespace, labels)
    return manifest("policy/v1", "PodDisruptionBudget", metadata, spec=spec)


def _scaler(service: Service, scaling: Scaling, labels: dict[str, str]) -> Manifest:
    """Up at once, down slowly: starting a server again takes minutes."""
    wait = max(300, service.startup)
    spec = {
        "scaleTargetRef": target(service),
        # Kubernetes scales to none only behind a feature gate that is off.
        "minReplicas": max(1, scaling.least),
        "maxReplicas": scaling.most,
        "metrics": [_metric(service, scaling)],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": min(wait, 3600)}},
    }
    return manifest(
        "autoscaling/v2", "HorizontalPodAutoscaler", _metadata(service, labels), spec=spec
    )


def _metric(service: Service, scaling: Scaling) -> Manifest:
    """CPU is known to Kubernetes; the rest is what Frota's recording rules call it, offered
    by whatever serves ``external.metrics.k8s.io`` in the cluster."""
    if scaling.metric == "cpu":
        aim = {"type": "Utilization", "averageUtilization": scaling.target}
        return {"type": "Resource", "resource": {"name": "cpu", "target": aim}}
    if scaling.metric == "kv-cache":
        name = CACHE_USED
        aim = {"type": "Value", "value": f"{scaling.target * 10}m"}  # percent as a share
    else:
        name = WAITING
        aim = {"type": "AverageValue", "averageValue": str(scaling.target)}
    chosen = {"namespace": service.namespace, "service": service.name}
    metric = {"name": name, "selector": {"matchLabels": chosen}}
    return {"type": "External", "external": {"metric": metric, "target": aim}}


def _metadata(service: Service, labels: dict[str, str]) -> Manifest:
    return named(service.name, service.namespace, labels)

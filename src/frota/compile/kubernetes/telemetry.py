"""How metrics are found and what they are called: the same names in every cluster, whatever
serves the models there."""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.inference import metrics_port_name
from frota.compile.kubernetes.labels import (
    GPU_NAMESPACE,
    MODEL,
    MODEL_VERSION,
    SERVICE,
    SYSTEM_NAMESPACE,
    TEAM,
    Manifest,
    fitted,
    manifest,
    model_labels,
    named,
)
from frota.compile.kubernetes.network import DCGM_EXPORTER
from frota.compile.kubernetes.rules import groups, groups_of
from frota.compile.kubernetes.site import Service, Site

_MONITORING = "monitoring.coreos.com/v1"
_INTERVAL = "15s"
# What is counted on GPUs: enough to see use, room, heat and faults, and no more, since each
# counter is one series for every GPU of the fleet. Field, type, help: the exporter's format.
_COUNTERS = (
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %)."),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Share of time the graphics engine is active."),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Share of cycles the tensor pipe is active."),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Frame buffer memory used (in MiB)."),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Frame buffer memory free (in MiB)."),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C)."),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W)."),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "Value of the last XID error encountered."),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether remapping of rows has failed."),
    ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "counter", "Bytes over all NVLink lanes."),
)


def objects(site: Site) -> Iterator[Manifest]:
    """Monitors, counters and rules of a cluster, but for those of its services."""
    if site.gpu_resources:
        yield _counters()
        yield _gpu_monitor(site)
    if rules := groups(site):
        yield _rules(named("frota", SYSTEM_NAMESPACE), rules)


def of_service(site: Site, service: Service) -> Iterator[Manifest]:
    """The monitor and the rules of one service."""
    labels = {SERVICE: service.name, **model_labels(service.model)}
    metadata = named(fitted("serve", service.name), service.namespace, labels)
    yield _monitor(site, service, metadata)
    yield _rules(metadata, groups_of(service))


def _rules(metadata: Manifest, found: list[Manifest]) -> Manifest:
    return manifest(_MONITORING, "PrometheusRule", metadata, spec={"groups": found})


def _counters() -> Manifest:
    text = "".join(f"{field}, {kind}, {said}\n" for field, kind, said in _COUNTERS)
    metadata = named("dcgm-counters", GPU_NAMESPACE)
    return manifest("v1", "ConfigMap", metadata, data={"counters.csv": text})


def _gpu_monitor(site: Site) -> Manifest:
    spec = {
        "selector": {"matchLabels": dict(DCGM_EXPORTER)},
        "podMetricsEndpoints": [
            {"port": "metrics", "interval": _INTERVAL, "relabelings": [_fixed("cluster", site)]}
        ],
    }
    metadata = named("dcgm-exporter", GPU_NAMESPACE)
    return manifest(_MONITORING, "PodMonitor", metadata, spec=spec)


def _monitor(site: Site, service: Service, metadata: Manifest) -> Manifest:
    names = ((SERVICE, "service"), (TEAM, "team"), (MODEL, "model"), (MODEL_VERSION, "version"))
    relabelings = [_fixed("cluster", site), *(_taken(label, name) for label, name in names)]
    endpoint = {
        "port": metrics_port_name(service),
        "interval": _INTERVAL,
        "relabelings": relabelings,
    }
    spec = {
        "selector": {"matchLabels": {SERVICE: service.name}},
        "podMetricsEndpoints": [endpoint],
    }
    return manifest(_MONITORING, "PodMonitor", metadata, spec=spec)


def _taken(label: str, name: str) -> Manifest:
    """A label of the pod as a label of its series."""
    plain = "".join(c if c.isalnum() else "_" for c in label)
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{plain}"], "targetLabel": name}


def _fixed(name: str, site: Site) -> Manifest:
    value = site.cluster
    return {"action": "replace", "targetLabel": name, "replacement": value}

"""Recording rules into the ``frota_`` names, and the alerts that rest on them.

The sources are vLLM (``vllm:``), the DCGM exporter (``DCGM_FI_``) and kube-state-metrics
(``kube_``). The alerts on an objective are those of several windows and burn rates (Google,
The Site Reliability Workbook, chapter 5): 14.4 times for an hour is 2 % of a month's budget.
"""

from __future__ import annotations

from collections.abc import Iterator

from frota.compile.kubernetes.inference import CACHE_USED, WAITING, target
from frota.compile.kubernetes.labels import Manifest
from frota.compile.kubernetes.site import Service, Site
from frota.model.objectives import ServiceKey

_KEYS = "cluster, namespace, service"
_RECORDED = (
    (
        "frota_inference_requests_per_second",
        f"sum by ({_KEYS}) (rate(vllm:request_success_total[5m]))",
    ),
    ("frota_inference_requests_running", f"sum by ({_KEYS}) (vllm:num_requests_running)"),
    (WAITING, f"sum by ({_KEYS}) (vllm:num_requests_waiting)"),
    (CACHE_USED, f"avg by ({_KEYS}) (vllm:kv_cache_usage_perc)"),
    (
        "frota_inference_tokens_per_second",
        f"sum by ({_KEYS}) (rate(vllm:generation_tokens_total[5m]))",
    ),
)
_QUANTILES = (
    ("frota_inference_latency_seconds", "vllm:e2e_request_latency_seconds_bucket"),
    ("frota_inference_first_token_seconds", "vllm:time_to_first_token_seconds_bucket"),
)
_GPU_KEYS = "cluster, Hostname, gpu, UUID, modelName"
_GPU_RECORDED = (
    ("frota_gpu_utilization_ratio", f"avg by ({_GPU_KEYS}) (DCGM_FI_DEV_GPU_UTIL) / 100"),
    ("frota_gpu_memory_used_bytes", f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_FB_USED) * 1048576"),
    ("frota_gpu_memory_free_bytes", f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_FB_FREE) * 1048576"),
    ("frota_gpu_temperature_celsius", f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_GPU_TEMP)"),
    ("frota_gpu_power_watts", f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_POWER_USAGE)"),
    ("frota_gpu_xid", f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_XID_ERRORS)"),
)
# The bounds of vLLM's buckets of the time to the first token, as far as people wait.
_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5)
_SLOW_ALLOWED = "0.05"  # a latency is promised for 95 % of requests
_WINDOWS = ("5m", "30m", "1h", "6h", "3d")
# Burn rate, the long and the short window, how urgent: both must burn, so that the alert
# comes soon and goes soon.
_BURNS = (
    ("14.4", "1h", "5m", "critical"),
    ("6", "6h", "30m", "critical"),
    ("1", "3d", "6h", "warning"),
)


def groups(site: Site) -> list[Manifest]:
    """The rule groups of a cluster, but for those of its services."""
    found: list[Manifest] = []
    if site.services:
        found.append(_group("frota-inference", [*_inference(), _requests_wait()]))
    if site.gpu_resources:
        found.append(_group("frota-gpu", [*map(_record, _GPU_RECORDED), *_gpu_alerts()]))
    if site.tenancies:
        found.append(_group("frota-workloads", list(_workload_alerts(site))))
    return found


def objectives(site: Site) -> frozenset[ServiceKey]:
    """The services whose burn rate is recorded."""
    return frozenset((s.namespace, s.name) for s in site.services if _promises(s))


def _promises(service: Service) -> bool:
    return bool(service.slo.availability or service.slo.latency)


def groups_of(service: Service) -> list[Manifest]:
    """The rule groups of one service: a cluster may have more services than one object has
    room for."""
    name = f"{service.namespace}-{service.name}"
    found = [_group(f"frota-service-{name}", [_service_down(service)])]
    if _promises(service):
        found.append(_group(f"frota-objective-{name}", list(_objective(service))))
    return found


def _inference() -> Iterator[Manifest]:
    yield from map(_record, _RECORDED)
    for name, buckets in _QUANTILES:
        for share in ("0.5", "0.9", "0.99"):
            rate = f"sum by (le, {_KEYS}) (rate({buckets}[5m]))"
            rule = _record((name, f"histogram_quantile({share}, {rate})"))
            yield {**rule, "labels": {"quantile": share}}


def _objective(service: Service) -> Iterator[Manifest]:
    """How fast a service uses up what its objective allows: at 1, just in time. One number
    for each window, the worst of its objectives."""
    who = f'namespace="{service.namespace}", service="{service.name}"'
    for window in _WINDOWS:
        parts = []
        if service.slo.availability:
            allowed = _number(1 - service.slo.availability)
            done = f"sum by ({_KEYS}) (rate(vllm:request_success_total{{{who}}}[{window}]))"
            bad = f'{who}, finished_reason=~"abort|error"'
            failed = f"sum by ({_KEYS}) (rate(vllm:request_success_total{{{bad}}}[{window}]))"
            parts.append(_burn("availability", f"({failed} or {done} * 0) / {done} / {allowed}"))
        if service.slo.latency:
            name = "vllm:time_to_first_token_seconds"
            count = f"sum by ({_KEYS}) (rate({name}_count{{{who}}}[{window}]))"
            least = f'{who}, le="{_number(_bound(service.slo.latency))}"'
            quick = f"sum by ({_KEYS}) (rate({name}_bucket{{{least}}}[{window}]))"
            parts.append(_burn("latency", f"(1 - {quick} / {count}) / {_SLOW_ALLOWED}"))
        for part in parts:
            yield {**part, "labels": {**part["labels"], "window": window}}
    for rate, long, short, severity in _BURNS:
        expr = (
            f'frota_slo_burn_rate{{{who}, window="{long}"}} > {rate} and '
            f'ignoring (window) frota_slo_burn_rate{{{who}, window="{short}"}} > {rate}'
        )
        said = f"{service.namespace}/{service.name} uses up its objective {rate} times too fast"
        yield _alert("FrotaObjectiveBurns", expr, "2m", severity, said)


def _bound(latency: float) -> float:
    """The nearest bucket that promises no less than the objective does."""
    return max((bound for bound in _BOUNDS if bound <= latency), default=_BOUNDS[0])


def _burn(objective: str, expr: str) -> Manifest:
    return {"record": "frota_slo_burn_rate", "expr": expr, "labels": {"objective": objective}}


def _service_down(service: Service) -> Manifest:
    kind = "deployment" if service.nodes_per_replica == 1 else "statefulset"
    name = target(service)["name"]
    field = "available" if kind == "deployment" else "ready"
    who = f'namespace="{service.namespace}", {kind}="{name}"'
    return _alert(
        "FrotaServiceDown",
        f"max(kube_{kind}_status_replicas_{field}{{{who}}}) == 0",
        "1m",
        "critical",
        f"{service.namespace}/{service.name} has no replica that serves",
    )


def _requests_wait() -> Manifest:
    return _alert(
        "FrotaRequestsWait",
        "frota_inference_requests_waiting > 2 * frota_inference_requests_running",
        "10m",
        "warning",
        "more than twice as many requests wait as are served",
    )


def _gpu_alerts() -> Iterator[Manifest]:
    yield _alert(
        "FrotaGpuFault", "frota_gpu_xid > 0", "1m", "warning", "a GPU reports an XID error"
    )
    yield _alert(
        "FrotaGpuHot", "frota_gpu_temperature_celsius > 90", "5m", "warning", "a GPU is hot"
    )
    remap = f"max by ({_GPU_KEYS}) (DCGM_FI_DEV_ROW_REMAP_FAILURE) > 0"
    yield _alert("FrotaGpuMemoryBroken", remap, "1m", "critical", "a GPU must be replaced")


def _workload_alerts(site: Site) -> Iterator[Manifest]:
    spaces = "|".join(sorted(tenancy.namespace for tenancy in site.tenancies))
    who = f'namespace=~"{spaces}"'
    yield _alert(
        "FrotaQuotaNearlyUsed",
        f'kube_resourcequota{{{who}, type="used"}} / ignoring (type) '
        f'(kube_resourcequota{{{who}, type="hard"}} > 0) > 0.9',
        "15m",
        "warning",
        "a team uses more than 90 % of a quota",
    )
    failed = f"kube_job_status_failed{{{who}}} > 0 and kube_job_status_active{{{who}}} == 0"
    yield _alert("FrotaTrainingFailed", failed, "1m", "warning", "a training job has failed")
    waiting = f'kube_pod_status_phase{{{who}, phase="Pending"}} == 1'
    yield _alert("FrotaPodWaits", waiting, "30m", "warning", "a pod finds no room")


def _group(name: str, rules: list[Manifest]) -> Manifest:
    return {"name": name, "interval": "30s", "rules": rules}


def _record(rule: tuple[str, str]) -> Manifest:
    return {"record": rule[0], "expr": rule[1]}


def _alert(name: str, expr: str, wait: str, severity: str, said: str) -> Manifest:
    return {
        "alert": name,
        "expr": expr,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": said},
    }


def _number(value: float) -> str:
    """A number as PromQL and bucket labels write it, without binary dust."""
    return f"{value:.9g}" if value != int(value) else f"{value:.1f}"

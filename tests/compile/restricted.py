"""The Pod Security level ``restricted``, written out from the Kubernetes page of the Pod
Security Standards. Independent of the compiler: it knows nothing of how pods are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
    }
)
_SECCOMP = ("RuntimeDefault", "Localhost")


def breaches(pod: dict[str, Any]) -> Iterator[str]:
    """What a pod spec does that ``restricted`` forbids."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES or len(kinds) != 1:
            yield f"volume {volume['name']} is {kinds}"
    security = pod.get("securityContext", {})
    if {item["name"] for item in security.get("sysctls", [])} - _SYSCTLS:
        yield "unsafe sysctls"
    if "windowsOptions" in security or "seLinuxOptions" in security:
        yield "options of the host's security"
    if security.get("runAsUser") == 0:
        yield "runs as root"
    containers = [
        *pod["containers"],
        *pod.get("initContainers", []),
        *pod.get("ephemeralContainers", []),
    ]
    for container in containers:
        for breach in _of_container(container, security):
            yield f"container {container['name']}: {breach}"


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("privileged"):
        yield "privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may escalate"
    if security.get("procMount", "Default") != "Default":
        yield "procMount"
    capabilities = security.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "keeps capabilities"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if security.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "may run as root"
    if security.get("runAsUser") == 0:
        yield "runs as root"
    seccomp = security.get("seccompProfile", pod.get("seccompProfile", {}))
    if seccomp.get("type") not in _SECCOMP:
        yield "no seccomp profile"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "a port of the host"

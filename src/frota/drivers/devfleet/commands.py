"""The command line of each program of a test cluster."""

from __future__ import annotations

from frota.drivers.devfleet import shape as part
from frota.drivers.devfleet.addresses import LOOPBACK
from frota.drivers.devfleet.credentials import ISSUER
from frota.drivers.devfleet.programs import STAGES, located
from frota.drivers.devfleet.shape import Layout, Ports, Shape

_SERVICES = "10.96.0.0/16"
_PODS = "10.244.0.0/16"


def command(program: str, layout: Layout, ports: Ports, shape: Shape) -> list[str]:
    """Program and arguments; each names a path of the cluster, by which it is known again.
    Raises ProgramMissing."""
    arguments = {
        part.ETCD: lambda: _etcd(layout, ports),
        part.API_SERVER: lambda: _api_server(layout, ports, shape),
        part.CONTROLLERS: lambda: _controllers(layout),
        part.SCHEDULER: lambda: _scheduler(layout),
        part.KWOK: lambda: _kwok(layout),
    }[program]()
    return [located(program), *(f"--{name}={value}" for name, value in arguments.items())]


def _etcd(layout: Layout, ports: Ports) -> dict[str, object]:
    client, peer = (f"https://{LOOPBACK}:{port}" for port in (ports.etcd, ports.peer))
    certificate, key, authority = (
        layout.pki(name) for name in ("etcd.crt", "etcd.key", "etcd-ca.crt")
    )
    return {
        "name": "only",
        "data-dir": layout.data,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"only={peer}",
        "cert-file": certificate,
        "key-file": key,
        "trusted-ca-file": authority,
        "client-cert-auth": "true",
        "peer-cert-file": certificate,
        "peer-key-file": key,
        "peer-trusted-ca-file": authority,
        "peer-client-cert-auth": "true",
        # Nothing here has to outlive the machine; without waiting for disks it is far quicker.
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }


def _api_server(layout: Layout, ports: Ports, shape: Shape) -> dict[str, object]:
    arguments: dict[str, object] = {
        "etcd-servers": f"https://{LOOPBACK}:{ports.etcd}",
        "etcd-cafile": layout.pki("etcd-ca.crt"),
        "etcd-certfile": layout.pki("etcd.crt"),
        "etcd-keyfile": layout.pki("etcd.key"),
        "bind-address": LOOPBACK,
        "advertise-address": LOOPBACK,
        "endpoint-reconciler-type": "none",  # it refuses to write a loopback address
        "secure-port": ports.api,
        "tls-cert-file": layout.pki("server.crt"),
        "tls-private-key-file": layout.pki("server.key"),
        "client-ca-file": layout.pki("ca.crt"),
        "authorization-mode": "RBAC",
        "allow-privileged": "true",  # as clusters have it; Pod Security then decides
        "service-account-issuer": ISSUER,
        "service-account-key-file": layout.pki("accounts.pub"),
        "service-account-signing-key-file": layout.pki("accounts.key"),
        "service-cluster-ip-range": _SERVICES,
        "profiling": "false",
    }
    if part.CONTROLLERS not in shape.parts:
        # Else every pod is refused for want of an account, and every node stays tainted.
        arguments["disable-admission-plugins"] = "ServiceAccount,TaintNodesByCondition"
    return arguments


def _controllers(layout: Layout) -> dict[str, object]:
    return {
        "kubeconfig": layout.kubeconfig(part.CONTROLLERS),
        "root-ca-file": layout.pki("ca.crt"),
        "service-account-private-key-file": layout.pki("accounts.key"),
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "secure-port": 0,
        "profiling": "false",
    }


def _scheduler(layout: Layout) -> dict[str, object]:
    return {
        "kubeconfig": layout.kubeconfig(part.SCHEDULER),
        "authentication-skip-lookup": "true",  # else it waits for a ConfigMap nobody makes
        "leader-elect": "false",
        "secure-port": 0,
        "profiling": "false",
    }


def _kwok(layout: Layout) -> dict[str, object]:
    return {
        "kubeconfig": layout.kubeconfig(part.KWOK),
        "config": located(STAGES),
        "manage-all-nodes": "true",
        "node-lease-duration-seconds": 40,
        "cidr": _PODS,
        "node-ip": LOOPBACK,
    }

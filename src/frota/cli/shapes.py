"""Stored records in the shape that people and tools read: apiVersion, kind, metadata,
spec, status. Works on the stored JSON, so that nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from frota.cli.conditions import shaped as shaped_conditions
from frota.cli.delivery import standing
from frota.cli.naming import (
    CLUSTER,
    DECLARED,
    GROUP,
    HOST,
    ROLLOUT,
    SET,
    VM,
    group_name,
    plain_name,
)

API_VERSION = "frota.dev/v1alpha1"
Raw = Mapping[str, Any]
NEVER = -1e17  # stored times below this mean: never


def shaped(
    kind: str,
    name: str,
    value: Raw,
    verdict: Raw | None = None,
    conditions: Iterable[Raw] = (),
) -> dict[str, Any]:
    """One record. ``verdict`` is the last one on a set, or what was seen last of a cluster;
    ``conditions`` are those on record for a host or host group."""
    if kind == GROUP:
        return {**value, "status": {"conditions": shaped_conditions(conditions)}}
    if kind == CLUSTER and value["spec"].get("fleet"):
        return {**value, "status": standing.shaped(verdict)}
    if kind in DECLARED:
        return dict(value)
    if kind == ROLLOUT:
        return _rollout(value)
    spec, status = _PARTS[kind](value) if kind != SET else _set(value, verdict)
    if kind == HOST:
        status["conditions"] = shaped_conditions(conditions)
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": plain_name(name), "hostGroup": group_name(name)},
        "spec": spec,
        "status": status,
    }


def decision(line: Any) -> dict[str, Any]:
    """One line of the journal."""
    return {
        "at": line.at,
        "hostGroup": line.group,
        "causeId": line.cause_id,
        "stage": line.stage.value,
        "subject": line.subject,
        "reason": line.reason,
        "message": line.message,
        "rejected": list(line.rejected),
    }


def size(raw: Raw) -> dict[str, Any]:
    """What a VM takes or a host has."""
    shown: dict[str, Any] = {"memoryMiB": raw["memory_mib"], "cpus": raw["vcpus"]}
    if raw.get("gpus") and raw.get("gpu_model"):
        shown["gpu"] = {"model": raw["gpu_model"], "count": raw["gpus"]}
    return shown


def operation(raw: Raw | None) -> dict[str, Any] | None:
    """What is being done to a VM."""
    if raw is None:
        return None
    return {
        "id": raw["id"],
        "verb": raw["verb"],
        "from": raw.get("src", ""),
        "to": raw.get("dst", ""),
        "voluntary": raw.get("voluntary", False),
        "since": raw.get("since", 0.0),
    }


def _host(raw: Raw) -> tuple[dict[str, Any], dict[str, Any]]:
    capacity = raw["capacity"]
    spec = {"rack": raw["rack"], "intent": raw.get("intent", "Active")}
    status = {
        "state": raw.get("state", "Up"),
        "since": raw.get("since", 0.0),
        "reason": raw.get("reason", ""),
        "incarnation": raw.get("incarnation", ""),
        "capacity": {
            **size(capacity),
            "vms": capacity["slots"],
            "gpus": [{"model": m, "count": n} for m, n in capacity.get("gpus", ())],
        },
        "fenceProof": raw.get("fence_proof", ""),
        "declaredDead": raw.get("declared_dead", ""),
        "leaves": list(raw.get("leaves", ())),
        "quarantinedUntil": raw.get("until", 0.0),
        "tenure": raw.get("tenure", 1),
        "causeId": raw.get("cause_id", ""),
    }
    return spec, status


def _vm(raw: Raw) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {
        "availabilitySet": raw["set"],
        "size": size(raw["size"]),
        "priority": raw.get("priority", 0),
        "mobility": raw.get("mobility", "live"),
        "wanted": raw.get("wanted", True),
        "halted": raw.get("halted", False),
    }
    status = {
        "state": raw.get("state", "Pending"),
        "host": raw.get("host", ""),
        "home": raw.get("home", ""),
        "epoch": raw.get("epoch", 0),
        "generation": raw.get("generation", 0),
        "reason": raw.get("reason", ""),
        "failures": raw.get("failures", 0),
        "retryAt": _time(raw.get("retry_at")),
        "movedAt": _time(raw.get("moved_at")),
        "operation": operation(raw.get("operation")),
        "causeId": raw.get("cause_id", ""),
    }
    return spec, status


def _set(raw: Raw, verdict: Raw | None) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {
        "cluster": raw["cluster"],
        "role": raw["role"],
        "levels": list(raw.get("levels", ["host"])),
        "adoptNewDomains": raw.get("adopt_new_domains", False),
    }
    generations = [sorted(domains) for domains in raw.get("generations", ())]
    status: dict[str, Any] = {
        "phase": verdict["phase"] if verdict else "Unknown",
        "placementStatus": _placement(verdict),
        "message": verdict["message"] if verdict else "not judged yet",
        "blocker": (verdict["blocker"] or "") if verdict else "",
        "spread": dict(verdict["counts"]) if verdict else {},
        "faultDomains": list(generations[-1]) if generations else [],
        "generations": generations,
        "removedDomains": list(raw.get("removed", ())),
        "redeploying": raw.get("redeploy", False),
        "successorOf": raw.get("successor_of", ""),
        "conditions": list(_conditions(verdict)) if verdict else [],
    }
    return spec, status


def _rollout(raw: Raw) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": ROLLOUT,
        "metadata": {"name": raw["id"], "fleet": raw["fleet"]},
        "spec": {
            "revision": raw["revision"],
            "generation": raw["generation"],
            "intent": raw.get("intent", "Run"),
            "approvals": list(raw.get("approvals", ())),
            "skips": [dict(skip) for skip in raw.get("skips", ())],
        },
        "status": {
            "phase": raw.get("phase", "Running"),
            "began": raw["began"],
            "clusters": [
                {
                    "cluster": part["cluster"],
                    "state": part.get("state", "Waiting"),
                    "since": part.get("since", 0.0),
                    "message": part.get("message", ""),
                    "before": part["before"],
                    "begun": part.get("begun", False),
                    "reached": part.get("reached", False),
                }
                for part in raw.get("clusters", ())
            ],
        },
    }


def _placement(verdict: Raw | None) -> str:
    if verdict is None:
        return "UNKNOWN_PLACEMENT"
    return "ALIGNED" if verdict["aligned"] else "NOT_ALIGNED"


def _conditions(verdict: Raw) -> Iterable[dict[str, str]]:
    blocker = verdict["blocker"] or "NotEven"
    facts = (
        ("Aligned", verdict["aligned"], blocker),
        ("DomainsAvailable", verdict["domains_available"], "DomainDown"),
        ("N1Feasible", verdict["n1_feasible"], "NoRoom"),
        ("ConfigCurrent", verdict["config_current"], "ConfigStale"),
        ("NoRemovedDomain", verdict["no_removed_domain"], "DomainRemoved"),
        ("FaultTolerant", verdict["fault_tolerant"], "SingleDomain"),
    )
    for name, holds, why_not in facts:
        status = "Unknown" if holds is None else str(bool(holds))
        reason = {"True": "Holds", "Unknown": "Settling"}.get(status, why_not)
        message = verdict["message"] if status == "False" else ""
        yield {"type": name, "status": status, "reason": reason, "message": message}


def _time(stored: float | None) -> float | None:
    return None if stored is None or stored < NEVER else stored


_PARTS = {HOST: _host, VM: _vm}

"""kubectl as people run it: one for each cluster, all at the same time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.programs import find
from frota.model.objects import Object

_COMMON = ("--server-side", "--field-manager=frota")
_DIFFERS = 1  # what kubectl diff says when there is a difference


def absent() -> str:
    """Why there is no kubectl here; empty when there is."""
    return "" if find("kubectl") else "kubectl is not on this machine; run tools/kube/setup.sh"


def apply(
    clusters: Sequence[Cluster], objects: Mapping[str, Sequence[Object]], seconds: float
) -> float | None:
    """``kubectl apply --server-side`` of one file for each; the seconds until the last was
    done, or None when that took longer than ``seconds``."""
    return _run(clusters, objects, seconds, "apply", *_COMMON)


def diff(
    clusters: Sequence[Cluster], objects: Mapping[str, Sequence[Object]], seconds: float
) -> float | None:
    """``kubectl diff --server-side``, as ``apply``."""
    return _run(clusters, objects, seconds, "diff", *_COMMON)


def _run(
    clusters: Sequence[Cluster],
    objects: Mapping[str, Sequence[Object]],
    seconds: float,
    *words: str,
) -> float | None:
    program = find("kubectl")
    assert program is not None, absent()
    with TemporaryDirectory() as folder:
        running = []
        began = time.perf_counter()
        for cluster in clusters:
            file = Path(folder) / f"{cluster.name}.json"
            items = {"apiVersion": "v1", "kind": "List", "items": list(objects[cluster.name])}
            file.write_text(json.dumps(items), encoding="utf-8")
            command = [str(program), f"--kubeconfig={cluster.kubeconfig}", *words, "-f", str(file)]
            running.append(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
        try:
            for process in running:
                left = began + seconds - time.perf_counter()
                _, said = process.communicate(timeout=max(0.1, left))
                if process.returncode not in (0, _DIFFERS if "diff" in words else 0):
                    raise RuntimeError(f"kubectl {words[0]}: {said[-500:]!r}")
        except subprocess.TimeoutExpired:
            return None
        finally:
            for process in running:
                process.kill()
                process.wait()
        return time.perf_counter() - began

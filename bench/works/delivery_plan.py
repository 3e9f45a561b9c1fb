"""A plan of three clusters with 1,000 objects each, every object changed, and none."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence

from bench import members
from bench.clock import Limits
from bench.control import Control, control
from bench.declared import Document, compiled, delivered, documents, written
from bench.figures import Figure
from bench.peers import bareloop, kubectl
from frota.drivers.devfleet.cluster import Cluster

BAR_BARE = 1.2
_TIMES = 2


def figures(limits: Limits) -> Iterator[Figure]:
    """The clusters have what the fleet comes to as ``staging``; planned is the same fleet as
    ``prod``, of which every object differs (its labels name the environment). ``frota plan`` is
    the whole command: its start, the files, the lists of what is there, a dry run of every object
    on its API server, the differences shown. How many calls it made is counted by the servers."""
    lacking = members.absent()
    if lacking:
        yield Figure(lacking, None, "s")
        return
    with members.members() as clusters, control() as frota:
        places = {cluster.name: cluster.kubeconfig for cluster in clusters}
        before, after = documents(places, "staging"), documents(places, "prod")
        bareloop.apply(clusters, compiled(before))
        objects = compiled(after)
        total = sum(map(len, objects.values()))
        own, bare = [], []
        for _ in range(_TIMES):
            calls = _calls(clusters)
            took, changes = _planned(frota, after)
            own.append(took)
            calls = _calls(clusters) - calls
            bare.append(bareloop.apply(clusters, objects, dry_run=True, force=True))
        what = f"{total:,} objects planned by dry run"
        yield Figure(what, min(own), "s", peer=f"{bareloop.NAME}, dry run", peer_value=min(bare))
        yield Figure("times the bare loop", min(own) / min(bare), "x", BAR_BARE)
        yield Figure("objects to change in that plan", changes, "objects")
        yield Figure("dry runs that it took", calls, "calls", changes)
        if not kubectl.absent():
            took_theirs = kubectl.diff(clusters, objects, limits.seconds)
            yield Figure(what, min(own), "s", peer="kubectl diff --server-side x 3",
                         peer_value=took_theirs)  # fmt: skip
        bareloop.apply(clusters, delivered(after), force=True)
        calls = _calls(clusters)
        took, changes = _planned(frota, after)
        yield Figure("the same when nothing differs", took, "s")
        yield Figure("objects to change then", changes, "objects", 0)
        yield Figure("dry runs then", _calls(clusters) - calls, "calls", 0)


def _planned(frota: Control, found: Sequence[Document]) -> tuple[float, int]:
    """Seconds, and objects to change."""
    file = frota.folder / "fleet.yaml"
    file.write_text(written(found), encoding="utf-8")
    began = time.perf_counter()
    try:
        said = frota.command("plan", str(file), "--output", "json")
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"frota plan: {error.stderr[-500:]}") from None
    took = time.perf_counter() - began
    (fleet,) = json.loads(said)["fleets"]
    return took, sum(sum(cluster["counts"].values()) for cluster in fleet["clusters"])


def _calls(clusters: Sequence[Cluster]) -> int:
    """PATCHes as dry runs that the API servers answered so far."""
    total = 0
    for cluster in clusters:
        for line in str(cluster.api().call("GET", "/metrics").body).splitlines():
            if line.startswith("apiserver_request_total{") and 'dry_run="All"' in line:
                total += int(float(line.rsplit(" ", 1)[1]))
    return total

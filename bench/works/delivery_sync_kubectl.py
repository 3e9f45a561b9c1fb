"""First sync of three fresh clusters with 1,000 objects each, beside kubectl."""

from __future__ import annotations

from collections.abc import Iterator

from bench import members
from bench.clock import Limits
from bench.declared import OBJECTS, compiled, documents
from bench.figures import Figure, Must
from bench.peers import kubectl
from bench.works.delivery_sync import frota_sync

BAR = 6.0


def figures(limits: Limits) -> Iterator[Figure]:
    """``frota apply`` until all are synced (see delivery-sync), then ``kubectl apply
    --server-side`` of the same objects for the three in parallel, each on fresh clusters. kubectl
    is given twice the usual time; where that is not enough the ratio is the least it can be."""
    lacking = members.absent() or kubectl.absent()
    if lacking:
        yield Figure(lacking, None, "s")
        return
    own = frota_sync()
    most = 2 * limits.seconds
    with members.members() as clusters:
        found = compiled(documents({cluster.name: cluster.kubeconfig for cluster in clusters}))
        took = kubectl.apply(clusters, found, most)
    name = "kubectl apply --server-side x 3" + ("" if took else f"; did not finish in {most:g} s")
    peer = took or most
    what = f"3 x {OBJECTS:,} objects, first sync"
    yield Figure(what, own, "s", peer=name, peer_value=peer)
    yield Figure("times as fast as kubectl", peer / own, "x", BAR, Must.BE_AT_LEAST, peer=name)

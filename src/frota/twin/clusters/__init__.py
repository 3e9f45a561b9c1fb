"""Simulated member clusters: API servers with server-side apply, in virtual time.

``ClusterFleet`` is the truth and takes the faults; ``TwinClusters`` is what one process can
see and do of it.
"""

from frota.twin.clusters.apiserver import ApiServer, Rules
from frota.twin.clusters.fleet import ClusterFleet, ServerState, TwinMember
from frota.twin.clusters.session import TwinClusters

__all__ = ["ApiServer", "ClusterFleet", "Rules", "ServerState", "TwinClusters", "TwinMember"]

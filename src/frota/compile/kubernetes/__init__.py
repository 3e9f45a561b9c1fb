"""A fleet as Kubernetes objects: for each of its clusters, everything it gets.

    for cluster, objects in compile_fleet(documents).items(): ...

Pure: the same documents give the same objects. ``batches`` says in which order they are
written, ``extension_of`` which of them need more than Kubernetes itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from frota.compile.kubernetes.applyset import PART_OF, membership
from frota.compile.kubernetes.cluster import compile_site
from frota.compile.kubernetes.memo import Memo
from frota.compile.kubernetes.order import batches, extension_of
from frota.compile.kubernetes.reading import sites
from frota.compile.kubernetes.rules import objectives
from frota.model.objects import Object

__all__ = [
    "PART_OF",
    "Memo",
    "batches",
    "compile_fleet",
    "compile_site",
    "extension_of",
    "membership",
    "objectives",
    "sites",
]


def compile_fleet(documents: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Object, ...]]:
    """The objects of every cluster that is a member of a fleet, by the cluster's name, in
    the order of delivery. ``documents`` are normalised (``Resource.document``) and passed
    the rules of their kinds together.
    """
    return {site.cluster: compile_site(site) for site in sites(documents)}

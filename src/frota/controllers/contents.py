"""What clusters are to have: in the store in parts, and in memory once for everybody.

A content has a thousand objects and a change is of one of them, so it is stored as a list of
parts, each under the digest of what is in it. Where one part ends depends on the objects
alone: one that comes, goes or changes leaves all other parts as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from frota.model.objects import Object
from frota.planners.delivery import Wanted, prepare
from frota.planners.delivery.wanted import digest as digest_of
from frota.ports.store import Store, Write

BUNDLE = "Bundle"
PART = "BundlePart"
Content = tuple[str, str]  # a cluster and the digest of what it has
_ENDS = frozenset("08")  # the last digit of a digest: one in eight


def bundle_name(cluster: str, digest: str) -> str:
    """Where the content of a cluster with a digest is stored."""
    return f"{cluster}/{digest}"


def content_writes(
    cluster: str, content: Wanted, there: Collection[str], digest: str = ""
) -> Iterator[Write]:
    """A content, but for the parts that are ``there``; under its own digest or another."""
    parts = in_parts(cluster, content)
    for name, objects in parts.items():
        if name not in there:
            yield Write(PART, name, {"objects": [dict(item) for item in objects]}, None)
    yield Write(
        BUNDLE, bundle_name(cluster, digest or content.digest), {"parts": list(parts)}, None
    )


def in_parts(cluster: str, wanted: Wanted) -> dict[str, tuple[Object, ...]]:
    """The objects of a content in their order, in parts by name."""
    objects, digests = list(wanted.objects.values()), list(wanted.digests.values())
    ends = [place for place, digest in enumerate(digests, start=1) if digest[-1] in _ENDS]
    if digests and ends[-1:] != [len(digests)]:
        ends.append(len(digests))
    return {
        bundle_name(cluster, digest_of(digests[begin:end])): tuple(objects[begin:end])
        for begin, end in pairwise([0, *ends])
    }


def content_ends(
    ended: Collection[Content],
    kept: Collection[Content],
    parts: Mapping[Content, Sequence[str]],
) -> Iterator[Write]:
    """Contents that nothing refers to any more go, with the parts that none that is kept has."""
    needed = {name for content in kept for name in parts[content]}
    for content in sorted(ended):
        yield Write(BUNDLE, bundle_name(*content), None, None)
    spare = {name for content in ended for name in parts[content]}
    yield from (Write(PART, name, None, None) for name in sorted(spare - needed))


def part_names(store: Store, cluster: str, digest: str) -> tuple[str, ...]:
    """The parts of a stored content; none when it is not stored."""
    entry = store.get(BUNDLE, bundle_name(cluster, digest))
    return tuple(entry.value["parts"]) if entry is not None else ()


def read_bundle(store: Store, cluster: str, digest: str) -> tuple[Object, ...] | None:
    """The content with a digest, or None when it is not stored."""
    entry = store.get(BUNDLE, bundle_name(cluster, digest))
    if entry is None:
        return None
    parts = [store.get(PART, name) for name in entry.value["parts"]]
    if any(part is None for part in parts):
        return None
    return tuple(item for part in parts if part is not None for item in part.value["objects"])


class Contents:
    """Contents ready for comparing. Those that a fleet declares now are held once for the
    fleet and its clusters; any others are read from the store. Safe for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._declared: dict[str, Mapping[str, Wanted]] = {}  # by fleet and cluster

    def declare(self, fleet: str, contents: Mapping[str, Wanted]) -> None:
        """What the clusters of a fleet are to have in the end; nothing: it is gone."""
        if contents:
            self._declared[fleet] = contents
        else:
            self._declared.pop(fleet, None)

    def find(
        self, fleet: str, cluster: str, digest: str, membership: str, held: Wanted | None
    ) -> Wanted | None:
        """The content with a digest; ``held``: what the caller has, if that is it."""
        declared = self._declared.get(fleet, {}).get(cluster)
        if declared is not None and declared.digest == digest:
            return declared
        if held is not None:
            return held
        objects = read_bundle(self._store, cluster, digest)
        return prepare(objects, membership) if objects is not None else None

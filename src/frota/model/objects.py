"""Kubernetes objects as planners see them: plain JSON, and a name for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Object = Mapping[str, Any]

# The label of what belongs to an ApplySet (KEP-3659); its value is the set's id.
MEMBERSHIP_LABEL = "applyset.kubernetes.io/part-of"
FIELD_MANAGER = "frota"  # of server-side apply


class ObjectKey(NamedTuple):
    """Which object: the same in every version of its API group. ``group`` is empty for the
    core group, ``namespace`` for objects of the whole cluster."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def key_of(item: Object) -> ObjectKey:
    """The key of an object. Raises KeyError when it has no kind or no name."""
    group, _, version = str(item["apiVersion"]).rpartition("/")
    del version
    metadata = item["metadata"]
    return ObjectKey(group, item["kind"], metadata.get("namespace", ""), metadata["name"])

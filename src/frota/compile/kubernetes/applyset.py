"""Membership: every object names the set it belongs to, and one object stands for the set.

The form is that of KEP-3659 (sig-cli): the identifier is made from the parent's name, so
nobody can claim another's objects by writing a label of choice.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256

from frota.compile.kubernetes.labels import SYSTEM_NAMESPACE, Manifest, fitted, manifest, named
from frota.model.objects import Object, ObjectKey

PART_OF = "applyset.kubernetes.io/part-of"
ID = "applyset.kubernetes.io/id"
TOOLING = "applyset.kubernetes.io/tooling"
GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"

# The form of what is written here, not the release: an annotation that changed with every
# release would be a difference on every cluster.
_TOOLING = "frota/v1"


def identifier(parent: ObjectKey) -> str:
    """The id of the set that ``parent`` stands for (KEP-3659, as kubectl writes it)."""
    text = f"{parent.name}.{parent.namespace}.{parent.kind}.{parent.group}"
    digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"applyset-{digest}-v1"


def parent_key(fleet: str) -> ObjectKey:
    """The object that stands for all of a fleet's objects in a cluster."""
    return ObjectKey("", "ConfigMap", SYSTEM_NAMESPACE, fitted("frota", fleet))


def membership(fleet: str) -> str:
    """The value of ``PART_OF`` on every object of a fleet; the same in all its clusters."""
    return identifier(parent_key(fleet))


def parent(fleet: str, members: Iterable[ObjectKey]) -> Manifest:
    """The parent of these members. It is a member too, so that it is watched, kept and
    removed like everything else."""
    key = parent_key(fleet)
    keys = [key, *members]
    spaces = {k.namespace for k in keys} - {"", key.namespace}
    annotations = {
        TOOLING: _TOOLING,
        GROUP_KINDS: ",".join(sorted({_group_kind(k) for k in keys})),
    }
    if spaces:
        annotations[NAMESPACES] = ",".join(sorted(spaces))
    metadata = named(key.name, key.namespace, {ID: identifier(key)}, annotations)
    return manifest("v1", "ConfigMap", metadata)


def covering(item: Object, members: Iterable[ObjectKey]) -> Object:
    """A parent that names the kinds and namespaces of these members too: for as long as any
    of them is there, whoever prunes by the parent must find it."""
    keys = list(members)
    metadata = item["metadata"]
    own = metadata.get("annotations") or {}
    wider = {
        GROUP_KINDS: {_group_kind(key) for key in keys},
        NAMESPACES: {key.namespace for key in keys} - {"", metadata.get("namespace")},
    }
    notes = {
        name: ",".join(sorted(words | set(filter(None, own.get(name, "").split(",")))))
        for name, words in wider.items()
        if words
    }
    return {**item, "metadata": {**metadata, "annotations": {**own, **notes}}}


def _group_kind(key: ObjectKey) -> str:
    return f"{key.kind}.{key.group}" if key.group else key.kind

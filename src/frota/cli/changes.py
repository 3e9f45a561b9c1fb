"""What files would change in the store, and what is refused because it would do harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frota.cli.naming import DECLARED, GROUP
from frota.ports.store import Store, Write
from frota.resources.documents import Resource, filled

_REMOVED = "Removed"
_SHOWN_MOST = 8


@dataclass(frozen=True, slots=True)
class Change:
    """One resource against the store. ``action`` is created, configured or unchanged;
    ``fields`` are the paths that differ; ``revision`` is what is stored now (0: nothing)."""

    resource: Resource
    action: str
    fields: tuple[str, ...]
    revision: int
    notes: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """``Kind/name``."""
        return f"{self.resource.kind}/{self.resource.name}"

    def line(self) -> str:
        """For people."""
        shown = ", ".join(self.fields[:_SHOWN_MOST])
        more = len(self.fields) - _SHOWN_MOST
        if more > 0:
            shown += f", and {more} more"
        return f"{self.subject} {self.action}{f': {shown}' if shown else ''}"

    def data(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.resource.kind,
            "name": self.resource.name,
            "action": self.action,
            "fields": list(self.fields),
        }

    def write(self) -> Write:
        """The write that makes it so."""
        return Write(self.resource.kind, self.resource.name, self.resource.document, self.revision)


def stored_documents(store: Store) -> list[Mapping[str, Any]]:
    """All documents that people wrote."""
    return [entry.value for entry in store.list(*DECLARED)]


def changes(resources: Sequence[Resource], store: Store) -> tuple[Change, ...]:
    """Every resource against what is stored."""
    return tuple(_change(resource, store) for resource in resources)


def _change(resource: Resource, store: Store) -> Change:
    entry = store.get(resource.kind, resource.name)
    if entry is None:
        return Change(resource, "created", (), 0)
    # A field that came with a newer Frota, left at its default, is no change.
    fields = tuple(_differences("", filled(entry.value), resource.document))
    action = "configured" if fields else "unchanged"
    notes: tuple[str, ...] = ()
    if resource.kind == GROUP:
        notes = tuple(_returning(resource, entry.value, store))
    return Change(resource, action, fields, entry.revision, notes)


def refusals(found: Sequence[Change], store: Store) -> tuple[str, ...]:
    """Why these changes may not be stored: hosts that would vanish without a word."""
    return tuple(
        f"HostGroup {change.resource.name} no longer lists {host}, which is a member: removing "
        f"a host for good is said by `frota host remove {change.resource.name}/{host}`"
        for change in found
        if change.resource.kind == GROUP and change.revision
        for host in _dropped(change.resource, store)
    )


def _hosts(document: Mapping[str, Any]) -> list[str]:
    return [host["name"] for host in document["spec"]["hosts"]]


def _dropped(resource: Resource, store: Store) -> Iterator[str]:
    listed = frozenset(_hosts(resource.document))
    for entry in store.list("Host"):
        group, _, name = entry.name.partition("/")
        member = entry.value.state.value != _REMOVED
        if group == resource.name and name not in listed and member:
            yield name


def _returning(resource: Resource, stored: Mapping[str, Any], store: Store) -> Iterator[str]:
    """Hosts that were removed for good and are listed again."""
    before = frozenset(_hosts(stored))
    for host in _hosts(resource.document):
        if host not in before and store.get("Host", f"{resource.name}/{host}") is not None:
            yield f"host {host} was removed for good before; it joins {resource.name} as a new host"


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """The paths at which two documents differ. Lists of named things go by name."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{path}.{key}" if path else key
            yield from _differences(inner, old.get(key), new.get(key))
    elif _named(old) and _named(new):
        by_name = {item["name"]: item for item in old}
        after = {item["name"]: item for item in new}
        for name in [*by_name, *(name for name in after if name not in by_name)]:
            inner = f"{path}[{name}]"
            if name not in after:
                yield f"{inner} removed"
            elif name not in by_name:
                yield f"{inner} added"
            else:
                yield from _differences(inner, by_name[name], after[name])
        if list(by_name) != list(after) and sorted(by_name) == sorted(after):
            yield f"{path} reordered"
    else:
        yield path


def _named(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and "name" in item for item in value
    )

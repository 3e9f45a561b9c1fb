"""Rules across documents: names, references, what never changes, what cannot fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from frota.resources.cluster_rules import roles
from frota.resources.errors import Path, one_of
from frota.resources.findings import Finding, at, entries, number, text
from frota.resources.quantity import format_bytes
from frota.resources.room import Room, declared_rooms, largest, need_of
from frota.resources.together import Draft, Together

Said = Iterator[tuple[Draft, Finding]]
Across = Callable[[Together], Iterable[tuple[Draft, Finding]]]

_NAME: Path = ("metadata", "name")


def names_once(together: Together) -> Said:
    """One document of each kind and name."""
    first: dict[tuple[str, str], Draft] = {}
    for draft in together.drafts:
        if not draft.name:
            continue
        before = first.setdefault((draft.kind, draft.name), draft)
        if before is not draft:
            line = before.document.locate(_NAME)[0]
            where = f"{before.document.file}:{line}"
            found = f'"{draft.name}" again, first at {where}'
            yield draft, Finding(_NAME, f"each {draft.kind} once", found)


def sets_once(together: Together) -> Said:
    """Set names and VM names, CLUSTER-ROLE, are unique over all clusters."""
    owners: dict[str, str] = {}
    drafts = {draft.name: draft for draft in together.drafted("Cluster")}
    for name, cluster in together.every("Cluster").items():
        for path, set_name, prefix, _ in roles(cluster):
            for word in sorted({set_name, prefix}):
                owner = owners.setdefault(word, name)
                if owner != name and name in drafts:
                    place = (*path, "name") if path[:2] == ("spec", "nodePools") else _NAME
                    found = f'"{word}", which cluster {owner} has too'
                    yield drafts[name], Finding(place, "set and VM names of its own", found)


def uris_once(together: Together) -> Said:
    """No libvirt is managed twice, in one group or in two."""
    owners: dict[str, tuple[str, Path]] = {}
    drafts = {draft.name: draft for draft in together.drafted("HostGroup")}
    groups = together.every("HostGroup")
    for name, group in groups.items():
        for path, host in entries(group, "spec", "hosts"):
            uri = text(host, "uri").rstrip("/").lower()
            owner, first = owners.setdefault(uri, (name, path)) if uri else (name, path)
            if (owner, first) != (name, path) and name in drafts:
                other = text(groups[owner], *first, "name")
                found = f"the URI of host {other}" + (f" of {owner}" if owner != name else "")
                yield drafts[name], Finding((*path, "uri"), "each libvirt once", found)


def never_changed(together: Together) -> Said:
    """What a stored document must keep: provider, host group, fleet. A set keeps its levels
    and its members their size until it is redeployed, which is worth a warning."""
    for draft in together.drafts:
        before = together.stored.get((draft.kind, draft.name))
        if before is None:
            continue
        for field in ("provider", "hostGroup", "fleet"):
            old, new = text(before, "spec", field), text(draft.value, "spec", field)
            # A cluster may leave its fleet, but not the hosts that run its VMs.
            if old and old != new and (new or field == "hostGroup"):
                hint, found = "make a new one under another name", f'"{new}"' if new else "nothing"
                yield draft, Finding(("spec", field), f"{old}, as it is", found, hint)
        yield from ((draft, finding) for finding in _until_redeploy(before, draft.value))


def _until_redeploy(before: Any, after: Any) -> Iterator[Finding]:
    old_roles = {name: role for _, name, _, role in roles(before)}
    for path, name, _, role in roles(after):
        old = old_roles.get(name)
        if old is None:
            continue
        hint = f"nothing changes until you say: frota redeploy {name}"
        old_levels, levels = (at(it, "availabilitySet", "levels") or ["host"] for it in (old, role))
        if old_levels != levels:
            place = (*path, "availabilitySet", "levels")
            yield Finding(
                place, f"{_flow(old_levels)}, as it is", _flow(levels), hint, warning=True
            )
        old_need, need = need_of(old), need_of(role)
        if need and old_need and need != old_need:
            place = (*path, "vmSize")
            yield Finding(
                place, f"{old_need.words()}, as its VMs are", need.words(), hint, warning=True
            )


def _flow(words: Any) -> str:
    return f"[{', '.join(map(str, words))}]" if isinstance(words, list) else "no list"


def host_group_exists(together: Together) -> Said:
    """A cluster names a host group that there is, of the same provider."""
    groups = together.every("HostGroup")
    for draft in together.drafted("Cluster"):
        name = text(draft.value, "spec", "hostGroup")
        if name and name not in groups:
            names = tuple(sorted(groups))
            expected = one_of(names) if names else "the name of a HostGroup; there is none yet"
            if together.complete:
                path: Path = ("spec", "hostGroup")
                yield draft, Finding(path, expected, f'"{name}"', word=name, choices=names)
            continue
        wanted = text(groups.get(name), "spec", "provider")
        provider = text(draft.value, "spec", "provider")
        if wanted and provider and wanted != provider:
            expected = f"{wanted}, the provider of {name}"
            yield draft, Finding(("spec", "provider"), expected, f'"{provider}"')


def disks_have_a_place(together: Together) -> Said:
    """Real VMs with a disk or a cloud-init seed need shared storage."""
    groups = together.every("HostGroup")
    for draft in together.drafted("Cluster"):
        name = text(draft.value, "spec", "hostGroup")
        group, template = groups.get(name), at(draft.value, "spec", "template")
        if text(group, "spec", "provider") != "libvirt" or at(group, "spec", "storage"):
            continue
        for field in ("image", "cloudInit"):
            if isinstance(template, dict) and field in template:
                expected = f"storage.disks in HostGroup {name}, where the VMs' disks would be"
                path: Path = ("spec", "template", field)
                yield draft, Finding(path, expected, "none", at_key=True)
                break


def vms_fit(together: Together) -> Said:
    """Each VM fits at least one host when it is empty; all of a role should."""
    groups = together.every("HostGroup")
    rooms = {name: declared_rooms(group) for name, group in groups.items()}
    distinct_rooms = {name: Counter(room) for name, room in rooms.items() if room is not None}
    for draft in together.drafted("Cluster"):
        name = text(draft.value, "spec", "hostGroup")
        distinct = distinct_rooms.get(name)
        if distinct is None:
            continue
        for path, _, _, role in roles(draft.value):
            need = need_of(role)
            if need is not None:
                count = number(role, "count") or 0
                known = need if _gpus_known(groups[name]) else replace(need, gpus=())
                yield from ((draft, item) for item in _fit(path, name, known, count, distinct))


def _gpus_known(group: Any) -> bool:
    """On real hosts GPUs that were not declared are found later."""
    return text(group, "spec", "provider") == "twin" or all(
        at(host, "capacity", "gpus") is not None for _, host in entries(group, "spec", "hosts")
    )


def _fit(path: Path, group: str, need: Room, count: int, rooms: Counter[Room]) -> Iterator[Finding]:
    models = tuple(sorted({model for room in rooms for model, _ in room.gpus}))
    for model, _ in need.gpus:
        if model not in models:
            expected = one_of(models) if models else f"no GPU: no host of {group} has any"
            place = (*path, "gpu", "model")
            yield Finding(place, expected, f'"{model}"', word=model, choices=models)
            return
    total = sum(room.times(need) * times for room, times in rooms.items())
    if total == 0:
        yield _too_large(path, group, need, rooms)
    elif total < count:
        expected = f"at most {total}, which is what empty hosts of {group} take"
        yield Finding((*path, "count"), expected, str(count), "the rest waits", warning=True)


def _too_large(path: Path, group: str, need: Room, rooms: Iterable[Room]) -> Finding:
    bare = replace(need, gpus=())
    if any(room.times(bare) for room in rooms):
        expected = f"a VM that fits one host of {group} with its GPUs"
        return Finding((*path, "gpu"), expected, need.words())
    expected = f"a VM that fits a host of {group}; the largest gives {largest(rooms).words()}"
    return Finding((*path, "vmSize"), expected, bare.words())


def groups_hold_their_clusters(together: Together) -> Said:
    """All clusters of a group together should fit it."""
    members: dict[str, list[Any]] = {}
    for cluster in together.every("Cluster").values():
        members.setdefault(text(cluster, "spec", "hostGroup"), []).append(cluster)
    drafts: dict[str, Draft] = {}
    for draft in together.drafted("Cluster"):
        drafts.setdefault(text(draft.value, "spec", "hostGroup"), draft)
    for name, group in together.every("HostGroup").items():
        rooms = declared_rooms(group) if name in drafts else None
        if rooms is None:
            continue
        draft, wanted = drafts[name], _wanted(members.get(name, ()))
        for what, have in _given(rooms).items():
            want = wanted[what]
            if want > have:
                words = format_bytes if what == "memory" else str
                expected = f"at most {words(have)} {what} for all clusters of {name}"
                found = f"{words(want)}"
                path: Path = ("spec", "hostGroup")
                yield draft, Finding(path, expected, found, "the rest waits", warning=True)


def _given(rooms: Iterable[Room]) -> Counter[str]:
    given: Counter[str] = Counter({"memory": 0, "CPUs": 0})
    for room in rooms:
        given["memory"] += room.memory
        given["CPUs"] += room.cpus
        given.update(dict(room.gpus))
    return given


def _wanted(clusters: Iterable[Any]) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for cluster in clusters:
        for _, _, _, role in roles(cluster):
            need, count = need_of(role), number(role, "count") or 0
            if need is not None:
                wanted["memory"] += need.memory * count
                wanted["CPUs"] += need.cpus * count
                for model, gpus in need.gpus:
                    wanted[model] += gpus * count
    return wanted


RULES: tuple[Across, ...] = (
    names_once,
    sets_once,
    uris_once,
    never_changed,
    host_group_exists,
    disks_have_a_place,
    vms_fit,
    groups_hold_their_clusters,
)

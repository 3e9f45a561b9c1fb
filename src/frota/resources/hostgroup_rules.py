"""Rules within one HostGroup that its fields alone cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from frota.resources.errors import listed, one_of, secret_word
from frota.resources.findings import (
    Finding,
    Rule,
    at,
    duration,
    entries,
    number,
    repeated,
    size,
    text,
)

_LIBVIRT_ONLY = ("uri", "migrateUri", "peerToPeer")
_URI_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]*@")


def racks_and_hosts_once(group: Any) -> Iterator[Finding]:
    """Racks and hosts have names of their own."""
    for field, thing in (("racks", "rack"), ("hosts", "host")):
        named = ((*path, "name") for path, _ in entries(group, "spec", field))
        yield from repeated(((path, text(group, *path)) for path in named), thing)
    for path, host in entries(group, "spec", "hosts"):
        gpus = entries(host, "capacity", "gpus")
        models = (((*path, *below, "model"), text(gpu, "model")) for below, gpu in gpus)
        yield from repeated(models, "GPU model")


def rack_of_each_host(group: Any) -> Iterator[Finding]:
    """A host's rack is declared; a host without one has no rack's name."""
    names = (text(rack, "name") for _, rack in entries(group, "spec", "racks"))
    racks = tuple(dict.fromkeys(name for name in names if name))
    known = frozenset(racks)
    for path, host in entries(group, "spec", "hosts"):
        rack, name = text(host, "rack"), text(host, "name")
        if rack and rack not in known:
            expected = one_of(racks) if racks else "a rack that is listed in spec.racks"
            found = f'"{rack}"'
            yield Finding((*path, "rack"), expected, found, word=rack, choices=racks)
        if "rack" not in host and name in known:
            expected = "a host name that is no rack's: a host without a rack is its own rack"
            yield Finding((*path, "name"), expected, f'"{name}"', "give the host a rack")


def what_the_provider_needs(group: Any) -> Iterator[Finding]:
    """Real hosts have a URI, simulated ones a capacity, and neither what is the other's."""
    provider = text(group, "spec", "provider")
    if provider == "libvirt":
        yield from _libvirt(group)
    elif provider == "twin":
        yield from _twin(group)


def _libvirt(group: Any) -> Iterator[Finding]:
    for path, host in entries(group, "spec", "hosts"):
        if "uri" not in host:
            yield Finding(
                (*path, "uri"),
                "the URI of its libvirt",
                "nothing",
                "such as uri: qemu+tls://host.example/system",
            )
    lease = at(group, "spec", "fencing", "lease")
    if isinstance(lease, dict) and "path" not in lease:
        path = ("spec", "fencing", "lease", "path")
        yield Finding(path, "the shared directory of the leases", "nothing")
    elif lease is None:
        yield from _unfenced(group)


def _unfenced(group: Any) -> Iterator[Finding]:
    bare = [
        text(host, "name") for _, host in entries(group, "spec", "hosts") if not host.get("fence")
    ]
    if bare:
        expected = "a fence agent for each host, or leases for the group"
        found = f"neither for {listed(bare)}"
        hint = "without them a person must declare a silent host dead"
        yield Finding(("spec", "hosts"), expected, found, hint, at_key=True, warning=True)


def _twin(group: Any) -> Iterator[Finding]:
    for path, host in entries(group, "spec", "hosts"):
        for field in _LIBVIRT_ONLY:
            if host.get(field):
                yield Finding(
                    (*path, field),
                    "no such field on the twin",
                    f"{field}",
                    "take it away, or set provider: libvirt",
                    at_key=True,
                )
        for field in ("memory", "cpus"):
            if at(host, "capacity", field) is None:
                example = "memory: 64Gi" if field == "memory" else "cpus: 16"
                yield Finding(
                    (*path, "capacity", field),
                    f"the {field} of a simulated host",
                    "nothing",
                    f"such as {example}",
                )
    if at(group, "spec", "storage") is not None:
        yield Finding(
            ("spec", "storage"),
            "no such field on the twin",
            "storage",
            "take it away, or set provider: libvirt",
            at_key=True,
        )


def room_after_reserve(group: Any) -> Iterator[Finding]:
    """A host's reserve leaves something for VMs."""
    for path, host in entries(group, "spec", "hosts"):
        memory, kept = size(host, "capacity", "memory"), size(host, "reserve", "memory")
        if memory and kept and kept >= memory:
            expected = f"less than the host's memory, {at(host, 'capacity', 'memory')}"
            found = f'"{at(host, "reserve", "memory")}", which leaves none for VMs'
            yield Finding((*path, "reserve", "memory"), expected, found)
        cpus, kept_cpus = number(host, "capacity", "cpus"), number(host, "reserve", "cpus")
        if cpus and kept_cpus and kept_cpus >= cpus:
            found = f"{kept_cpus}, which leaves none for VMs"
            yield Finding((*path, "reserve", "cpus"), f"fewer than the host's {cpus} CPUs", found)


def no_secrets(group: Any) -> Iterator[Finding]:
    """Secrets stand in files or variables, never in a document."""
    for path, host in entries(group, "spec", "hosts"):
        for field in ("uri", "migrateUri"):
            if _URI_PASSWORD.search(text(host, field)):
                yield Finding(
                    (*path, field),
                    "a URI without a password",
                    "one with a password",
                    "use libvirt's authentication file on this machine",
                )
        for below, method in entries(host, "fence"):
            yield from _fence_secrets((*path, *below), method)


def _fence_secrets(path: tuple[str | int, ...], method: Any) -> Iterator[Finding]:
    options, secrets = at(method, "options"), at(method, "secrets")
    for name in options if isinstance(options, dict) else ():
        if secret_word(name):
            hint = f"write secrets: {{{name}: {{file: /path/of/the/secret}}}}"
            yield Finding(
                (*path, "options", name),
                "no secret among the options",
                "a literal (not shown)",
                hint,
            )
        elif name.replace("-", "_") in ("action", "login_action"):
            yield Finding(
                (*path, "options", name),
                "no action: Frota says what to do",
                f"{name}",
                "take it away",
                at_key=True,
            )
        elif isinstance(secrets, dict) and name in secrets:
            yield Finding(
                (*path, "secrets", name),
                "an option once, in options or in secrets",
                "both",
                at_key=True,
            )
    for name, source in secrets.items() if isinstance(secrets, dict) else ():
        if isinstance(source, dict) and ("file" in source) == ("env" in source):
            found = "both" if source else "neither"
            yield Finding((*path, "secrets", name), "either file or env", found)


def timers_in_order(group: Any) -> Iterator[Finding]:
    """Silence grows: Suspect comes before Isolated; a lease outlives its renewals."""
    timers = at(group, "spec", "timers")
    beat, beats = duration(timers, "beat") or 1.0, number(timers, "suspectBeats") or 3
    isolated = duration(timers, "isolated")
    if isolated is not None and isolated <= beat * beats:
        yield Finding(
            ("spec", "timers", "isolated"),
            f"more than beat x suspectBeats, {beat * beats:g}s",
            f'"{text(timers, "isolated")}"',
        )
    lease, renew = duration(timers, "lease") or 20.0, duration(timers, "leaseRenew") or 5.0
    if lease < 2 * renew:
        field = "lease" if text(timers, "lease") else "leaseRenew"
        yield Finding(
            ("spec", "timers", field),
            "lease at least twice leaseRenew",
            f"lease {lease:g}s, leaseRenew {renew:g}s",
        )


RULES: tuple[Rule, ...] = (
    racks_and_hosts_once,
    rack_of_each_host,
    what_the_provider_needs,
    room_after_reserve,
    no_secrets,
    timers_in_order,
)

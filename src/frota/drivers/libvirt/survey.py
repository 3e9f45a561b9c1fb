"""A HostGroup from hosts as they are: what ``frota import libvirt`` writes.

Each URI is asked by itself, with a deadline of its own; what cannot be asked is an error
beside it and spoils nothing else. Nothing is changed on any host.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from frota.drivers.libvirt.fault import Fault, holds_password, redact
from frota.drivers.libvirt.guest import Phase
from frota.drivers.libvirt.inventory import capacity_of, mark_of
from frota.drivers.libvirt.pci import bound_gpus
from frota.drivers.libvirt.session import Session, open_session
from frota.model.host import Capacity

DEADLINE_S = 15.0
_AT_ONCE = 16
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Survey:
    """``document`` is a HostGroup as its kind wants it, without the hosts that failed;
    ``notes`` are for people; ``errors`` are (URI, why). No password is in any of it."""

    document: dict[str, Any]
    notes: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What one host said of itself."""

    hostname: str
    capacity: Capacity
    notes: tuple[str, ...]


class _Question(threading.Thread):
    """One URI being asked."""

    def __init__(self, uri: str, connect: Callable[[str], Session]) -> None:
        super().__init__(name="survey", daemon=True)
        self.uri = uri
        self._connect = connect
        self._answer: _Found | str | None = None

    def run(self) -> None:
        try:
            self._answer = _ask(self._connect(self.uri))
        except Fault as fault:
            self._answer = str(fault)

    def answer(self, deadline: float) -> _Found | str:
        """What it found, or why it found nothing."""
        self.join(deadline)
        return self._answer or f"no answer within {deadline:g} s: does its libvirt daemon hang?"


def survey(
    uris: Sequence[str],
    *,
    name: str = "imported",
    deadline: float = DEADLINE_S,
    connect: Callable[[str], Session] = open_session,
) -> Survey:
    """Ask every URI, for ``deadline`` seconds at most (so many at a time). Raises nothing."""
    answers: list[tuple[str, _Found | str]] = []
    for at in range(0, len(uris), _AT_ONCE):
        answers += _ask_all(uris[at : at + _AT_ONCE], deadline, connect)
    found = [(uri, answer) for uri, answer in answers if isinstance(answer, _Found)]
    errors = [(redact(uri), answer) for uri, answer in answers if isinstance(answer, str)]
    names = _names([answer.hostname for _, answer in found])
    hosts = [_host(host, uri, answer) for host, (uri, answer) in zip(names, found, strict=True)]
    notes = [
        f"{host}: {note}"
        for host, (_, answer) in zip(names, found, strict=True)
        for note in answer.notes
    ]
    document = {
        "apiVersion": "frota.dev/v1alpha1",
        "kind": "HostGroup",
        "metadata": {"name": name},
        "spec": {"provider": "libvirt", "hosts": hosts},
    }
    return Survey(document, (*notes, *_doubles(found)), tuple(errors))


def _ask_all(
    uris: Sequence[str], deadline: float, connect: Callable[[str], Session]
) -> Iterator[tuple[str, _Found | str]]:
    questions = {uri: _Question(uri, connect) for uri in uris if not holds_password(uri)}
    for question in questions.values():
        question.start()
    for uri in uris:
        if uri in questions:
            yield uri, questions[uri].answer(deadline)
        else:
            yield uri, "a URI must not hold a password: put it into libvirt's auth.conf"


def _ask(session: Session) -> _Found:
    capacity = capacity_of(session)
    return _Found(session.hostname(), capacity, tuple(_notes(session)))


def _notes(session: Session) -> Iterator[str]:
    nodes = session.numa_nodes()
    if nodes > 1:
        yield f"NUMA: {nodes} nodes, ignored: a VM may get memory of several"
    bound = bound_gpus(session.pci_devices())
    if bound:
        yield f"GPUs that no VM can get, because the IOMMU is off: {', '.join(bound)}"
    foreign = [
        guest.name
        for guest, phase in session.guests()
        if phase is not Phase.OFF and mark_of(guest) is None
    ]
    if foreign:
        yield (
            f"{len(foreign)} running domain(s) that Frota did not make "
            f"({', '.join(sorted(foreign)[:5])}{', …' if len(foreign) > 5 else ''}): "
            "reserve memory and CPUs for them, or move them away"
        )


def _host(name: str, uri: str, found: _Found) -> dict[str, Any]:
    capacity: dict[str, Any] = {
        "memory": f"{found.capacity.memory_mib}Mi",
        "cpus": found.capacity.vcpus,
    }
    if found.capacity.gpus:
        capacity["gpus"] = [
            {"model": model, "count": count} for model, count in found.capacity.gpus
        ]
    return {"name": name, "uri": uri, "capacity": capacity}


def _names(hostnames: Sequence[str]) -> list[str]:
    """A name for each host: the first label of what it calls itself, made unique."""
    names: list[str] = []
    for hostname in hostnames:
        short = _NOT_IN_NAMES.sub("-", hostname.lower().split(".")[0]).strip("-")[:50] or "host"
        name, number = short, 1
        while name in names:
            number += 1
            name = f"{short}-{number}"
        names.append(name)
    return names


def _doubles(found: Sequence[tuple[str, _Found]]) -> Iterator[str]:
    counts = Counter(answer.hostname for _, answer in found)
    for hostname, count in sorted(counts.items()):
        if count > 1:
            yield f"{count} URIs lead to a host that calls itself {hostname}: is it one host?"

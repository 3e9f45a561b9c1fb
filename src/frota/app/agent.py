"""Putting a pull agent together and running it (docs/pull.md)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from threading import Event

from frota import __version__
from frota.app.memberdelivery import MemberDelivery, SayingObserver
from frota.app.members import KUBERNETES, members_of
from frota.app.outfit import MissingDriver
from frota.compile.agent.rights import AGENT_NAMESPACE, STATE
from frota.controllers.pull import Identity, KeysUnusable, Pace, PullAgent, Surroundings
from frota.drivers.kubernetes.anchor import ConfigMapAnchor
from frota.drivers.objects.directory import DirectoryBlobs
from frota.drivers.objects.keys import KeyUnusable, read_trusted
from frota.drivers.objects.opening import open_container
from frota.model.bundle import AgentStatus
from frota.planners.bundles import TrustedKey
from frota.planners.bundlestore import places
from frota.ports.clusters import ClusterAddress
from frota.ports.member import Anchor, Reconciler
from frota.ports.store import StoreError
from frota.runtime.clock import SystemClock
from frota.store.sqlite import SqliteStore

Say = Callable[[str], None]
_STORE = "agent.db"


class AgentUnusable(Exception):
    """An agent cannot be put together. The message says why."""


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """What an operator says. ``store`` is the Fleet's ``spec.bundles.store``; ``trust``
    are files of public keys; the two SAS files are for object stores, None: the workload
    identity of the environment. ``address`` is the cluster's own API server."""

    fleet: str
    cluster: str
    store: str
    state: Path
    trust: tuple[Path, ...]
    address: ClusterAddress
    bundles_sas: Path | None = None
    status_sas: Path | None = None


def build(
    setup: AgentSetup, anchor: Anchor, reconciler: Reconciler, pace: Pace | None = None
) -> PullAgent:
    """An agent with the drivers that its setup names. Raises ValueError."""
    found = places(setup.store, setup.cluster)
    around = Surroundings(
        source=open_container(found.bundles, setup.bundles_sas),
        status=open_container(found.status, setup.status_sas),
        local=DirectoryBlobs(setup.state),
        anchor=anchor,
        reconciler=reconciler,
        keys=lambda: _trusted(setup.trust),
        clock=SystemClock(),
        wall=time.time,
        rng=SystemRandom(),
    )
    return PullAgent(Identity(setup.fleet, setup.cluster, __version__), around, pace)


def member_anchor(setup: AgentSetup) -> Anchor:
    """The ConfigMap that `frota agent manifests` makes."""
    return ConfigMapAnchor(setup.address, AGENT_NAMESPACE, STATE)


def member_delivery(setup: AgentSetup, say: Say) -> MemberDelivery:
    """What makes the cluster as a bundle says; close it in the end. Raises AgentUnusable."""
    try:
        setup.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = SqliteStore(setup.state / _STORE)
        members = members_of(KUBERNETES, SystemClock(), speed=1.0)
    except (OSError, StoreError, MissingDriver) as error:
        raise AgentUnusable(str(error)) from None
    if members is None:
        raise AgentUnusable("there is no driver for Kubernetes clusters")
    return MemberDelivery(setup.address, store, members, SayingObserver(say))


def serve(agent: PullAgent, stop: Event, say: Say) -> None:
    """Run until told to stop; every change of what there is to tell is also said here."""
    said = ""
    while not stop.is_set():
        wait = agent.step()
        line = _line(agent.status())
        if line != said:
            say(line)
            said = line
        stop.wait(wait)


def _line(status: AgentStatus) -> str:
    bundle = f"bundle {status.position} {status.digest[:12]}" if status.digest else "no bundle yet"
    parts = [f"cluster {status.cluster}: {bundle}"]
    if status.refusal:
        parts.append(f"refused ({status.refusal}): {status.refused}")
    if status.trouble:
        parts.append(f"trouble: {status.trouble}")
    return "; ".join(parts)


def _trusted(files: tuple[Path, ...]) -> tuple[TrustedKey, ...]:
    try:
        return tuple(key for file in files for key in read_trusted(file))
    except KeyUnusable as error:
        raise KeysUnusable(str(error)) from None

"""A pull agent as a process of its own, with a cluster that is one file: for tests that
kill it. Arguments: the store, the state directory, the key file, the cluster's file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Event

from frota.app.agent import AgentSetup, build, serve
from frota.controllers.pull import Pace
from frota.model.bundle import Bundle, Progress, Remembered
from frota.ports.clusters import ClusterAddress
from frota.runtime.backoff import Backoff


class FileCluster:
    """Appends a line for every revision that is new to this process; remembers nothing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._revision = ""

    def deliver(self, bundle: Bundle, revision: str, last: Remembered) -> Progress:
        del last
        if revision != self._revision:
            self._revision = revision
            names = [item["metadata"]["name"] for item in bundle.objects]
            with self._file.open("a") as file:
                file.write(json.dumps([revision.partition(" ")[0], names]) + "\n")
        return Progress(revision)


class NoAnchor:
    """Only what is kept on the agent's disk counts."""

    def load(self) -> Remembered:
        return Remembered()

    def save(self, fresh: Remembered) -> None:
        del fresh


def main(store: str, state: str, keys: str, cluster: str) -> None:
    setup = AgentSetup(
        fleet="acme",
        cluster="east",
        store=store,
        state=Path(state),
        trust=(Path(keys),),
        address=ClusterAddress("east"),
    )
    pace = Pace(poll=0.02, tell=0.5, watch=0.02, backoff=Backoff(first=0.01, most=0.05))
    agent = build(setup, NoAnchor(), FileCluster(Path(cluster)), pace)
    serve(agent, Event(), print)


if __name__ == "__main__":
    main(*sys.argv[1:])

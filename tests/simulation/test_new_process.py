"""What a controller that has just started may conclude: nothing from silence before it lived."""

from __future__ import annotations

from frota.resources.documents import load
from frota.simulation.actions import perform
from frota.simulation.run import Run

_FILES = """\
apiVersion: frota.dev/v1alpha1
kind: HostGroup
metadata: {name: g}
spec:
  provider: twin
  hosts:
    - {name: a, capacity: {memory: 64Gi, cpus: 16}}
    - {name: b, capacity: {memory: 64Gi, cpus: 16}}
"""


def test_no_host_is_taken_for_silent_when_the_controllers_start_again() -> None:
    loaded = load([("hosts.yaml", _FILES)])
    run = Run(tuple(resource.document for resource in loaded.resources), 1)
    run.run_until(100.0)
    perform(run, "kill-controller", {"for": 1.0})
    run.run_until(200.0)
    lines = run.store.journal(last=1000)
    assert not [line for line in lines if line.reason in ("Suspect", "Isolated")]

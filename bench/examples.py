"""The three-host example of the documents, run in simulated time."""

from __future__ import annotations

from pathlib import Path

from frota.resources.documents import load
from frota.simulation.run import Run

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "three-hosts.yaml"
SETTLED_S = 3600.0


def settled() -> Run:
    """An hour after its first start: everything runs, nothing happens."""
    loaded = load([(EXAMPLE.name, EXAMPLE.read_text(encoding="utf-8"))])
    run = Run(tuple(resource.document for resource in loaded.resources), seed=1)
    run.run_until(SETTLED_S)
    return run

"""All works, and how to run one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from bench.clock import Limits
from bench.figures import Figure

WORKS = {
    "rack-return-160": "a rack returns: 160 hosts, 2,000 VMs",
    "rack-return-5000": "a rack returns: 5,000 hosts, 75,000 VMs",
    "memory-5000": "the most memory that the largest case takes",
    "first-placement": "15,000 new VMs on 1,000 hosts, spread over racks and hosts",
    "n-minus-1": "could each of 1,000 hosts be lost? 15,000 VMs of 5 sizes",
    "idle-audit": "1,000 host groups of 16 hosts and 200 VMs, with nothing to do",
    "crash-to-restart": "from a crash to the first order to restart",
    "plan-1000-clusters": "one change to 1,000 clusters: all planned, and the memory it takes",
    "change-1000-clusters": "a change to three clusters of 1,000: until it is ordered",
    "delivery-sync": "first sync of 3 real clusters x 1,000 objects, beside a bare loop",
    "delivery-sync-kubectl": "the same beside kubectl apply --server-side",
    "delivery-plan": "plan of those 3,000 by server-side dry run, beside a bare loop and kubectl",
    "delivery-change": "a change of what is declared, to the object on the last of 3",
    "delivery-drift": "drift on a member, to the object put right",
    "delivery-fresh": "one object changed in the middle of a first sync",
    "delivery-outage": "an API server killed and back: when it is known",
    "delivery-idle": "what 3 clusters x 1,000 objects at rest cost",
    "delivery-memory": "what a further cluster takes in memory",
    "delivery-cold-start": "a start with 30,000 objects known",
    "simulation-quiet": "simulated hours a second, three hosts, nothing happens",
    "simulation-fuzz": "random fault schedules a second, every invariant checked",
    "startup-help": "frota --help beside python -c pass",
    "startup-get": "frota get on a small store beside python -c pass",
}


def figures(work: str, limits: Limits) -> Iterator[Figure]:
    """Measure one work of ``WORKS``."""
    module = import_module(f"bench.works.{work.replace('-', '_')}")
    measure: Callable[[Limits], Iterator[Figure]] = module.figures
    return measure(limits)

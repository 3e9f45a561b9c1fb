"""What the process that plans the largest case ever took."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from bench.clock import Limits
from bench.figures import Figure
from bench.groups import RACKS_AND_HOSTS, returned
from bench.racks import XL
from bench.returns import planned

BAR_MIB = 1024


def figures(_limits: Limits) -> Iterator[Figure]:
    """The case itself counts too: 75,000 VMs as the planner sees them."""
    planned(returned(XL, RACKS_AND_HOSTS))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("peak resident memory", peak, "MiB", BAR_MIB)

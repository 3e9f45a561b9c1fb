"""Where VMs go: placement, failover, rebalancing, drain, scaling, and what it would cost
to lose a host. Pure; see docs/availability-sets.md for the behaviour in pictures."""

"""Quiet time is skipped, not ticked through."""

from __future__ import annotations

from frota.simulation.run import Run
from frota.simulation.shorthand import cluster_document, group_document, host_document, normal


def three_hosts() -> Run:
    hosts = [host_document(name, {"memory": "64Gi", "cpus": 16}) for name in "abc"]
    web = {"count": 7, "memory": "4Gi", "cpus": 1}
    control = {"count": 3, "memory": "8Gi", "cpus": 2}
    return Run(
        (normal(group_document(hosts, {})), normal(cluster_document(control, {"web": web}))), 1
    )


def test_a_quiet_day_is_its_audits_and_nothing_else() -> None:
    run = three_hosts()
    run.run_until(600)
    passes, events, orders = run.tally.passes, run.tally.events, len(run.tally.orders)
    revision = run.store.commit(())
    run.run_until(600 + 24 * 3600)
    assert run.tally.passes - passes == 24 * 4
    assert run.tally.events == events
    assert len(run.tally.orders) == orders
    assert run.store.commit(()) == revision
    assert not run.checker.found


def test_a_restart_begins_within_45_seconds_of_the_crash() -> None:
    for offset in range(10):
        run = three_hosts()
        run.run_until(600 + offset * 0.31)
        crashed = run.world.now
        run.site.crash("b")
        run.run_until(crashed + 60)
        first = min(at for at, operation in run.tally.orders if at > crashed)
        assert first - crashed < 45

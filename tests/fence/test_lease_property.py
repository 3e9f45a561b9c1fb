"""The controller never has a proof while VMs run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frota.drivers.fence.lease.records import Terms
from tests.fence.lease_model import STEP, Knobs, Model, VmsRun

RATES = st.sampled_from([0.99, 0.995, 1.0, 1.005, 1.01])
WAITS = st.sampled_from([0.25, 0.5, 1.0, 2.5, 5.0, 9.0, 14.0, 17.0, 19.0, 20.0, 24.0, 26.0, 40.0])


def _storage(agent: bool | None, controller: bool | None) -> Callable[[Model], None]:
    def change(model: Model) -> None:
        model.agent_storage = model.agent_storage if agent is None else agent
        model.controller_storage = model.controller_storage if controller is None else controller

    return change


def _blind(model: Model) -> None:
    model.blind_until = model.t + 12.0


ALWAYS: dict[str, Callable[[Model], None]] = {
    "wait": lambda _: None,
    "agent loses storage": _storage(False, None),
    "agent has storage": _storage(True, None),
    "controller loses storage": _storage(None, False),
    "controller has storage": _storage(None, True),
    "all have storage": _storage(True, True),
    "controller pauses": _blind,
    "controller restarts": Model.restart_controller,
    "probe": Model.probe,
    "kill": Model.kill,
    "forget": Model.forget,
    "start VMs": Model.start_vms,
    "host crashes": Model.crash_host,
    "host boots": Model.boot_host,
    "agent is stopped": Model.stop_agent,
    "agent is started": Model.start_agent,
}


def _unkillable(model: Model) -> None:
    model.unkillable = not model.unkillable


# With a watchdog: however late the host is, even for ever.
WITH_WATCHDOG: dict[str, Callable[[Model], None]] = {
    **ALWAYS,
    "agent is late": lambda model: model.hold_agent(11.0),
    "agent is held for ever": lambda model: model.hold_agent(1e9),
    "agent dies": lambda model: model.restart_agent(2.0),
    "agent is restarted late": lambda model: model.restart_agent(30.0),
    "VMs cannot be killed": _unkillable,
}

# Without one the host may be late by less than the margin, once in a while.
LATE_MOST = 2.0
LATE_AGAIN = 30.0
WITHOUT_WATCHDOG: dict[str, Callable[[Model], None]] = {
    **ALWAYS,
    "agent is late": lambda model: model.hold_agent(LATE_MOST),
    "agent dies": lambda model: model.restart_agent(LATE_MOST),
    "agent dies unnoticed": Model.lose_agent_unnoticed,
}

# Orders of events in which mistakes would show; the waits between them are drawn.
TRICKY = [
    ["agent loses storage", "kill", "agent is late"],
    ["agent loses storage", "agent is late", "probe"],
    ["agent loses storage", "agent dies", "kill"],
    ["agent loses storage", "kill", "all have storage", "forget", "start VMs"],
    ["kill", "forget", "start VMs", "kill"],
    ["kill", "agent is stopped", "forget", "start VMs", "kill", "agent is started"],
    ["kill", "agent is stopped", "forget", "start VMs", "probe"],
    ["agent is stopped", "kill", "agent is started"],
    ["controller loses storage", "kill", "controller has storage"],
    ["agent loses storage", "wait", "agent has storage", "kill"],
    ["host crashes", "probe", "host boots", "forget", "start VMs"],
    ["controller restarts", "probe"],
]


def _run(
    model: Model, story: list[tuple[str, float]], acts: dict[str, Callable[[Model], None]]
) -> None:
    late = -LATE_AGAIN
    for name, wait in story:
        if not model.knobs.watchdog and name in ("agent is late", "agent dies"):
            # Two in a row would be one longer one, which the margin does not cover.
            if model.t - late < LATE_AGAIN:
                continue
            late = model.t
        acts[name](model)
        model.run(wait)
    model.run(60.0)


def stories(acts: dict[str, Callable[[Model], None]]) -> st.SearchStrategy[list[tuple[str, float]]]:
    tricky = [*TRICKY]
    if "agent dies unnoticed" in acts:
        tricky.append(["agent dies unnoticed", "controller restarts", "kill"])
        tricky.append(["agent dies unnoticed", "kill"])
    one = st.tuples(st.sampled_from(sorted(acts)), WAITS).map(lambda act: [act])
    some = st.sampled_from(tricky).flatmap(
        lambda names: st.tuples(*[st.tuples(st.just(name), WAITS) for name in names])
    )
    parts = st.lists(st.one_of(one, some, some), max_size=5)
    return parts.map(lambda groups: [act for group in groups for act in group])


KNOBS = st.builds(
    Knobs,
    agent_rate=RATES,
    controller_rate=RATES,
    io_steps=st.integers(0, 6),
    kill_steps=st.integers(0, 6),
    read_lag=st.sampled_from([0.0, 0.4]),
)
SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(knobs=KNOBS, story=stories(WITHOUT_WATCHDOG))
def test_no_proof_while_vms_run(knobs: Knobs, story: list[tuple[str, float]]) -> None:
    _run(Model(knobs), story, WITHOUT_WATCHDOG)


@SLOW
@given(knobs=KNOBS, story=stories(WITH_WATCHDOG))
def test_no_proof_while_vms_run_however_late_a_watched_host_is(
    knobs: Knobs, story: list[tuple[str, float]]
) -> None:
    knobs.watchdog = True
    _run(Model(knobs), story, WITH_WATCHDOG)


def _cut_at_the_worst_moment(margin: float, offset: float) -> None:
    """The host's clock slow, the controller's fast; storage lost right after a renewal, the
    agent late just when it must act, its VMs slow to end."""
    slow = Knobs(agent_rate=0.99, controller_rate=1.01, kill_steps=6)
    model = Model(slow, Terms(margin=margin))
    model.run(10.0 + offset)
    while model.terms.lease - model.holder.left(model.agent_now) > 2 * STEP:
        model.run(STEP)
    model.agent_storage = False
    model.kill()
    while model.holder.left(model.agent_now) > STEP:
        model.run(STEP)
    model.hold_agent(LATE_MOST)
    model.run(15.0)
    assert model.proofs


OFFSETS = [step * STEP for step in range(20)]


@pytest.mark.parametrize("offset", OFFSETS)
def test_the_margin_covers_the_worst_moment(offset: float) -> None:
    _cut_at_the_worst_moment(Terms().margin, offset)


def test_a_smaller_margin_would_not() -> None:
    """So the model can tell right from wrong."""
    caught = 0
    for offset in OFFSETS:
        with suppress(VmsRun):
            _cut_at_the_worst_moment(3.0, offset)
            continue
        caught += 1
    assert caught

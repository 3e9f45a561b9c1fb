"""The steps of the story on real hosts, each with what must be true after it.

They are told in order, by the test and by the demo alike. ``tell`` takes a line about what
was seen and measured.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from tests.real.lab.guest import Watch
from tests.real.story_stage import HOLD_S, SETS, Raw, Stage, now, slow

Tell = Callable[[str], None]
WITH_DEVICE_S = 15.0  # from a crash to the first order to restart: the bars of the project
BY_LEASE_S = 45.0
SILENCE_S = 5.0  # the most that a moving guest may be silent, on a machine that is busy
_LONG = 150.0


def placed(stage: Stage, tell: Tell) -> None:
    """Everything declared runs, evenly, and answers."""
    wanted = sum(SETS.values())
    stage.wait(lambda: len(stage.vms()) == wanted and stage.even(), _LONG, "all placed evenly")
    stage.boots(list(stage.places()))
    spread = Counter(stage.places().values())
    tell(f"{wanted} VMs run and answer: {dict(sorted(spread.items()))} by host")


def crashes(stage: Stage, host: str, tell: Tell) -> None:
    """A host loses its power: proof by its management controller, one joint restart."""
    victims = stage.on(host)
    spared = stage.boots([vm for vm in stage.places() if vm not in victims])
    at = now()
    stage.lab.crash(host)
    begun = stage.restart_begun(at)
    down = stage.decisions(since=at, subject=f"Host/{host}", reason="Down")[0]
    assert "proved dead by fence_ipmilan" in down["message"], "no restart without a proof"
    assert down["at"] <= begun
    tell(f"crash of {host} to restart begun, with IPMI: {begun - at:.1f} s")
    assert begun - at < WITH_DEVICE_S
    _joint(stage, at, victims)
    stage.wait(lambda: stage.rests() and stage.phases() == {"Degraded"}, _LONG, "all run, Degraded")
    assert not stage.on(host)
    assert stage.boots(list(spared)) == spared, "nobody else noticed"
    stage.boots(sorted(victims))
    tell(f"{', '.join(sorted(victims))} run elsewhere; every set is Degraded")


def _joint(stage: Stage, at: float, victims: Collection[str]) -> None:
    """All victims were placed by one decision, each started once."""
    starts = stage.decisions(since=at, reason="Start", stage="Action")
    assert Counter(line["subject"] for line in starts) == {
        f"VirtualMachine/{v}": 1 for v in victims
    }
    assert len({line["at"] for line in starts}) == 1, "one joint restart"


def returns(stage: Stage, host: str, tell: Tell) -> None:
    """The host is back: it is held, then the sets are evened out by the fewest live moves,
    and no guest stops answering."""
    fewest = sum(fewest_moves(stage, name, 3) for name in SETS)
    at = now()
    with watched(stage) as watches:
        stage.boot(host)
        stage.wait(stage.even, _LONG, "even again")
        moved = _moved(stage, at)
    states = stage.decisions(since=at, subject=f"Host/{host}")
    back, up = (next(s for s in states if s["reason"] == name) for name in ("Recovering", "Up"))
    assert up["at"] - back["at"] >= HOLD_S
    plan = stage.decisions(since=at, reason="Rebalance")[0]["message"]
    assert f"{fewest} moves" in plan
    assert "no plan needs fewer" in plan
    assert len(moved) == fewest, moved
    tell(f"{host} is back: {plan}")
    answered(stage, watches, moved, tell)


def fewest_moves(stage: Stage, name: str, hosts: int) -> int:
    """The least number of members of a set that must move to be even over some hosts: the
    fullest hosts keep the larger shares, and nobody moves who need not."""
    members = [raw for raw in stage.get("vms") if raw["spec"]["availabilitySet"] == name]
    counts = sorted(Counter(raw["status"]["host"] for raw in members).values(), reverse=True)
    share, larger = divmod(len(members), hosts)
    kept = (min(n, share + (place < larger)) for place, n in enumerate(counts[:hosts]))
    return len(members) - sum(kept)


def _moved(stage: Stage, at: float) -> list[str]:
    """VMs in the order in which live moves of them were begun."""
    lines = stage.decisions(since=at, reason="Live", stage="Action")
    return [line["subject"].partition("/")[2] for line in lines]


@contextmanager
def watched(stage: Stage) -> Iterator[dict[str, Watch]]:
    """Every guest is asked all the while."""
    stage.boots(list(stage.places()))
    with ExitStack() as stack:
        yield {
            vm: stack.enter_context(Watch(stage.address(vm), every_s=0.5)) for vm in stage.places()
        }


def answered(stage: Stage, watches: dict[str, Watch], moved: list[str], tell: Tell) -> None:
    """No guest restarted or fell silent, those that moved least of all."""
    for watch in watches.values():
        assert len(watch.boots) == 1
        uptimes = [answer.uptime for answer in watch.answers]
        assert uptimes[-1] > uptimes[0]
    silent = {vm: watches[vm].longest_gap_s for vm in moved}
    assert all(gap < SILENCE_S for gap in silent.values()), silent
    said = ", ".join(f"{vm} {gap:.1f} s" for vm, gap in silent.items())
    tell(f"same boot, uptime grew; longest time without an answer: {said}")


def drained(stage: Stage, host: str, tell: Tell) -> None:
    """A host is drained by live moves, and the controllers are killed in the middle."""
    leaving = stage.on(host)
    boots = stage.boots(list(stage.places()))
    for vm in leaving:
        slow(stage, vm, host, 10)
    at = now()
    stage.frota("drain", host)
    stage.wait(lambda: bool(_crossing(stage, leaving)), 30, "a migration under way")
    stage.kill()
    crossing = _crossing(stage, leaving)
    orders = {vm: _order(stage.vms()[vm]) for vm in crossing}
    assert all(orders.values()), "what is under way is on record"
    tell(f"frota up killed (-9) while {', '.join(crossing)} moved; started again")
    stage.up()
    stage.wait_state(host, "Maintenance", within=_LONG)
    assert not stage.on(host)
    assert sorted(_moved(stage, at)) == sorted(leaving), (
        "each was ordered once: adopted, not redone"
    )
    assert not stage.decisions(since=at, reason="Start")
    assert not stage.decisions(since=at, reason="Isolated"), "a new process knows no silence"
    assert stage.boots(list(boots)) == boots, "nothing restarted"
    tell(f"{host} is empty and in Maintenance; the moves under way were adopted")


def _crossing(stage: Stage, vms: Collection[str]) -> list[str]:
    """VMs with a source and the far end of a migration at this moment."""
    alive = Counter(process.vm for process in stage.copies.alive())
    return [vm for vm in vms if alive[vm] > 1]


def _order(status: Raw) -> str:
    operation = status["operation"]
    return str(operation["id"]) if operation is not None else ""


def resumed(stage: Stage, host: str, tell: Tell) -> None:
    """The drained host serves again, and gets its share."""
    boots = stage.boots(list(stage.places()))
    at = now()
    stage.frota("resume", host)
    stage.wait(lambda: stage.state(host) == "Up" and stage.even(), _LONG, "even again")
    assert stage.boots(list(boots)) == boots
    tell(f"{host} serves again: {len(_moved(stage, at))} live moves")


def grows(stage: Stage, tell: Tell) -> str:
    """A fourth host: no VM moves, and the sets say that they do not use it."""
    before, at = stage.places(), now()
    host = stage.lab.add_host()
    stage.start_agent(host)
    stage.declare()
    stage.frota("apply", str(stage.files))
    stage.wait_state(host, "Up", within=30)
    stage.wait(lambda: stage.phases() == {"ConfigStale"}, 10, "ConfigStale")
    time.sleep(3)  # some passes in which nothing must happen
    assert stage.places() == before
    assert not _moved(stage, at)
    tell(f"{host} joined: no move, every set ConfigStale")
    return host


def removed(stage: Stage, host: str, tell: Tell) -> None:
    """A host is removed for good: emptied live, and the sets that lost a domain say so."""
    boots = stage.boots(list(stage.places()))
    stage.frota("host", "remove", host, "--yes")
    stage.wait(
        lambda: stage.state(host) in ("", "Removed") and stage.phases() == {"Unhealthy"},
        _LONG,
        f"{host} removed, every set Unhealthy",
    )
    stage.wait(stage.rests, 30, "rest")
    assert not stage.on(host)
    assert stage.boots(list(boots)) == boots
    tell(f"{host} is removed for good: every set Unhealthy, all guests run on")


def redeployed(stage: Stage, tell: Tell) -> None:
    """New sets on the hosts of now; the only way out of Unhealthy."""
    old = set(stage.places())
    for name in stage.sets():
        stage.frota("redeploy", name)
    stage.wait(
        lambda: not old & set(stage.places()) and stage.even(), 2 * _LONG, "redeployed, Healthy"
    )
    new = stage.places()
    assert len(new) == sum(SETS.values())
    stage.boots(list(new))
    tell(f"redeployed: {len(new)} new VMs answer, every set Healthy")

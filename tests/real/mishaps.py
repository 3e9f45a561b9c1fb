"""More steps of the story: hosts that hang or are cut off, where leases alone are the proof,
and a disk that somebody starts twice."""

from __future__ import annotations

import re
import time

import pytest

from tests.real.lab.namespaces import LabError, run
from tests.real.steps import BY_LEASE_S, Tell
from tests.real.story_stage import Stage, now

_LONG = 150.0
GRACE_S = 30.0
HANG_S = 18.0  # well past Isolated, well before the grace is over


def started_twice(stage: Stage, tell: Tell) -> None:
    """Somebody starts the disk of a running VM by hand, on another host, by another name."""
    vm, host = next(iter(stage.places().items()))
    other = next(name for name in stage.lab.names if name != host)
    boot = stage.answer(vm).boot
    found = run(["virsh", "-c", stage.lab.place(host).socket_uri, "dumpxml", "--inactive", vm])
    xml = re.sub(r"<metadata>.*</metadata>|<uuid>.*?</uuid>", "", found, flags=re.DOTALL)
    described = stage.lab.site.root / "twin-brother.xml"
    described.write_text(xml.replace(f"<name>{vm}</name>", "<name>twin-brother</name>"))
    with pytest.raises(LabError, match="lock"):
        run(["virsh", "-c", stage.lab.place(other).socket_uri, "create", str(described)])
    assert stage.answer(vm).boot == boot
    assert stage.even()
    tell(f"the disk of {vm}, started again on {other}: refused by its lock")


def hangs(stage: Stage, host: str, tell: Tell) -> None:
    """libvirtd stops where it stands, and goes on before the grace is over."""
    before, at = stage.places(), now()
    boots = stage.boots(list(before))
    began = time.monotonic()
    stage.lab.hang(host)
    stage.wait_state(host, "Isolated", within=20)
    stage.wait(lambda: time.monotonic() > began + HANG_S, 2 * HANG_S, "time")
    assert stage.state(host) == "Isolated"
    stage.lab.resume(host)
    assert now() - at < GRACE_S, "this machine is too slow to say anything"
    stage.wait(lambda: stage.state(host) == "Up" and stage.even(), 60, "as before")
    assert not stage.decisions(since=at, stage="Action"), "nothing was done"
    assert stage.places() == before
    assert stage.boots(list(boots)) == boots
    tell(f"libvirtd of {host} hung for {HANG_S:.0f} s: Isolated, then Up; nothing was restarted")


def cut_off(stage: Stage, host: str, tell: Tell) -> None:
    """No network, no lease storage, and nobody reaches its power controller: the host ends
    its own VMs before they start elsewhere. The controllers are killed when that has begun."""
    victims, at = stage.on(host), now()
    stage.lab.cut(host, storage=True, control=True)
    begun = stage.restart_begun(at)
    stage.kill()
    stage.up()
    _restarted(stage, host, victims, at, "proved dead by lease")
    tell(f"{host} cut off with its storage to restart begun, by lease alone: {begun - at:.1f} s")
    assert begun - at < BY_LEASE_S
    tell("frota up killed (-9) as it restarted them: each was started once")


def cut_off_from_controller(stage: Stage, host: str, tell: Tell) -> None:
    """No network, but the lease storage is there: the host is asked through it to end its
    VMs, and says that it has. The controllers are killed while they ask."""
    victims, at = stage.on(host), now()
    stage.lab.cut(host)
    stage.wait_state(host, "Fencing", "Down", within=60)
    stage.kill()
    stage.up()
    begun = stage.restart_begun(at)
    _restarted(stage, host, victims, at, "proved dead by lease-ack")
    tell(f"{host} cut off, storage kept, to restart begun, by its own word: {begun - at:.1f} s")


def _restarted(stage: Stage, host: str, victims: set[str], at: float, proof: str) -> None:
    """The proof came first; each old copy was gone before the one new copy began."""
    stage.wait(lambda: not stage.on(host) and stage.rests(), _LONG, "all run elsewhere")
    down = stage.decisions(since=at, subject=f"Host/{host}", reason="Down")
    assert len(down) == 1
    assert proof in down[0]["message"]
    for vm in victims:
        *_, old, new = stage.copies.of(vm)
        assert (old.host == host, new.host == host) == (True, False)
        assert old.gone is not None
        assert old.gone < new.began, "the old copy was gone first"
        starts = stage.decisions(since=at, subject=f"VirtualMachine/{vm}", reason="Start")
        assert len(starts) == 1
    stage.boots(sorted(victims))


def healed(stage: Stage, host: str, tell: Tell) -> None:
    """The network is back: the same host, with its VMs gone, serves again."""
    at = now()
    stage.lab.heal(host)
    stage.wait(lambda: stage.state(host) == "Up" and stage.even(), _LONG, "even again")
    moves = stage.decisions(since=at, reason="Live", stage="Action")
    tell(f"{host} is back and serves: {len(moves)} live moves")

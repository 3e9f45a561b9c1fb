"""``make demo-real``: the story on real libvirt hosts, told by Frota's own command line; then
that of a fleet on real API servers, where their programs are there.

Everything happens in namespaces of its own on this machine and is gone at the end. Each
step checks what it says; one that does not come true ends the story with exit code 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.real import mishaps, steps
from tests.real.fleet import demo as fleet_demo
from tests.real.lab.hosts import Lab
from tests.real.needs import lacking
from tests.real.story_stage import FROTA, Stage

_SETTLE_S = 0.6  # until the last lines of the journal are on the screen
Step = Callable[[Stage], None]


def _say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _found(text: str) -> None:
    _say(f"  => {text}")


_CHAPTERS: tuple[tuple[str, str, Step, tuple[str, ...]], ...] = (
    (
        "Three hosts, one cluster",
        (
            "A control plane of three and two pools are placed together. Every host is a libvirtd\n"
            "with its own network, power and management controller; every VM boots a kernel."
        ),
        lambda stage: steps.placed(stage, _found),
        ("get vms",),
    ),
    (
        "Host a loses its power",
        "Silence proves nothing. Its management controller is asked, and says: off.",
        lambda stage: steps.crashes(stage, "a", _found),
        ("explain host/a --last 1", "get sets"),
    ),
    (
        "Host a returns",
        "It must be well for a while; then the sets are evened out by the fewest live moves.",
        lambda stage: steps.returns(stage, "a", _found),
        ("get sets",),
    ),
    (
        "Somebody starts a disk twice",
        "By hand, on another host, behind Frota's back.",
        lambda stage: mishaps.started_twice(stage, _found),
        (),
    ),
    (
        "libvirtd of host b hangs",
        "It is stopped where it stands. Its guests are well, so nothing may be restarted.",
        lambda stage: mishaps.hangs(stage, "b", _found),
        ("explain host/b --last 1",),
    ),
    (
        "Host a is cut off, from its storage too",
        (
            "Nobody can reach it, nor its power controller. It must end its own VMs before they\n"
            "start elsewhere; and when they do, the controllers are killed with kill -9."
        ),
        lambda stage: mishaps.cut_off(stage, "a", _found),
        ("explain host/a --last 1",),
    ),
    (
        "The cable is back",
        "",
        lambda stage: mishaps.healed(stage, "a", _found),
        ("get sets",),
    ),
    (
        "Maintenance on host b",
        "frota drain b: its VMs leave it live. The controllers are killed in the middle.",
        lambda stage: steps.drained(stage, "b", _found),
        ("get hosts",),
    ),
    ("frota resume b", "", lambda stage: steps.resumed(stage, "b", _found), ("get sets",)),
    (
        "A fourth host",
        "It is for new VMs: nothing moves for it.",
        lambda stage: _discard(steps.grows(stage, _found)),
        ("get sets",),
    ),
    (
        "Host c is gone for good",
        "frota host remove c: it is emptied live, and a fault domain is lost.",
        lambda stage: steps.removed(stage, "c", _found),
        ("get sets",),
    ),
    (
        "frota redeploy",
        "New sets over the hosts of now, one VM after the other.",
        lambda stage: steps.redeployed(stage, _found),
        ("get hosts", "get sets"),
    ),
)


def _discard(_: object) -> None:
    """For a step whose result only the test needs."""


@contextmanager
def _journal(stage: Stage) -> Iterator[None]:
    """``frota events --follow``, beside the story."""
    argv = [*FROTA, "--store", str(stage.store), "events", "--follow", "--last", "0"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as follower:
        try:
            yield
        finally:
            follower.kill()


def _tell(stage: Stage) -> None:
    for title, text, step, shown in _CHAPTERS:
        _say(f"\n── {title} {'─' * max(3, 90 - len(title))}")
        _say(f"{text}\n" if text else "")
        step(stage)
        time.sleep(_SETTLE_S)
        for words in shown:
            _say(f"\n$ frota {words}\n{stage.frota(*words.split()).rstrip()}")


def _hosts() -> int:
    """Exit 0 when every step came true, 1 when one did not, 5 when it cannot run here."""
    reason = lacking()
    if reason:
        sys.stderr.write(f"demo: not on this machine: {reason}\n")
        return 5
    began = time.monotonic()
    try:
        with Lab("demo") as lab, Stage(lab, devices=True) as stage, _journal(stage):
            _tell(stage)
            assert not stage.copies.twice, stage.copies.twice
    except AssertionError as failed:
        at = traceback.extract_tb(failed.__traceback__)[-1]
        told = f"{str(failed) or at.line} ({at.name}, line {at.lineno} of {at.filename})"
        sys.stderr.write(f"demo: the story did not go as it must: {told}\n")
        return 1
    took = time.monotonic() - began
    _say(f"\nTold in {took:.0f} s. No VM ever ran twice. Everything is removed again.")
    return 0


def _fleet(*, asked: bool) -> int:
    """The act of a fleet; 5 when it was asked for and cannot run here."""
    reason = fleet_demo.lacking()
    if not reason:
        return fleet_demo.tell()
    sys.stderr.write(f"demo: the act of the fleet is left out: {reason}\n")
    return 5 if asked else 0


def main(acts: Sequence[str]) -> int:
    """Both acts, or the one that is named: ``hosts`` or ``fleet``. Exit 0 when every step
    came true, 1 when one did not, 5 when it cannot run here."""
    try:
        if "fleet" in acts:
            return _fleet(asked=True)
        return _hosts() or (0 if "hosts" in acts else _fleet(asked=False))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The story of ``frota demo``, chapter by chapter; each says what must have come of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from frota.cli.demotelling import Telling
from frota.cli.view.scene import Scene, hosts_table, sets_table
from frota.controllers.desired import desired_group
from frota.controllers.records import GROUP, Records
from frota.model.availability import Phase
from frota.model.decision import Decision, Stage
from frota.model.host import HostState
from frota.model.snapshot import Snapshot
from frota.model.vm import Verb, VmState
from frota.resources.documents import load
from frota.runtime.clock import SystemClock
from frota.simulation.actions import perform
from frota.simulation.run import Run

_FILE = "three-hosts.yaml"
_MINUTE = 60.0
_STEP_S = 5.0
_LINES_MOST = 100_000


class Story:
    """Plays and narrates."""

    def __init__(self, telling: Telling, seed: int) -> None:
        text = files("frota.cli").joinpath(_FILE).read_text(encoding="utf-8")
        loaded = load([(_FILE, text)])
        self._telling = telling
        self._real = SystemClock()
        self._began = self._real.now()
        self._run = Run(tuple(resource.document for resource in loaded.resources), seed)
        self._records = Records(self._run.store, self._run.group)
        self._told = 0

    def tell(self) -> None:
        """The whole story."""
        for chapter in (
            self._placement,
            self._crash,
            self._return,
            self._drain,
            self._fourth_host,
            self._lost_for_good,
        ):
            chapter()
            self._telling.rest()
        self._end()

    # Chapters

    def _placement(self) -> None:
        self._telling.title(
            "Three hosts, one cluster",
            "A control plane of three and two node pools are placed together. Each is a set "
            "that Frota keeps spread over the hosts.",
        )
        self._until(lambda: self._all(Phase.HEALTHY) and self._running() == 9)
        self._telling.must(self._all(Phase.HEALTHY), "nine VMs are spread evenly")
        self._show()

    def _crash(self) -> None:
        self._telling.title(
            "Host b dies at night",
            "Its kernel stops. Silence proves nothing: its VMs are started elsewhere only when "
            "b's lease has run out, so that no VM can run twice.",
        )
        crashed = self._run.world.now
        perform(self._run, "crash", {"hosts": ["b"]})
        self._until(lambda: self._running() == 9 and self._state("b") is HostState.DOWN)
        restarts = [
            at for at, op in self._run.tally.orders if at >= crashed and op.verb is Verb.START
        ]
        waited = min(restarts, default=float("inf")) - crashed
        self._telling.must(self._all(Phase.DEGRADED), "all VMs run again; the sets say Degraded")
        self._telling.must(waited < 45, f"restart began {waited:.0f} s after the crash (bar: 45 s)")
        self._show()

    def _return(self) -> None:
        self._telling.title(
            "Host b returns",
            "It must be well for a minute. Then the sets are evened out by live migration, with "
            "the fewest moves that there can be.",
        )
        before = self._run.moves()
        perform(self._run, "boot", {"hosts": ["b"]})
        self._until(lambda: self._all(Phase.HEALTHY))
        moves = self._run.moves() - before
        proved = [line for line in self._lines() if "no plan needs fewer" in line.message]
        self._telling.must(self._all(Phase.HEALTHY), f"even again after {moves} moves")
        self._telling.must(bool(proved), "and it is proved that no plan needs fewer")
        self._show()

    def _drain(self) -> None:
        self._telling.title(
            "Maintenance on host c",
            "frota drain c: its VMs leave it live, a few at a time, the control plane with its "
            "quorum kept. A reboot is no failure now. frota resume c takes it back.",
        )
        perform(self._run, "drain", {"hosts": ["c"]})
        self._until(lambda: self._state("c") is HostState.MAINTENANCE)
        restarts = self._run.restarts()
        self._telling.must(
            self._state("c") is HostState.MAINTENANCE, "c is empty and in Maintenance"
        )
        self._show()
        perform(self._run, "resume", {"hosts": ["c"]})
        self._until(lambda: self._all(Phase.HEALTHY))
        self._telling.must(self._all(Phase.HEALTHY), "resumed, and even again")
        self._telling.must(self._run.restarts() == restarts, "no VM was restarted for it")
        self._show()

    def _fourth_host(self) -> None:
        self._telling.title(
            "A fourth host",
            "New VMs may use it at once; the old ones are not moved about for it. The sets say "
            "ConfigStale, until they are redeployed or told to adopt new hosts.",
        )
        before = self._run.moves()
        short = {"memory": "32Gi", "cpus": 16, "fence": "absent"}
        perform(self._run, "add-host", {"name": "d", "host": short})
        self._for(30 * _MINUTE)
        self._telling.must(self._run.moves() == before, "zero moves in half an hour")
        self._telling.must(self._all(Phase.CONFIG_STALE), "the sets say ConfigStale")
        self._show()

    def _lost_for_good(self) -> None:
        self._telling.title(
            "Host a is gone for good",
            "frota host remove a: it is emptied and leaves the group. A fault domain that sets "
            "were made with is lost: they stay Unhealthy until they are redeployed.",
        )
        perform(self._run, "remove-host", {"hosts": ["a"]})
        self._until(lambda: self._state("a") is HostState.REMOVED and not self._busy())
        self._telling.must(self._all(Phase.UNHEALTHY), "a has left; the sets say Unhealthy")
        self._show()
        self._telling.title(
            "Redeploy", "frota redeploy: new sets over b, c and d, one VM after the other."
        )
        for name in sorted(self._snapshot().sets):
            perform(self._run, "redeploy", {"set": name})
        self._until(lambda: self._all(Phase.HEALTHY) and not self._busy())
        self._telling.must(self._all(Phase.HEALTHY), "every set is Healthy again")
        self._show()

    def _end(self) -> None:
        run = self._run
        run.checker.converged()
        took = self._real.now() - self._began
        broken = [str(item) for item in run.checker.found]
        self._telling.failed += broken
        self._telling.rule()
        self._telling.say(
            f"{run.world.now / 3600:.1f} simulated hours in {took:.1f} s. After each of "
            f"{run.tally.events} events every invariant was checked (no VM twice, no host "
            f"overfull, no start before proof of death, ...): {len(broken)} broken.",
        )
        self._telling.say(
            "Next: frota up examples/three-hosts.yaml, and in a second terminal frota drain b, "
            "frota explain host/b, frota what-if --without c."
        )

    # Letting time pass

    def _until(self, reached: Callable[[], bool], most: float = 4 * 60 * _MINUTE) -> None:
        """Go on until something is so and nothing is under way, or for a long time."""
        end = self._run.world.now + most
        while self._run.world.now < end:
            self._for(_STEP_S, tell=False)
            if reached() and not self._busy():
                break
        self._tell()

    def _for(self, seconds: float, *, tell: bool = True) -> None:
        self._run.run_until(self._run.world.now + seconds)
        self._records.refresh()
        if tell:
            self._tell()

    # How it stands

    def _snapshot(self) -> Snapshot:
        records = self._records
        records.refresh()
        policy = desired_group(self._run.document(GROUP, self._run.group)).policy
        now = self._run.clock.now()
        return Snapshot(self._run.group, now, records.hosts, records.sets, records.vms, policy)

    def _all(self, phase: Phase) -> bool:
        verdicts = self._records.verdicts
        return bool(verdicts) and all(verdict.phase is phase for verdict in verdicts.values())

    def _running(self) -> int:
        return sum(vm.state is VmState.RUNNING for vm in self._records.vms.values())

    def _busy(self) -> bool:
        return any(vm.operation is not None for vm in self._records.vms.values())

    def _state(self, host: str) -> HostState:
        return self._records.hosts[host].state

    # Saying it

    def _show(self) -> None:
        scene = Scene(self._snapshot(), self._records.verdicts)
        state = {
            "hosts": {name: host.state.value for name, host in self._records.hosts.items()},
            "sets": {name: found.phase.value for name, found in self._records.verdicts.items()},
        }
        self._telling.show(state, hosts_table(scene), sets_table(scene))

    def _lines(self) -> list[Decision]:
        """The journal since the last chapter began to be told."""
        return list(self._run.store.journal(last=_LINES_MOST))

    def _tell(self) -> None:
        lines = self._lines()
        for line in lines[self._told :]:
            if _worth_telling(line):
                self._telling.line(line, 0.0)
        self._told = len(lines)


def _worth_telling(line: Decision) -> bool:
    """Hosts and sets in all they go through, decisions, and what was done to VMs."""
    kind = line.subject.partition("/")[0]
    if kind == "VirtualMachine":
        return line.stage in (Stage.ACTION, Stage.DECISION) and line.reason != "ScaledDown"
    return line.reason not in ("HostAdded", "SetDeclared")

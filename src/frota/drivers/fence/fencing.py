"""All ways to fence the hosts of one group, as one ``ports.fence.Fence``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frota.drivers.fence.agents import AgentDevice, Device, DeviceError, PowerDevice
from frota.drivers.fence.lease.observer import Finding
from frota.drivers.fence.lease.records import Terms
from frota.drivers.fence.lease.space import Space
from frota.drivers.fence.lease.watch import LeaseWatch
from frota.drivers.fence.workers import ThreadWorkers, Workers
from frota.ports.clock import Clock
from frota.ports.fence import FenceState, FenceVerdict

KILL_AGAIN = 10.0  # seconds between the end of one attempt and the next
PROBE_AGAIN = 5.0
LIVES_MOST = 16  # of one host that are remembered; it is forgotten when it comes back
_IDLE = FenceVerdict(FenceState.IDLE)


@dataclass(slots=True)
class _Try:
    """What the devices are doing, or did last, for one question."""

    waits: bool = False  # submitted; pauses before it begins
    runs: bool = False
    ended: float | None = None
    said: str = ""  # why it was no proof

    @property
    def busy(self) -> bool:
        return self.waits or self.runs

    @property
    def working(self) -> bool:
        """Busy, and not just resting after an attempt whose end still tells."""
        return self.runs or (self.waits and self.ended is None)


class _Case:
    """One life of one host that is in question."""

    def __init__(self) -> None:
        self.look = _Try()
        self.kill = _Try()
        self.kills = False  # somebody wants it dead
        self.powered = False  # a device said that the power is on
        self.dropped = False  # it was forgotten: nothing more may be done to the host
        self.proof: FenceVerdict | None = None

    @property
    def closed(self) -> bool:
        return self.dropped or self.proof is not None


class GroupFence:
    """Devices in their order, and the leases at the same time.

    Close it when the group is no longer this process's; then it must not be used again.
    """

    def __init__(
        self,
        devices: Mapping[str, Sequence[PowerDevice]],
        lease: LeaseWatch | None,
        workers: Workers,
        clock: Clock,
    ) -> None:
        self._devices = {host: tuple(several) for host, several in devices.items()}
        self._lease = lease
        self._workers = workers
        self._clock = clock
        self._lock = threading.Lock()
        self._cases: dict[tuple[str, str], _Case] = {}
        self._wakes: tuple[Callable[[], None], ...] = ()
        if lease is not None:
            lease.watch(self._devices)
            lease.on_change(self._wake)

    def start(self) -> None:
        """Begin to watch the leases. Without it nothing proves by lease."""
        if self._lease is not None:
            self._lease.start()

    def close(self) -> None:
        """Stop watching and asking."""
        self._workers.close()
        if self._lease is not None:
            self._lease.close()

    def arrange(self, devices: Mapping[str, Sequence[PowerDevice]]) -> None:
        """The hosts of the group and their devices from now on."""
        with self._lock:
            self._devices = {host: tuple(several) for host, several in devices.items()}
        if self._lease is not None:
            self._lease.watch(devices)

    def lease_problem(self, host: str = "") -> str:
        """Why the lease of a host in service (of all, without a name) would not help if
        it fell silent now; empty when it would, or when the group has no leases."""
        return "" if self._lease is None else self._lease.problem(host)

    # ports.fence.Fence

    def probe(self, host: str, incarnation: str) -> None:
        """See ``ports.fence.Fence``."""
        with self._lock:
            case = self._case(host, incarnation)
            if case.proof is not None:
                return
            devices = self._devices.get(host, ())
            if devices and not case.kill.busy:
                self._begin(case.look, PROBE_AGAIN, lambda: self._look(case, devices))
        self._ask_lease(host, incarnation, fence=False)

    def kill(self, host: str, incarnation: str) -> None:
        """See ``ports.fence.Fence``."""
        with self._lock:
            case = self._case(host, incarnation)
            if case.proof is not None:
                return
            case.kills = True
            devices = self._devices.get(host, ())
            self._begin(case.kill, KILL_AGAIN, lambda: self._kill(case, devices))
        self._ask_lease(host, incarnation, fence=True)

    def verdict(self, host: str, incarnation: str) -> FenceVerdict:
        """See ``ports.fence.Fence``."""
        with self._lock:
            case = self._cases.get((host, incarnation))
            if case is None:
                return _IDLE
            finding, word = self._hear_lease(case, host, incarnation)
            if case.proof is not None:
                return case.proof
            return _weigh(case, finding, word)

    def forget(self, host: str) -> None:
        """See ``ports.fence.Fence``."""
        with self._lock:
            for key in [key for key in self._cases if key[0] == host]:
                self._cases.pop(key).dropped = True
        if self._lease is not None:
            self._lease.forget(host)

    def on_change(self, wake: Callable[[], None]) -> None:
        """See ``ports.fence.Fence``."""
        with self._lock:
            self._wakes = (*self._wakes, wake)

    # How it goes about it.

    def _case(self, host: str, incarnation: str) -> _Case:
        known = self._cases.get((host, incarnation))
        if known is not None:
            return known
        lives = [key for key in self._cases if key[0] == host]
        if len(lives) >= LIVES_MOST:
            self._cases.pop(lives[0]).dropped = True
        return self._cases.setdefault((host, incarnation), _Case())

    def _begin(self, attempt: _Try, pace: float, job: Callable[[], None]) -> None:
        if attempt.busy:
            return
        attempt.waits = True
        rest = 0.0
        if attempt.ended is not None:
            rest = max(0.0, attempt.ended + pace - self._clock.now())
        self._workers.submit(job, rest)

    def _ask_lease(self, host: str, incarnation: str, *, fence: bool) -> None:
        if self._lease is not None and host in self._devices:
            self._lease.ask(host, incarnation, fence=fence)

    def _hear_lease(self, case: _Case, host: str, incarnation: str) -> tuple[Finding | None, str]:
        """What the lease says now; None without one."""
        evidence = None if self._lease is None else self._lease.evidence(host, incarnation)
        if evidence is None:
            return None, "" if self._lease is None else "no lease of this host is watched"
        # A host that is frozen whole lets its lease run out and ends nothing: while a device
        # says that the power is on, and may yet cut it, running out is no proof.
        presumed = evidence.method == "lease" and case.powered and case.kill.ended is None
        if evidence.finding is Finding.PROVED and case.proof is None and not presumed:
            case.proof = FenceVerdict(FenceState.PROVED, evidence.method, evidence.message)
        return evidence.finding, f"lease: {evidence.message}"

    def _look(self, case: _Case, devices: Sequence[PowerDevice]) -> None:
        """Ask every device whether the power is off, until one says so."""
        self._started(case.look)
        said = []
        for device in devices:
            if case.closed:
                break
            try:
                if device.is_off():
                    self._proved(case, device, "the power is off")
                    break
                case.powered = True
                said.append(f"{device.name}: the power is on")
            except DeviceError as error:
                said.append(str(error))
        self._ended(case.look, said)

    def _kill(self, case: _Case, devices: Sequence[PowerDevice]) -> None:
        """Switch off by one device after the other, until one has."""
        self._started(case.kill)
        said = []
        for device in devices:
            if case.closed:
                break  # it came back, or its lease was the faster proof
            try:
                device.switch_off()
            except DeviceError as error:
                said.append(str(error))
            else:
                self._proved(case, device, "the power was switched off, and is off")
                break
        self._ended(case.kill, said)

    def _started(self, attempt: _Try) -> None:
        with self._lock:
            attempt.waits, attempt.runs = False, True
        self._wake()

    def _ended(self, attempt: _Try, said: Sequence[str]) -> None:
        with self._lock:
            attempt.runs, attempt.ended, attempt.said = False, self._clock.now(), "; ".join(said)
        self._wake()

    def _proved(self, case: _Case, device: PowerDevice, message: str) -> None:
        with self._lock:
            if case.proof is None:
                case.proof = FenceVerdict(FenceState.PROVED, device.name, message)

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()


def _weigh(case: _Case, finding: Finding | None, word: str) -> FenceVerdict:
    """The verdict on a case without a proof."""
    if (case.kill if case.kills else case.look).working:
        return FenceVerdict(FenceState.WORKING, message="asking its fence devices")
    said = "; ".join(each for each in (case.kill.said or case.look.said, word) if each)
    if not case.kills:
        return FenceVerdict(FenceState.IDLE, message=said)
    if finding is Finding.WAITING:
        return FenceVerdict(FenceState.WORKING, message=said)
    return FenceVerdict(
        FenceState.FAILED, message=said or "it has no fence device, and the group no leases"
    )


Declared = Mapping[str, Sequence[Device]]


def devices_of(declared: Declared) -> dict[str, list[PowerDevice]]:
    """The devices behind the fence agents that were declared for each host."""
    return {host: [AgentDevice(each) for each in several] for host, several in declared.items()}


def group_fence(
    declared: Declared, clock: Clock, lease_path: str = "", terms: Terms | None = None
) -> GroupFence:
    """The fence of one group on this machine. ``lease_path`` is empty when the group has
    no leases. To be started, and closed at the end."""
    lease = None
    if lease_path:
        lease = LeaseWatch(Space(Path(lease_path)), terms or Terms(), clock)
    return GroupFence(devices_of(declared), lease, ThreadWorkers(), clock)

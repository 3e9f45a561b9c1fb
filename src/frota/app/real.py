"""Host groups on real libvirt hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from frota.app.outfit import MissingDriver, Outfit, Wake
from frota.controllers.desired import GroupSpec, HostSpec
from frota.drivers.witness.absent import NoWitness
from frota.drivers.witness.tcp import TcpWitness
from frota.ports.clock import Clock
from frota.ports.store import Store
from frota.ports.witness import Witness
from frota.runtime.alarm import PipeAlarm

if TYPE_CHECKING:
    from frota.drivers.fence.agents import Device

PROVIDER = "libvirt"


class RealOutfitter:
    """Ports on libvirt, fence agents and leases. Making it loads libvirt-python, and raises
    MissingDriver where that is not installed."""

    def __init__(self, clock: Clock) -> None:
        try:
            from frota.drivers.libvirt.hypervisor import LibvirtHypervisor
        except ImportError as error:
            raise MissingDriver(
                f"there are hosts on libvirt, but libvirt-python cannot be loaded ({error}): "
                "pip install 'frota[libvirt]', with libvirt's own library installed"
            ) from None
        self._hypervisor = LibvirtHypervisor
        self.clock = clock
        self.alarm = PipeAlarm()

    def outfit(self, spec: GroupSpec, store: Store, wake: Wake) -> Outfit:
        """See ``Outfitter``."""
        del store  # the hosts themselves say what runs on them
        from frota.drivers.fence.fencing import devices_of, group_fence
        from frota.drivers.fence.lease.records import Terms

        timers = spec.policy.timers
        terms = Terms(timers.lease, timers.lease_renew, timers.lease_margin)
        hypervisor = self._hypervisor(self.clock, beat=timers.beat)
        fence = group_fence(_devices(spec.hosts), self.clock, spec.lease_path, terms)
        witness, close_witness = witness_of(spec.witness, wake)
        hypervisor.on_change(wake)
        fence.on_change(wake)
        fence.start()
        fixed = _fixed(spec)

        def arrange(changed: GroupSpec) -> bool:
            fence.arrange(devices_of(_devices(changed.hosts)))
            return _fixed(changed) == fixed

        def close() -> None:
            close_witness()
            fence.close()
            hypervisor.close()

        return Outfit(hypervisor, fence, witness, arrange, close)

    def close(self) -> None:
        """See ``Outfitter``."""
        self.alarm.close()


def witness_of(address: str, wake: Wake) -> tuple[Witness, Callable[[], None]]:
    """The witness that a group declares, and how to be rid of it."""
    if not address:
        return NoWitness(), lambda: None
    witness = TcpWitness(address, wake)
    return witness, witness.close


def _fixed(spec: GroupSpec) -> tuple[object, ...]:
    """What ports are built with: when it changes they must be built anew."""
    timers = spec.policy.timers
    lease = (spec.lease_path, timers.lease, timers.lease_renew, timers.lease_margin)
    return (timers.beat, spec.witness, lease)


def _devices(hosts: Sequence[HostSpec]) -> Mapping[str, Sequence[Device]]:
    from frota.drivers.fence.agents import Device
    from frota.drivers.fence.secret import Secret

    return {
        host.name: [
            Device(
                method.agent,
                dict(method.options),
                {name: Secret(source.file, source.env) for name, source in method.secrets},
            )
            for method in host.fence
        ]
        for host in hosts
    }

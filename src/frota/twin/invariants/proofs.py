"""I18: where a VM may still be running, as far as its controller can know.

A VM may run wherever its record put it, or an operation was to put it, until its host
is proved dead or answers without it. A start elsewhere before that is a broken
invariant even when, by luck, the truth was kind.
"""

from __future__ import annotations

from collections.abc import Callable

from frota.model.host import Host, HostState
from frota.model.sight import HostView
from frota.model.vm import Operation, Verb, Vm, VmState
from frota.twin.invariants.book import WAITING

_PROVED = frozenset({HostState.DOWN, HostState.REMOVED})


class Whereabouts:
    """The hosts on which each VM may run."""

    __slots__ = ("_hosts", "_places", "view")

    def __init__(self, hosts: dict[str, Host]) -> None:
        self._hosts = hosts
        self._places: dict[str, set[str]] = {}
        self.view: Callable[[str], HostView] | None = None

    def changed(self, before: object, after: object) -> None:
        """Look at one changed record."""
        if isinstance(after, Vm):
            self._vm(after)
        elif isinstance(before, Vm):
            self._places.pop(before.name, None)
        elif isinstance(after, Host) and after.state in _PROVED:
            for places in self._places.values():
                places.discard(after.name)

    def _vm(self, vm: Vm) -> None:
        places = self._places.setdefault(vm.name, set())
        operation = vm.operation
        decided = operation is not None and operation.verb is Verb.START
        if decided or vm.state in WAITING or vm.state is VmState.STOPPED:
            # What was seen when a start was decided holds for it, even when another process
            # gives the order before it has looked around itself.
            for host in list(places):
                if self._answers_without(host, vm.name):
                    places.discard(host)
        if operation is not None:
            places.update({operation.src, operation.dst} - {""})
        elif vm.state is VmState.RUNNING:
            places.clear()
            places.add(vm.host)

    def unproved(self, operation: Operation) -> tuple[str, str] | None:
        """A host on which the VM of a start may run still, and what is known of it."""
        for host in sorted(self._places.get(operation.vm, ())):
            record = self._hosts.get(host)
            if host == operation.dst or record is None or record.state in _PROVED:
                continue
            if not self._answers_without(host, operation.vm):
                return host, record.state.value
        return None

    def _answers_without(self, host: str, vm: str) -> bool:
        if self.view is None:
            return False
        view = self.view(host)
        copy = view.copies.get(vm)
        return view.beating and (copy is None or not copy.live)

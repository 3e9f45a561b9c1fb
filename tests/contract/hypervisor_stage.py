"""The stage on which the hypervisor contract is played, and how its tests act on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from frota.model.definition import Definition
from frota.model.sight import Copy, CopyState, Outcome
from frota.model.vm import Operation, Verb
from frota.ports.hypervisor import HostAddress, Hypervisor

VM = "east-cp-1"


class Stage(Protocol):
    """Real or simulated hosts and ways to hurt them.

    ``within`` of ``wait_until`` is in seconds of the stage's own clock, real or virtual.
    """

    @property
    def port(self) -> Hypervisor:
        """The port under test; another one after ``restart``."""
        ...

    @property
    def hosts(self) -> Sequence[str]:
        """The names of the attached hosts, two or more."""
        ...

    def address(self, host: str) -> HostAddress:
        """How the host was attached."""
        ...

    def definition(self, vm: str) -> Definition:
        """A small VM that these hosts can run and migrate."""
        ...

    def now(self) -> float:
        """The clock that the port was given."""
        ...

    def crash(self, host: str) -> None:
        """The host dies at once with everything that runs on it."""
        ...

    def boot(self, host: str) -> None:
        """A crashed host is there again and answers; nothing runs on it, but what was
        defined on its disk may still be defined."""
        ...

    def hang(self, host: str) -> None:
        """The host's daemon stops answering (SIGSTOP); its guests run on."""
        ...

    def thaw(self, host: str) -> None:
        """The hung daemon goes on."""
        ...

    def renew_daemon(self, host: str) -> None:
        """Only the host's daemon is restarted; its guests run on."""
        ...

    def slow(self, vm: str, host: str) -> None:
        """From now on a live migration of this VM away from the host takes 5 s or more."""
        ...

    def restart(self) -> None:
        """The controller dies without a word; a new ``port`` with the same hosts attached
        takes over. Live migrations survive this (they are peer to peer)."""
        ...

    def wait_until(self, condition: Callable[[], bool], within: float = 30.0) -> None:
        """Let time pass until the condition holds; fail the test when it does not."""
        ...


def start(vm: str, dst: str, epoch: int = 1, name: str = "") -> Operation:
    """An order to start; its id follows from the rest unless named."""
    return Operation(name or f"start-{vm}-{dst}-{epoch}", Verb.START, vm, dst=dst, epoch=epoch)


def act(verb: Verb, vm: str, src: str, dst: str = "", epoch: int = 1) -> Operation:
    """Any other order; its id follows from the rest."""
    return Operation(f"{verb}-{vm}-{src}-{dst}-{epoch}", verb, vm, src=src, dst=dst, epoch=epoch)


class Acting:
    """Ordering, waiting and looking, as all the tests do it."""

    def copy(self, stage: Stage, host: str, vm: str = VM) -> Copy | None:
        """What the port says of the VM's copy on the host."""
        return stage.port.view(host).copies.get(vm)

    def runs(self, stage: Stage, host: str, vm: str = VM) -> bool:
        """Whether a copy is seen to run on the host."""
        copy = self.copy(stage, host, vm)
        return copy is not None and copy.state is CopyState.RUNNING

    def outcome(self, stage: Stage, operation: str) -> Outcome | None:
        """The outcome of an operation, if it ended."""
        found = [item for item in stage.port.outcomes() if item.operation == operation]
        assert len(found) <= 1, f"{operation} ended more than once"
        return found[0] if found else None

    def do(self, stage: Stage, operation: Operation, within: float = 60.0) -> Outcome:
        """Order, wait for the end, settle."""
        needs = operation.verb in (Verb.START, Verb.COLD)
        stage.port.order(operation, stage.definition(operation.vm) if needs else None)
        return self.end(stage, operation, within)

    def end(self, stage: Stage, operation: Operation, within: float = 60.0) -> Outcome:
        """Wait for the end of an ordered operation and settle it."""
        stage.wait_until(lambda: self.outcome(stage, operation.id) is not None, within)
        outcome = self.outcome(stage, operation.id)
        assert outcome is not None
        stage.port.settle(operation.id)
        assert self.outcome(stage, operation.id) is None, "settled, and still there"
        return outcome

    def well(self, stage: Stage, operation: Operation) -> None:
        """Order, and expect success."""
        outcome = self.do(stage, operation)
        assert outcome == Outcome(operation.id), outcome.error

    def started(self, stage: Stage, host: str, vm: str = VM, epoch: int = 1) -> None:
        """Start a VM, successfully; it is seen at once."""
        self.well(stage, start(vm, host, epoch))
        copy = self.copy(stage, host, vm)
        assert copy == Copy(vm, epoch, CopyState.RUNNING, f"start-{vm}-{host}-{epoch}")

    def silent(self, stage: Stage, host: str) -> None:
        """Wait until the port has noticed that a host is silent."""
        stage.wait_until(lambda: not stage.port.view(host).beating, within=10)

    def back(self, stage: Stage, host: str) -> None:
        """Wait until a host beats again."""
        stage.wait_until(lambda: stage.port.view(host).beating, within=60)

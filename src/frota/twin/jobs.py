"""Operations as they run in the world: they outlive the controller that ordered them."""

from __future__ import annotations

from collections.abc import Callable

from frota.model.host import Size
from frota.model.sight import Copy, CopyState
from frota.model.vm import Operation, Verb
from frota.twin.machine import Machine
from frota.twin.mischief import SLOW_FACTOR, Trouble
from frota.twin.site import Site

Reporter = Callable[["Task", str], None]

_MIB_PER_GIB = 1024
_TURN_S = 0.5


class Task:
    """One operation under way. ``reporter`` is told its end; a later session that orders
    the same operation puts itself there."""

    __slots__ = ("id", "operation", "over", "reporter", "site", "trouble")

    def __init__(self, site: Site, operation: Operation, reporter: Reporter) -> None:
        self.site = site
        self.operation = operation
        self.id = operation.id
        self.reporter = reporter
        self.over = False
        self.trouble = site.mischief.draw(operation)
        site.jobs[self.id] = self

    def tellers(self) -> tuple[str, ...]:
        """The hosts that must be seen for the end to be known."""
        raise NotImplementedError

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        raise NotImplementedError

    def client_gone(self, machine: Machine | None) -> None:
        """The controller lost sight of one end, or (None) of everything."""

    def claims(self, machine: Machine) -> Size | None:
        """The room it will take on a host beyond the copies that are there already."""
        del machine
        return None

    def adopted(self) -> None:
        """A new process of the controller ordered it again."""

    def cancel(self) -> None:
        """Only a live migration can be stopped."""

    def _end(self, error: str = "") -> None:
        if self.over:
            return
        self.over = True
        site = self.site
        site.jobs.pop(self.id, None)
        for host in (self.operation.src, self.operation.dst):
            if host in site.machines:
                site.notice(site.machines[host])
        self.reporter(self, error)

    def _wait(self, delay_s: float, act: Callable[[], None]) -> None:
        slow = SLOW_FACTOR if self.trouble is Trouble.SLOW else 1.0
        self.site.world.after(delay_s * slow, lambda: None if self.over else act())

    def _frozen(self, machine: Machine, act: Callable[[], None]) -> bool:
        """Whether the daemon is frozen; it then goes on with ``act`` when it thaws."""
        if machine.hung:
            machine.backlog.append(lambda: None if self.over else act())
        return machine.hung


class Start(Task):
    """A cold start. Also the second half of a cold move."""

    __slots__ = ("dst",)

    def __init__(self, site: Site, operation: Operation, reporter: Reporter) -> None:
        super().__init__(site, operation, reporter)
        self.dst = site.machines[operation.dst]

    def begin(self) -> None:
        """Let it run."""
        if self._frozen(self.dst, self.begin):
            return
        found = self.dst.copies.get(self.operation.vm)
        if found is not None and found.live and found.epoch == self.operation.epoch:
            self._end()
        elif found is not None and found.state is not CopyState.STOPPED:
            self._end(f"{found.vm} runs on {self.dst.name} already, with epoch {found.epoch}")
        elif self.dst.storage_cut:
            self._end(f"{self.dst.name} cannot reach the disks")
        else:
            self._wait(self.site.pace.start.draw(self.site.world.rng), self._due)

    def _due(self) -> None:
        if self._frozen(self.dst, self._due):
            return
        if self.trouble is Trouble.FAIL:
            self._end(f"{self.dst.name}: the guest did not start")
            return
        operation = self.operation
        copy = Copy(operation.vm, operation.epoch, CopyState.RUNNING, operation.id)
        self.site.put(self.dst, copy)
        self._end()

    def tellers(self) -> tuple[str, ...]:
        """The hosts that must be seen for the end to be known."""
        return (self.dst.name,)

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        if machine is self.dst:
            self._end(f"{machine.name} lost what it ran")

    def claims(self, machine: Machine) -> Size | None:
        """The room still to be taken on the destination."""
        if machine is not self.dst:
            return None
        found = machine.copies.get(self.operation.vm)
        if found is not None and found.state is not CopyState.STOPPED:
            return None
        return self.site.sizes.get(self.operation.vm)


class Stop(Task):
    """A clean shutdown; what is defined of the VM goes with it."""

    __slots__ = ("src",)

    def __init__(self, site: Site, operation: Operation, reporter: Reporter) -> None:
        super().__init__(site, operation, reporter)
        self.src = site.machines[operation.src]

    def begin(self) -> None:
        """Let it run."""
        if not self._frozen(self.src, self.begin):
            self._wait(self.site.pace.stop.draw(self.site.world.rng), self._due)

    def _due(self) -> None:
        if self._frozen(self.src, self._due) or self._behind_start(self._due):
            return
        copy = self.src.copies.get(self.operation.vm)
        if copy is not None and copy.state in (CopyState.INCOMING, CopyState.OUTGOING):
            self._end(f"{copy.vm} is being migrated")
            return
        if copy is not None:
            self.site.drop(self.src, copy.vm)
        self._end()

    def _behind_start(self, act: Callable[[], None]) -> bool:
        """Whether it must wait: a host works on one guest one thing after the other."""
        for job in self.site.jobs.values():
            if not isinstance(job, Start) or job.operation.vm != self.operation.vm:
                continue
            if job.claims(self.src) is not None:
                self.site.world.after(_TURN_S, lambda: None if self.over else act())
                return True
        return False

    def tellers(self) -> tuple[str, ...]:
        """The hosts that must be seen for the end to be known."""
        return (self.src.name,)

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        if machine is self.src:
            self._end(f"{machine.name} lost what it ran")


class Kill(Stop):
    """The end of a copy that must not run, with all that is defined of it."""

    __slots__ = ()

    def begin(self) -> None:
        """Let it run."""
        if not self._frozen(self.src, self.begin):
            self._wait(self.site.pace.kill.draw(self.site.world.rng), self._due)

    def _due(self) -> None:
        if self._frozen(self.src, self._due) or self._behind_start(self._due):
            return
        copy = self.src.copies.get(self.operation.vm)
        if copy is not None and copy.epoch <= self.operation.epoch:
            self.site.drop(self.src, copy.vm)
            for job in list(self.site.jobs.values()):
                if isinstance(job, Live) and job.operation.vm == copy.vm:
                    job.copy_killed(self.src)
        self._end()


class Cold(Start):
    """A stop on one host, then a start on another. The controller's process goes from one
    to the other: when it is gone, or lost sight of a host, the start is never sent."""

    __slots__ = ("orphan", "src", "stopped")

    def __init__(self, site: Site, operation: Operation, reporter: Reporter) -> None:
        super().__init__(site, operation, reporter)
        self.src = site.machines[operation.src]
        self.stopped = self.orphan = False

    def begin(self) -> None:
        """Let it run."""
        if self.stopped:
            super().begin()
            return
        if self._frozen(self.src, self.begin):
            return
        if self._live_at(self.src):
            self._wait(self.site.pace.stop.draw(self.site.world.rng), self._stop)
        elif self._live_at(self.dst):
            self._end()
        else:
            self._end(f"{self.operation.vm} does not run on {self.src.name}")

    def _live_at(self, machine: Machine) -> bool:
        copy = machine.copies.get(self.operation.vm)
        return copy is not None and copy.state is CopyState.RUNNING

    def _stop(self) -> None:
        if self._frozen(self.src, self._stop):
            return
        vm = self.operation.vm
        if not self._live_at(self.src):
            self._end(f"{vm} does not run on {self.src.name}")
        elif self.orphan:
            old = self.src.copies[vm]
            self.site.put(self.src, Copy(vm, old.epoch, CopyState.STOPPED, self.id))
            self._end("nobody was there to start it again")
        else:
            self.site.drop(self.src, vm)
            self.site.notice(self.src)
            self.stopped = True
            super().begin()

    def client_gone(self, machine: Machine | None) -> None:
        """Nobody is left who would send the start."""
        if machine in (None, self.src, self.dst):
            self.orphan = not self.stopped

    def adopted(self) -> None:
        """The same operation was ordered again by a new process, which goes on with it."""
        self.orphan = False

    def claims(self, machine: Machine) -> Size | None:
        """The room still to be taken on the destination, if it ever comes to that."""
        return None if self.orphan else super().claims(machine)

    def tellers(self) -> tuple[str, ...]:
        """The hosts that must be seen for the end to be known."""
        return (self.dst.name,) if self.stopped else (self.src.name, self.dst.name)

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        if machine is self.dst or (machine is self.src and not self.stopped):
            self._end(f"{machine.name} lost what it ran")


class Live(Task):
    """A live migration. It commits in one instant; until then the source has the guest."""

    __slots__ = ("committed", "dst", "moving", "src")

    def __init__(self, site: Site, operation: Operation, reporter: Reporter) -> None:
        super().__init__(site, operation, reporter)
        self.src = site.machines[operation.src]
        self.dst = site.machines[operation.dst]
        self.moving = self.committed = False

    def begin(self) -> None:
        """Let it run."""
        if self._frozen(self.src, self.begin) or self._frozen(self.dst, self.begin):
            return
        vm = self.operation.vm
        here, there = self.src.copies.get(vm), self.dst.copies.get(vm)
        if here is None or not here.live:
            moved = there is not None and there.state is CopyState.RUNNING
            self._end("" if moved else f"{vm} does not run on {self.src.name}")
        elif here.state is not CopyState.RUNNING:
            self._end(f"{vm} is being migrated already")
        elif there is not None and there.state is not CopyState.STOPPED:
            self._end(f"{vm} is on {self.dst.name} already")
        elif not self._reachable():
            self._end(f"{self.dst.name} cannot be reached from {self.src.name}")
        else:
            self._move(here)

    def _reachable(self) -> bool:
        return self.src.up and self.dst.up and not self.dst.storage_cut

    def _move(self, here: Copy) -> None:
        self.moving = True
        vm, site = here.vm, self.site
        site.put(self.src, Copy(vm, here.epoch, CopyState.OUTGOING, self.id))
        site.put(self.dst, Copy(vm, here.epoch, CopyState.INCOMING, self.id))
        site.notice(self.src)
        site.notice(self.dst)
        rng, pace = site.world.rng, site.pace
        gib = site.sizes[vm].memory_mib / _MIB_PER_GIB if vm in site.sizes else 1.0
        self._wait(pace.move.draw(rng) + gib * pace.move_per_gib.draw(rng), self._due)

    def _due(self) -> None:
        if self._frozen(self.src, self._due) or self._frozen(self.dst, self._due):
            return
        if self.trouble is Trouble.FAIL:
            self._abort("the migration failed")
            return
        vm, site = self.operation.vm, self.site
        epoch = max(self.operation.epoch, self.src.copies[vm].epoch)
        site.drop(self.src, vm)
        site.put(self.dst, Copy(vm, epoch, CopyState.RUNNING, self.id))
        self.committed = True
        self._end()

    def _abort(self, error: str) -> None:
        """Back to the source, which never lost the guest."""
        vm, site = self.operation.vm, self.site
        if self.moving:
            self._back(self.src, CopyState.OUTGOING, vm)
            there = self.dst.copies.get(vm)
            if there is not None and there.state is CopyState.INCOMING:
                site.drop(self.dst, vm)
                site.notice(self.dst)
        self._end(error)

    def _back(self, machine: Machine, state: CopyState, vm: str) -> None:
        copy = machine.copies.get(vm)
        if copy is not None and copy.state is state:
            self.site.put(machine, Copy(vm, copy.epoch, CopyState.RUNNING, self.id))
            self.site.notice(machine)

    def cancel(self) -> None:
        """The source stops it, unless it is over."""
        if self._frozen(self.src, self.cancel):
            return
        self._abort("cancelled")

    def client_gone(self, machine: Machine | None) -> None:
        """Without its client the migration may break off."""
        if machine not in (None, self.src, self.dst) or not self.moving:
            return
        if self.src.hung or self.dst.hung:
            return
        if self.site.world.rng.random() < self.site.chances.move_dies_with_controller:
            self._abort("the connection of the controller broke")

    def copy_killed(self, machine: Machine) -> None:
        """One of its two copies was ended."""
        self._abort(f"ended on {machine.name}")

    def tellers(self) -> tuple[str, ...]:
        """The hosts that must be seen for the end to be known."""
        ends = (self.src.name, self.dst.name)
        return ends if self.committed else ends[:1]

    def machine_died(self, machine: Machine) -> None:
        """An end of the job lost all its guests."""
        if machine is self.src or machine is self.dst:
            self._abort(f"{machine.name} lost what it ran")

    def claims(self, machine: Machine) -> Size | None:
        """The room still to be taken on the destination."""
        if machine is not self.dst or self.moving:
            return None
        return self.site.sizes.get(self.operation.vm)


_TASKS: dict[Verb, type[Start] | type[Stop] | type[Live]] = {
    Verb.START: Start,
    Verb.STOP: Stop,
    Verb.KILL: Kill,
    Verb.COLD: Cold,
    Verb.LIVE: Live,
}


def begin(site: Site, operation: Operation, reporter: Reporter) -> Task:
    """Begin an operation whose hosts exist."""
    task = _TASKS[operation.verb](site, operation, reporter)
    task.begin()
    return task

"""The threads in which operations wait for hosts.

At most ``HANDS`` operations of one host run at once, the others wait their turn. An
operation whose host falls silent, or that takes longer than its verb may, is given up:
its outcome is *unknown*, and its thread, which libvirt may hold for long, stops at the
next ``Task.check`` and touches nothing more. Others work in its stead, but with
``THREADS_MOST`` threads of one host in all, hung ones included, hung calls never pile up.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from frota.drivers.libvirt.fault import Abandoned, Fault, Kind, Refused, Silent, redact
from frota.drivers.libvirt.pulse import Beat
from frota.model.definition import Definition
from frota.model.sight import Outcome
from frota.model.vm import Operation

HANDS = 4
THREADS_MOST = 12
QUEUE_MOST = 5000
SILENT_S = 20.0  # a host silent for this long will not be waited for


@dataclass(eq=False)
class Task:
    """One ordered operation. ``deadline`` is in seconds from its begin."""

    operation: Operation
    definition: Definition | None
    host: str  # whose hands do it, and whose silence ends it
    deadline: float
    cancelled: threading.Event = field(default_factory=threading.Event)
    aborting: bool = False
    begun: Beat | None = None
    outcome: Outcome | None = None
    _given_up: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """To be called before anything that changes a host. Raises ``Abandoned``."""
        if self._given_up.is_set():
            raise Abandoned

    def wait(self, seconds: float) -> None:
        """Wait, but not when given up. Raises ``Abandoned``."""
        self._given_up.wait(seconds)
        self.check()

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for this any more."""
        return self._given_up.is_set()

    def give_up(self) -> None:
        """Nobody waits for this any more."""
        self._given_up.set()


@dataclass(eq=False)
class Hand:
    """One thread, and what it does now."""

    task: Task | None = None

    @property
    def hung(self) -> bool:
        """Whether it is still busy with what was given up."""
        return self.task is not None and self.task.given_up


class Crew:
    """All operations of one group, from their order until they are settled."""

    def __init__(
        self,
        work: Callable[[Task], None],
        silence: Callable[[str], float],
        begin: Callable[[], Beat],
        changed: Callable[[], None],
    ) -> None:
        self._work = work
        self._silence = silence
        self._begin = begin
        self._changed = changed
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._queues: dict[str, deque[Task]] = {}
        self._hands: dict[str, list[Hand]] = {}
        self._closed = False

    def take(self, task: Task) -> None:
        """Begin the task as soon as there is a free hand, unless its id is known."""
        with self._lock:
            if task.operation.id in self._tasks or self._closed:
                return
            self._tasks[task.operation.id] = task
            host = task.host
            queue = self._queues.setdefault(host, deque())
            full = len(queue) >= QUEUE_MOST
            if not full:
                queue.append(task)
                self._hire(host)
        if full:
            wait = f"{QUEUE_MOST} operations wait for host {host} already"
            self._end(task, Outcome(task.operation.id, wait))

    def _hire(self, host: str) -> None:
        hands = self._hands.setdefault(host, [])
        free = HANDS - sum(not hand.hung for hand in hands)
        if free > 0 and len(hands) < THREADS_MOST:
            hand = Hand()
            hands.append(hand)
            threading.Thread(
                target=self._work_off, args=(host, hand), name=f"work-{host}", daemon=True
            ).start()

    def refuse(self, operation: Operation, error: str) -> None:
        """End an operation that cannot even be begun, unless its id is known."""
        with self._lock:
            if operation.id in self._tasks or self._closed:
                return
            task = Task(operation, None, "", 0.0, outcome=Outcome(operation.id, error))
            self._tasks[operation.id] = task
        self._changed()

    def find(self, operation: str) -> Task | None:
        """The task of an operation that was not settled yet."""
        with self._lock:
            return self._tasks.get(operation)

    def cancel(self, task: Task, abort: Callable[[Task], None]) -> None:
        """Mark the task as unwanted and let ``abort`` work on its end in one thread."""
        task.cancelled.set()
        with self._lock:
            if task.aborting or task.outcome is not None:
                return
            task.aborting = True
        threading.Thread(
            target=self._abort, args=(task, abort), name=f"abort-{task.host}", daemon=True
        ).start()

    def _abort(self, task: Task, abort: Callable[[Task], None]) -> None:
        try:
            abort(task)
        except Abandoned:
            return
        finally:
            with self._lock:
                task.aborting = False

    def outcomes(self) -> list[Outcome]:
        """How the ended ones ended, in the order of their orders."""
        with self._lock:
            return [task.outcome for task in self._tasks.values() if task.outcome is not None]

    def settle(self, operation: str) -> None:
        """Forget one that ended."""
        with self._lock:
            task = self._tasks.get(operation)
            if task is not None and task.outcome is not None:
                del self._tasks[operation]

    def check(self) -> None:
        """Give up what waits for silent hosts, or has taken too long."""
        with self._lock:
            open_tasks = [task for task in self._tasks.values() if task.outcome is None]
        for task in open_tasks:
            why = self._hopeless(task)
            if why:
                self._end(task, Outcome(task.operation.id, why, unknown=True), give_up=True)
        with self._lock:
            for host, queue in self._queues.items():
                waiting = [task for task in queue if not task.given_up]
                queue.clear()
                queue.extend(waiting)
                if queue:
                    self._hire(host)

    def _hopeless(self, task: Task) -> str:
        silence = self._silence(task.host)
        if math.isinf(silence):
            return f"host {task.host} is watched no longer"
        if silence > SILENT_S:
            return f"host {task.host} has been silent for {silence:.0f} s"
        if task.begun is not None and task.begun.silence() > task.deadline:
            return f"it did not end within {task.deadline:.0f} s"
        return ""

    def close(self) -> None:
        """Give up all that is under way; take no more."""
        with self._lock:
            self._closed = True
            for task in self._tasks.values():
                task.give_up()
            for queue in self._queues.values():
                queue.clear()

    def _work_off(self, host: str, hand: Hand) -> None:
        while (task := self._next(host, hand)) is not None:
            self._do(task)

    def _next(self, host: str, hand: Hand) -> Task | None:
        with self._lock:
            queue = self._queues[host]
            if hand.hung or not queue:
                self._hands[host].remove(hand)
                return None
            hand.task = task = queue.popleft()
            task.begun = self._begin()
            return task

    def _do(self, task: Task) -> None:
        name = task.operation.id
        try:
            task.check()
            self._work(task)
            outcome = Outcome(name)
        except Refused as refusal:
            outcome = Outcome(name, str(refusal))
        except Silent as silent:
            outcome = Outcome(name, str(silent), unknown=True)
        except Fault as fault:
            outcome = Outcome(name, str(fault), unknown=fault.kind is Kind.LOST)
        except Abandoned:
            outcome = Outcome(name, "it was given up", unknown=True)
        except Exception as bug:  # noqa: BLE001 - one broken operation must not end the others
            outcome = Outcome(name, redact(f"this driver failed: {bug!r}"), unknown=True)
        self._end(task, outcome)

    def _end(self, task: Task, outcome: Outcome, *, give_up: bool = False) -> None:
        with self._lock:
            if task.outcome is None:
                task.outcome = outcome
            if give_up:
                task.give_up()
        self._changed()

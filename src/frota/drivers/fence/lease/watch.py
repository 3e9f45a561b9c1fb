"""The controller's side of the leases of one group: reads slots, writes orders.

A thread of its own does the rounds, so a hung directory holds up nobody; while it hangs
no lease can become a proof. Only the controller that acts for the group may run one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from frota.drivers.fence.lease.observer import Evidence, Observer
from frota.drivers.fence.lease.records import Garbled, Order, Standing, Terms, Verb
from frota.drivers.fence.lease.space import Space, SpaceError
from frota.ports.clock import Clock

ROUND = 1.0  # seconds between rounds
SETTLE = 60.0  # seconds after the start in which orders of before are left as they are


class LeaseWatch:
    """Watches the slots of some hosts. Every method but ``round`` returns at once."""

    def __init__(self, space: Space, terms: Terms, clock: Clock, hosts: Iterable[str] = ()) -> None:
        self._space = space
        self._wanted = terms
        self._clock = clock
        self._lock = threading.Lock()
        self._observer = Observer(terms)
        self._hosts = tuple(hosts)
        self._name = ""  # of the directory, from its marker
        self._problem = "the directory was not read yet"
        self._orders: dict[str, Order | None] = {}  # as they stand in the directory
        self._fencing: dict[str, str] = {}  # host to the incarnation asked about last
        self._released: set[str] = set()
        self._began = clock.now()
        self._changed: Callable[[], None] = lambda: None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call ``changed``, from the thread of the rounds, when any evidence changed."""
        self._changed = changed

    def start(self) -> None:
        """Begin the rounds."""
        self._thread = threading.Thread(target=self._run, name="lease-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the rounds; waits for one under way, but not if storage hangs."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def watch(self, hosts: Iterable[str]) -> None:
        """Watch these hosts from now on, and no others."""
        with self._lock:
            self._hosts = tuple(hosts)

    def ask(self, host: str, incarnation: str, *, fence: bool) -> None:
        """Look for a proof; with ``fence`` also tell the host to end its VMs."""
        with self._lock:
            self._observer.ask(host, incarnation, self._clock.now())
            if fence:
                self._fencing[host] = incarnation
                self._released.discard(host)
        self._wake.set()

    def forget(self, host: str) -> None:
        """Drop what was asked; a host that was told to end its VMs may begin anew."""
        with self._lock:
            self._observer.forget(host)
            self._fencing.pop(host, None)
            self._released.add(host)
        self._wake.set()

    def evidence(self, host: str, incarnation: str) -> Evidence | None:
        """What the last round found; None when nothing was asked."""
        with self._lock:
            return self._observer.evidence(host, incarnation)

    def problem(self, host: str = "") -> str:
        """What keeps the lease of a host (of all, without a name) from being of use when
        the host falls silent, for people; empty when nothing does."""
        with self._lock:
            if self._problem or not host:
                return self._problem
            sight = self._observer.sight(host)
            slot = sight.slot
            if sight.error:
                return sight.error
            if slot is None:
                return "no host agent has written a lease"
            if slot.standing is not Standing.GUARDING:
                return f"the host agent says: {slot.standing}"
            if sight.still > self._observer.terms.lease:
                return f"the lease was not renewed for {self._observer.terms.lease:g} s"
            return ""

    def round(self) -> None:
        """Read every slot and write the orders that are due. May hang with storage."""
        hosts = self._hosts
        before = self._shown(hosts)
        try:
            self._enter()
        except SpaceError as error:
            with self._lock:
                self._problem = str(error)
                for host in hosts:
                    self._observer.missed(host, str(error), self._clock.now())
        else:
            for host in hosts:
                self._look(host)
                self._tell(host)
        if self._shown(hosts) != before:
            self._changed()

    def _run(self) -> None:
        while not self._closing.is_set():
            self.round()
            self._wake.wait(ROUND)
            self._wake.clear()

    def _shown(self, hosts: Iterable[str]) -> list[object]:
        problems = [self.problem(host) for host in hosts]
        with self._lock:
            return [*problems, *(self._observer.findings(host) for host in hosts)]

    def _enter(self) -> None:
        """Make sure that this is the directory, and that storage answers now."""
        marker = self._space.make(self._wanted)
        self._space.knock()
        problem = ""
        if marker.terms != self._wanted:
            problem = (
                f"{self._space.path} was made for leases of {marker.terms.lease:g} s renewed "
                f"every {marker.terms.renew:g} s, and these hold. To change them stop the "
                "host agents, then remove everything in it"
            )
        with self._lock:
            self._problem = problem
            self._observer.terms = marker.terms
            if marker.space != self._name:
                self._name = marker.space
                self._orders.clear()
                for host in self._hosts:
                    self._observer.missed(host, "another directory is there", self._clock.now())

    def _look(self, host: str) -> None:
        try:
            if host not in self._orders:
                self._recall(host)
            started = self._clock.now()
            slot = self._space.slot(host, self._name)
        except (SpaceError, Garbled) as error:
            with self._lock:
                self._observer.missed(host, str(error), self._clock.now())
        else:
            with self._lock:
                self._observer.found(host, slot, started, self._clock.now())

    def _recall(self, host: str) -> None:
        """Read what was ordered and noted before this process began."""
        try:
            order = self._space.order(host, self._name)
        except Garbled:
            order = None  # nobody can obey it; it is replaced when there is a new one
        with self._lock:
            self._orders[host] = order
            if order is not None and order.distrusted >= 0:
                self._observer.distrust(host, order.incarnation, order.distrusted)

    def _tell(self, host: str) -> None:
        with self._lock:
            order = self._due(host)
        if order is None:
            return
        try:
            self._space.write(order)
        except SpaceError as error:
            with self._lock:
                self._observer.missed(host, str(error), self._clock.now())
        else:
            with self._lock:
                self._orders[host] = order

    def _due(self, host: str) -> Order | None:
        """The order to write now; None when what stands there is right."""
        if host not in self._orders:
            return None
        standing = self._orders[host]
        incarnation, verb = self._word(host, standing)
        noted = self._observer.distrusted(host, incarnation)
        if not incarnation or (verb is Verb.NONE and noted < 0):
            return None
        wanted = Order(host, self._name, incarnation, verb, noted)
        return None if wanted == standing else wanted

    def _word(self, host: str, standing: Order | None) -> tuple[str, Verb]:
        """What an agent should find, and which incarnation it is for."""
        asked = self._fencing.get(host)
        bound = None if asked is None else self._observer.bound(host, asked)
        if bound is not None:
            return bound.incarnation, Verb.FENCE
        if standing is not None and standing.verb is Verb.FENCE:
            resume = asked is None and self._may_resume(host)
            return standing.incarnation, Verb.RESUME if resume else Verb.FENCE
        slot = self._observer.sight(host).slot
        if slot is not None and (standing is None or standing.incarnation != slot.incarnation):
            return slot.incarnation, Verb.NONE  # written only when there is a note to keep
        return ("", Verb.NONE) if standing is None else (standing.incarnation, standing.verb)

    def _may_resume(self, host: str) -> bool:
        """After a restart whoever wants a host dead says so again within a while."""
        return host in self._released or self._clock.now() - self._began > SETTLE

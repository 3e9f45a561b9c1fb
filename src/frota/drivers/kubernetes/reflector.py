"""List and watch, as a plain state machine: what the server has of one kind, here.

It is told what came (``page``, ``event``, ``ended``) and says what to do next (``step``). It
never sleeps, sends or draws by itself, so that it runs the same in a simulation.

What it promises: when the server's state stops changing and its answers get through,
``objects`` becomes equal to it, whatever came before: events twice or out of order, 410s,
streams that broke anywhere, a server that was set back. An object is never taken out
because a list or a watch failed, only because the server said that it is gone.

On a 410 everything is listed again while the old state stays; the end of the list is
compared with it, and only then go those that were deleted in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import NamedTuple

from frota.model.objects import Object, ObjectKey

_PAGE = 500  # objects, what kubectl asks for
_PAGES_MOST = 10_000
# A watch went well that lived that long, or brought news and lived that long. One that ends
# sooner, in order: behind some load balancers that is how a version too old looks.
_LIVED_S = 5.0
_MOVED_S = 1.0
_DOUBTFUL = 2  # failures since things went well
_ABRUPT_MOST = 2  # such ends in a row until everything is listed again


class Item(NamedTuple):
    """One object of the server. ``size`` is that of its JSON in bytes."""

    key: ObjectKey
    object: Object
    revision: str
    size: int


class Page(NamedTuple):
    """One page of a list. ``token`` continues it; empty: it is the last one."""

    items: Sequence[Item]
    revision: str
    token: str


class Sort(StrEnum):
    """What a watch event says."""

    THERE = "there"  # added or modified
    GONE = "gone"
    BOOKMARK = "bookmark"


class Event(NamedTuple):
    """One event of a watch; a bookmark has no item."""

    sort: Sort
    revision: str
    item: Item | None = None


class End(StrEnum):
    """How a list or a watch ended that gave no more."""

    CLOSED = "closed"  # by the server, in order
    BROKEN = "broken"  # no answer, or half of one
    NONSENSE = "nonsense"  # not what Kubernetes sends
    EXPIRED = "expired"  # 410: the version or the token is too old
    ABSENT = "absent"  # the cluster does not serve the kind
    REFUSED = "refused"  # it may not be read
    BUSY = "busy"
    LARGE = "large"  # more bytes than are taken at once


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Ask for a page of the list."""

    token: str
    limit: int


@dataclass(frozen=True, slots=True)
class Follow:
    """Watch from a version on."""

    revision: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing for some seconds, then call ``rested``."""

    seconds: float


Step = ReadPage | Follow | Rest


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one kind is held of one cluster. What is beyond is an error that is shown,
    never objects silently left out."""

    objects: int = 50_000
    bytes: int = 256 * 1024 * 1024
    absent_s: float = 15.0  # between looks whether an absent kind has come


class Reflector:
    """One kind of one cluster. ``delay``: the wait in seconds after so many failures in a
    row, with jitter drawn from ``rng``."""

    def __init__(
        self, delay: Callable[[int, Random], float], rng: Random, bounds: Bounds | None = None
    ) -> None:
        self._delay = delay
        self._rng = rng
        self._bounds = bounds or Bounds()
        self.objects: dict[ObjectKey, Item] = {}
        self.serial = 0  # grows with every change of ``objects``
        self.absent = False
        self.error = ""
        self._revision = ""  # of ``objects``; empty: all must be listed
        self._held = 0  # bytes of ``objects``
        self._fresh: dict[ObjectKey, Item] = {}  # the list under way
        self._token = ""
        self._size = 0
        self._pages = 0
        self._limit = _PAGE
        self._failures = 0  # in a row, for how long to rest
        self._trouble = 0  # since a list or a watch last went well, for ``current``
        self._abrupt = 0
        self._nonsense = False  # what came last: that a watch begins is no good sign then
        self._rest = 0.0
        self._moved = False  # this watch brought something new

    @property
    def current(self) -> bool:
        """``objects`` is what the server has, but for what is on its way. One end of a watch
        changes nothing; a second one before the next has begun does."""
        return self.absent or (bool(self._revision) and self._trouble < _DOUBTFUL)

    def step(self) -> Step:
        """What to do next; the same until something was told."""
        if self._rest > 0:
            return Rest(self._rest)
        if self._revision:
            return Follow(self._revision)
        return ReadPage(self._token, self._limit)

    def rested(self) -> None:
        """The rest is over, or something says that trying now is worth it. A watch that was
        under way has been dropped."""
        self._rest = 0.0
        self._moved = False

    def doubt(self) -> None:
        """The server was away: what is known may be outdated until the next watch begins."""
        self._trouble = _DOUBTFUL

    def again(self) -> None:
        """List everything again: the server may not be what it was. Nothing is dropped."""
        self._restart()
        self._rest = 0.0

    def page(self, page: Page) -> None:
        """A page came."""
        self._pages += 1
        self._size += sum(item.size for item in page.items)
        self._fresh.update((item.key, item) for item in page.items)
        over = self._over(len(self._fresh), self._size)
        endless = self._pages > _PAGES_MOST or (page.token and page.token == self._token)
        if over or endless or not page.revision:
            self._restart()
            self._fail(over or "the list makes no sense")
            return
        self._token = page.token
        if not page.token:
            self._replace(page.revision)

    def opened(self) -> None:
        """A watch began."""
        if not self._nonsense:
            self._trouble, self.error = 0, ""

    def event(self, event: Event) -> bool:
        """An event came. False: the stream is of no more use; end it as ``End.EXPIRED``."""
        if _older(event.revision, self._revision):
            # An event twice, or a server that was set back: they look alike, and reading
            # everything again is right for both.
            return False
        if event.item is not None and not self._take(event.sort, event.item):
            return False
        self._trouble, self.error, self._nonsense = 0, "", False
        self._moved |= event.revision != self._revision
        self._revision = event.revision
        return True

    def ended(self, end: End, *, lived: float = 0.0, why: str = "", after: float = 0.0) -> None:
        """A list or a watch ended. ``lived``: for how many seconds a watch was open;
        ``after``: the wait that the server asks for."""
        well = lived >= _LIVED_S or (self._moved and lived >= _MOVED_S)
        if well:
            self._failures = self._abrupt = 0
        self._moved = False
        listing = not self._revision
        self._nonsense |= not listing and end in (End.NONSENSE, End.LARGE)
        if end is End.CLOSED and not listing:
            self._closed(well=well)
        elif end is End.EXPIRED:
            self._restart()
            if listing:  # the next try shall take fewer pages
                self._limit = min(2 * self._limit, self._bounds.objects)
            if not well:
                self._fail("", quick=True)
        elif end is End.ABSENT:
            self._vanish()
        elif end is End.LARGE and listing and self._limit > 1:
            self._limit = max(1, self._limit // 4)
        else:
            self._fail(why or end.value, after)

    def _closed(self, *, well: bool) -> None:
        """In order, as servers do every few minutes; or too soon to be in order."""
        if well:
            return
        self._abrupt += 1
        if self._abrupt >= _ABRUPT_MOST:
            self._abrupt = 0
            self._restart()
        self._fail("watches end as soon as they begin", quick=True)

    def _fail(self, why: str, after: float = 0.0, *, quick: bool = False) -> None:
        self._failures += 1
        self._trouble += 1
        self.error = why or self.error
        if not (quick and self._failures == 1):
            self._rest = max(after, self._delay(self._failures, self._rng))

    def _restart(self) -> None:
        self._revision = self._token = ""
        self._fresh = {}
        self._size = self._pages = 0

    def _replace(self, revision: str) -> None:
        """The list is whole: it becomes the state."""
        old, self.objects, self._held = self.objects, self._fresh, self._size
        self.serial += len(old) != len(self.objects) or any(
            key not in old or old[key].revision != item.revision
            for key, item in self.objects.items()
        )
        self._restart()
        self._revision = revision
        self.absent, self.error, self._trouble = False, "", 0
        self._nonsense = False

    def _take(self, sort: Sort, item: Item) -> bool:
        held = self.objects.get(item.key)
        if sort is Sort.GONE:
            if held is not None:
                del self.objects[item.key]
                self._held -= held.size
                self.serial += 1
            return True
        if held is not None and held.revision == item.revision:
            return True
        grown = self._held + item.size - (held.size if held else 0)
        if self._over(len(self.objects) + (held is None), grown):
            return False
        self.objects[item.key] = item
        self._held = grown
        self.serial += 1
        return True

    def _vanish(self) -> None:
        """The kind is not served: no object of it can be there."""
        self.serial += bool(self.objects)
        self.objects = {}
        self._restart()
        self._held = self._failures = self._abrupt = self._trouble = 0
        self.absent, self.error = True, ""
        wait = self._bounds.absent_s
        self._rest = self._rng.uniform(wait / 2, wait)

    def _over(self, count: int, size: int) -> str:
        if count > self._bounds.objects:
            return f"more than {self._bounds.objects} objects"
        if size > self._bounds.bytes:
            return f"more than {self._bounds.bytes} bytes of objects"
        return ""


def _older(revision: str, than: str) -> bool:
    """Versions of a resource are whole numbers that grow (Kubernetes 1.35 and later promise
    it, all before did it); any others cannot be told apart and pass as new."""
    if not (revision.isdecimal() and than.isdecimal()):
        return False
    return (len(revision), revision) < (len(than), than)

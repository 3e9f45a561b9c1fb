"""Makes the changes that wait in the lane of one cluster: a bounded number at the same
time, each tried a bounded number of times."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from random import Random

from frota.drivers.kubernetes import change as changes
from frota.drivers.kubernetes.discovery import Discovery, Served
from frota.drivers.kubernetes.fault import Answered, Garbled, Silent, TooLarge, Unusable
from frota.drivers.kubernetes.lane import Lane, Work
from frota.drivers.kubernetes.link import Link, document
from frota.drivers.kubernetes.reflector import Event
from frota.model.delivery import Change, ChangeResult, DeliveryOutcome, Verdict, WatchedKind
from frota.model.objects import Object, ObjectKey

IN_FLIGHT_MOST = 16
_TRIES_MOST = 5
_ESTABLISHED_S = 1.0  # until a kind of a new CRD may be served
_RECENT_MOST = 4096  # revisions of own writes that are remembered


@dataclass(frozen=True, slots=True)
class Way:
    """What a courier needs of its cluster. ``answers``: it is worth trying. ``held``: an
    object as watches know it. ``version``: that a kind is watched in, or empty. ``applied``
    is told of every change that was made. ``ended`` takes outcomes."""

    link: Link
    discovery: Discovery
    answers: Callable[[], bool]
    held: Callable[[ObjectKey], Object | None]
    version: Callable[[str, str], str]
    applied: Callable[[Change], None]
    ended: Callable[[DeliveryOutcome], None]


class _Missing(Exception):
    """The kind is not served (yet)."""


class Courier:
    """For one cluster and one event loop. ``delay``: the wait in seconds after so many
    failures, with jitter drawn from ``rng``."""

    def __init__(self, way: Way, delay: Callable[[int, Random], float], rng: Random) -> None:
        self._way = way
        self._delay = delay
        self._rng = rng
        self.lane = Lane()
        self._under_way: dict[asyncio.Task[None], Work] = {}
        self._not_before = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._recent: OrderedDict[ObjectKey, str] = OrderedDict()

    def go(self) -> None:
        """Begin whatever may begin, and hand over what has ended."""
        loop = asyncio.get_running_loop()
        while len(self._under_way) < IN_FLIGHT_MOST and loop.time() >= self._not_before:
            work = self.lane.take()
            if work is None:
                break
            task = loop.create_task(self._carry(work))
            self._under_way[task] = work
            task.add_done_callback(self._carried)
        for outcome in self.lane.ended():
            self._way.ended(outcome)

    def made(self, event: Event) -> bool:
        """Whether an event is of a change made here, and more are under way."""
        item = event.item
        if item is None or not self.lane.busy:
            return False
        begun = any(work.change.key == item.key for work in self._under_way.values())
        return begun or self._recent.get(item.key) == item.revision

    def stop(self, why: str) -> None:
        """Give up everything; outcomes say what is known."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        tasks, self._under_way = list(self._under_way), {}
        for task in tasks:
            task.cancel()
        self.lane.abandon(why)
        self.go()

    def lost(self) -> None:
        """The cluster does not answer any longer: wait for none of its answers."""
        under_way, self._under_way = self._under_way, {}
        for task, work in under_way.items():
            task.cancel()
            why = "the cluster stopped answering"
            self.lane.done(work, ChangeResult(work.change.key, Verdict.UNKNOWN, why))
        self.go()

    def _carried(self, task: asyncio.Task[None]) -> None:
        work = self._under_way.pop(task, None)
        if task.cancelled() or work is None:
            return
        error = task.exception()
        if error is not None:
            why = f"an error of Frota's own ({type(error).__name__}); its log says more"
            self.lane.done(work, ChangeResult(work.change.key, Verdict.UNKNOWN, why))
            task.get_loop().call_exception_handler({"message": why, "exception": error})
        self.go()

    async def _carry(self, work: Work) -> None:
        """One try."""
        try:
            result = await self._change(work)
        except Answered as answer:
            work.unsure |= answer.code >= HTTPStatus.INTERNAL_SERVER_ERROR
            if self._passing(work.change, answer) and work.tries + 1 < _TRIES_MOST:
                if answer.code == HTTPStatus.TOO_MANY_REQUESTS:
                    self._hold(answer.after)
                self._pause(work, answer.after)
                return
            result = changes.failed(work.change, answer, unsure=work.unsure)
        except Silent as silent:
            work.unsure |= silent.sent
            if self._way.answers() and work.tries + 1 < _TRIES_MOST:
                self._pause(work)
                return
            verdict = Verdict.UNKNOWN if work.unsure else Verdict.FAILED
            result = ChangeResult(work.change.key, verdict, str(silent))
        except _Missing:
            if work.tries + 1 < _TRIES_MOST:
                self._pause(work, _ESTABLISHED_S)
                return
            why = "the cluster does not serve this kind (no CRD)"
            result = ChangeResult(work.change.key, Verdict.FAILED, why)
        except Unusable as unusable:
            result = ChangeResult(work.change.key, Verdict.FAILED, str(unusable))
        except (Garbled, TooLarge) as fault:
            result = ChangeResult(work.change.key, Verdict.UNKNOWN, str(fault))
        self.lane.done(work, result)

    @staticmethod
    def _passing(change: Change, answer: Answered) -> bool:
        """The same request may succeed later. A conflict without preconditions and without
        managers is of two writers at the same moment."""
        race = answer.code == HTTPStatus.CONFLICT and not (change.uid or change.revision)
        return answer.busy or (race and not changes.conflicts(answer.causes))

    def _pause(self, work: Work, after: float = 0.0) -> None:
        """Try again later; meanwhile others have its place."""
        work.tries += 1
        wait = max(after, self._delay(work.tries, self._rng))
        self._later(wait, lambda: self.lane.again(work))

    def _hold(self, after: float) -> None:
        """The server asks all to wait, and so nothing of this cluster begins before."""
        if after > 0:
            loop = asyncio.get_running_loop()
            self._not_before = max(self._not_before, loop.time() + after)
            self._later(after, lambda: None)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def now() -> None:
            self._timers.discard(timer)
            act()
            self.go()

        timer = asyncio.get_running_loop().call_later(seconds, now)
        self._timers.add(timer)

    async def _change(self, work: Work) -> ChangeResult:
        change = work.change
        key = change.key
        if not self._way.answers():
            raise Silent("the cluster does not answer", sent=False)
        kind = await self._kind(change)
        served = await self._way.discovery.find(kind, anew=work.tries > 0)
        if served is None:
            if change.desired is None:
                return ChangeResult(key, Verdict.DELETED, "the cluster does not serve this kind")
            raise _Missing
        wrong = _wrong(key, served)
        if wrong:
            return ChangeResult(key, Verdict.REFUSED, wrong)
        before = self._revisions(change)
        code, body = await self._send(work, kind, served)
        if not work.dry_run:
            self._way.applied(change)
        if change.desired is None:
            return changes.deleted(change, document(body))
        if work.dry_run:
            after: Object = document(body)
            unchanged = code == HTTPStatus.OK and await self._as_it_is(key, served, after)
        else:
            after = changes.kept(body)
            unchanged = _revision(after) in before
            self._remember(key, _revision(after))
        verdict = Verdict.UNCHANGED if unchanged else Verdict.APPLIED
        return ChangeResult(key, verdict, after=after)

    async def _send(self, work: Work, kind: WatchedKind, served: Served) -> tuple[int, bytes]:
        call = changes.request(work.change, served, dry_run=work.dry_run)
        try:
            return await self._way.link.call(call)
        except Answered as answer:
            missing = answer.code == HTTPStatus.NOT_FOUND and work.change.desired is not None
            if missing and await self._way.discovery.find(kind, anew=True) is None:
                raise _Missing from None
            raise

    async def _kind(self, change: Change) -> WatchedKind:
        group, kind = change.key.group, change.key.kind
        if change.desired is not None:
            version = str(change.desired["apiVersion"]).rpartition("/")[2]
        else:
            version = self._way.version(group, kind)
            version = version or await self._way.discovery.version(group)
        return WatchedKind(group, version, kind)

    def _revisions(self, change: Change) -> frozenset[str]:
        """The versions in which the object was seen: an answer with one of them changed
        nothing."""
        held = self._way.held(change.key)
        seen = {change.revision, self._recent.get(change.key, ""), _revision(held or {})}
        return frozenset(seen - {""})

    async def _as_it_is(self, key: ObjectKey, served: Served, after: Object) -> bool:
        """A dry run would change nothing. Its answer carries the version of the object that
        is there; where that is not held it is read."""
        live = self._way.held(key)
        known = live is not None and _revision(live) == _revision(after)
        if live is None or not known or live.get("apiVersion") != after.get("apiVersion"):
            live = await self._way.link.get(served.path(key.namespace, key.name))
        return changes.same(live, after)

    def _remember(self, key: ObjectKey, revision: str) -> None:
        self._recent[key] = revision
        self._recent.move_to_end(key)
        if len(self._recent) > _RECENT_MOST:
            self._recent.popitem(last=False)


def _revision(item: Object) -> str:
    metadata = item.get("metadata")
    found = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""


def _wrong(key: ObjectKey, served: Served) -> str:
    """Why this key cannot be sent, if so."""
    if key.name in ("", ".", "..") or key.namespace in (".", ".."):
        return "no object can have such a name"
    if served.namespaced and not key.namespace:
        return f"a {key.kind} lives in a namespace, and none is given"
    if key.namespace and not served.namespaced:
        return f"a {key.kind} lives in no namespace, and {key.namespace} is given"
    return ""

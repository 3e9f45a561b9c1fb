"""The controller of one fleet: compiles what is declared and lets it out, cluster by cluster.

What is declared becomes a revision: the content of every cluster, stored under its digest
before anything refers to it. A rollout says which cluster has which revision now; releases
tell the clusters' own controllers. A killed controller goes on from the stored rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from frota.compile.kubernetes import Memo, compile_site, membership, objectives, sites
from frota.compile.kubernetes.site import Site
from frota.controllers.clusterrecords import (
    CLUSTER,
    FLEET,
    RELEASE,
    ROLLOUT,
)
from frota.controllers.contents import Contents, content_writes
from frota.controllers.fleetrecords import (
    REVISION,
    FleetRecords,
    kept,
    meters_of,
    revision_name,
    shape_of,
)
from frota.controllers.story import Story
from frota.model.decision import Stage
from frota.model.objectives import ServiceKey
from frota.model.release import Release
from frota.model.rollout import Advance, ClusterState, Phase, Rollout, RolloutFleet
from frota.planners.delivery import Wanted, prepare
from frota.planners.delivery.wanted import digest
from frota.planners.rollout import advance, begin, burn
from frota.ports.clock import Clock
from frota.ports.objectives import MeterAddress, Objectives
from frota.ports.store import Conflict, Entry, Store, Write
from frota.runtime.result import Result

_REVISIONS_MOST = 10  # kept to go back to


@dataclass(frozen=True, slots=True)
class _Declared:
    """The documents of a fleet, compiled. ``contents`` are what each cluster is to have,
    ``promised`` its services with objectives, ``meters`` where those are measured."""

    shape: RolloutFleet
    revision: str
    contents: Mapping[str, Wanted]
    promised: Mapping[str, frozenset[ServiceKey]]
    meters: tuple[MeterAddress, ...]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each cluster's content."""
        return {name: content.digest for name, content in self.contents.items()}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The content of a cluster, what it was compiled from, and what that can use again."""

    site: Site
    content: Wanted
    memo: Memo


class FleetController:
    """Keeps one fleet as declared. One instance acts on a fleet at a time. Without
    ``meters`` no rollout waits for objectives."""

    def __init__(
        self,
        fleet: str,
        *,
        store: Store,
        clock: Clock,
        meters: Objectives | None = None,
        contents: Contents | None = None,
    ) -> None:
        self._fleet = fleet
        self._store = store
        self._clock = clock
        self._records = FleetRecords(store, fleet)
        self._meters = meters
        self._asked: frozenset[MeterAddress] = frozenset()
        self._read: tuple[tuple[str, str, int], ...] = ()
        self._declared: _Declared | None = None
        self._said: dict[str, str] = {}
        self._memo = Memo()  # of reading the documents
        self._compiled: dict[str, _Compiled] = {}
        self._contents = contents or Contents(store)

    def reconcile(self) -> Result:
        """One pass. Raises StoreError when the store cannot be read or written."""
        declared = self._compile()
        if declared is None:
            self.close()
            return Result()
        now = self._clock.now()
        story = Story(self._fleet, now)
        entry = self._records.rollout()
        rollout = self._current(declared, entry, story, now)
        candidates = dict.fromkeys(
            [rollout.revision, *(part.before for part in rollout.clusters if part.before)]
        )
        states = self._records.states(declared.shape, tuple(candidates))
        self._ask(() if rollout.over else declared.meters)
        states = self._measured(states, declared.promised, now)
        step = advance(declared.shape, states, rollout, now)
        self._tell(step, rollout, story)
        writes = list(self._writes(declared, entry, step, now))
        if writes or story.lines:
            try:
                self._store.commit(writes, story.lines)
            except Conflict:
                return Result(now)  # somebody wrote first: look again
        return Result(step.again_at)

    def close(self) -> None:
        """Ask no cluster any more."""
        self._ask(())

    def _ask(self, meters: Iterable[MeterAddress]) -> None:
        """Have these clusters measured, and no others."""
        wanted = frozenset(meters)
        if self._meters is None or wanted == self._asked:
            return
        kept = {address.cluster for address in wanted}
        for address in self._asked:
            if address.cluster not in kept:
                self._meters.detach(address.cluster)
        for address in wanted:
            self._meters.attach(address)
        self._asked = wanted

    def _measured(
        self,
        states: Mapping[str, ClusterState],
        promised: Mapping[str, frozenset[ServiceKey]],
        now: float,
    ) -> dict[str, ClusterState]:
        """The states, with the burn rates of clusters that are asked for them."""
        found = dict(states)
        for name in (address.cluster for address in self._asked):
            if self._meters is not None and name in found:
                rate, of = burn(self._meters.measured(name), promised[name], now)
                found[name] = replace(found[name], burn=rate, burn_of=of)
        return found

    def _compile(self) -> _Declared | None:
        """The documents, compiled when any of them changed; None when there is no fleet."""
        entries = self._records.documents()
        read = tuple((entry.kind, entry.name, entry.revision) for entry in entries)
        if read != self._read:
            self._declared = self._declare(entries)
            self._read = read
        return self._declared

    def _declare(self, entries: list[Entry]) -> _Declared | None:
        fleet = next((e.value for e in entries if (e.kind, e.name) == (FLEET, self._fleet)), None)
        if fleet is None:
            self._contents.declare(self._fleet, {})
            return None
        clusters = [
            entry.value
            for entry in entries
            if entry.kind == CLUSTER and entry.value["spec"].get("fleet") == self._fleet
        ]
        names = {cluster["metadata"]["name"] for cluster in clusters}
        documents = (entry.value for entry in entries)
        found = [site for site in sites(documents, self._memo) if site.cluster in names]
        self._memo.turn()
        self._compiled = {site.cluster: self._compile_site(site) for site in found}
        contents = {name: compiled.content for name, compiled in self._compiled.items()}
        self._contents.declare(self._fleet, contents)
        digests = sorted((name, content.digest) for name, content in contents.items())
        promised = {site.cluster: objectives(site) for site in found}
        return _Declared(
            shape=shape_of(fleet, clusters),
            revision=digest(digests),
            contents=contents,
            promised=promised,
            meters=tuple(meter for meter in meters_of(clusters) if promised.get(meter.cluster)),
        )

    def _compile_site(self, site: Site) -> _Compiled:
        """What one cluster is to have; the same as before where it rests on the same."""
        known = self._compiled.get(site.cluster)
        if known is not None and known.site == site:
            return known
        memo = known.memo if known is not None else Memo()
        objects = compile_site(site, memo)
        memo.turn()
        before = known.content if known is not None else None
        return _Compiled(site, prepare(objects, membership(self._fleet), before), memo)

    def _current(
        self, declared: _Declared, entry: Entry | None, story: Story, now: float
    ) -> Rollout:
        """The rollout to go on with; a new one when something else is declared."""
        old: Rollout | None = entry.value if entry is not None else None
        if old is not None and old.revision == declared.revision:
            return old
        before = kept(old) if old is not None else {}
        generation = old.generation + 1 if old is not None else 1
        fresh = begin(declared.shape, declared.revision, generation, before, now)
        instead = f", instead of {old.id}, which is not over" if old and not old.over else ""
        text = f"{fresh.id} to {len(declared.shape.members)} clusters{instead}"
        story.tell(Stage.CAUSE, fresh.id, f"Fleet/{self._fleet}", "RolloutBegins", text)
        return fresh

    def _writes(
        self, declared: _Declared, entry: Entry | None, step: Advance, now: float
    ) -> Iterator[Write]:
        rollout = step.rollout
        if entry is None or entry.value != rollout:
            revision = entry.revision if entry is not None else 0
            yield Write(ROLLOUT, self._fleet, rollout, revision)
        stored = self._records.revisions()
        if rollout.revision == declared.revision and declared.revision not in stored:
            last = stored.get(entry.value.revision, {}) if entry is not None else {}
            yield from self._content(declared, last)
            stored[declared.revision] = declared.digests
        else:
            yield from self._forget(rollout, stored, step)
        yield from self._releases(step, stored, now)

    def _content(self, declared: _Declared, last: Mapping[str, str]) -> Iterator[Write]:
        """The content of a revision, and the revision that names it. ``last``: the content of
        each cluster in the revision before, with which most parts are shared."""
        for cluster, content in declared.contents.items():
            if not self._records.parts(cluster, content.digest):
                there = self._records.parts(cluster, last.get(cluster, ""))
                yield from content_writes(cluster, content, frozenset(there))
        named = {"clusters": declared.digests}
        yield Write(REVISION, revision_name(self._fleet, declared.revision), named, None)

    def _releases(
        self, step: Advance, stored: Mapping[str, Mapping[str, str]], now: float
    ) -> Iterator[Write]:
        """What each cluster is told to have; one that is to be left alone is told nothing."""
        releases = self._records.releases()
        for cluster, revision in step.deliver.items():
            found = stored.get(revision, {}).get(cluster)
            if found is None:
                continue  # it was no member then
            old, at = releases.pop(cluster, (None, 0))
            generation = step.rollout.generation
            if old is not None and revision != step.rollout.revision:
                generation = old.generation
            if old is None or (old.digest, old.generation) != (found, generation):
                fresh = Release(cluster, self._fleet, generation, found, now)
                yield Write(RELEASE, cluster, fresh, at)
        for cluster, (_, at) in releases.items():
            yield Write(RELEASE, cluster, None, at)

    def _forget(
        self, rollout: Rollout, stored: Mapping[str, Mapping[str, str]], step: Advance
    ) -> Iterator[Write]:
        """Revisions that nothing refers to, but for the last few. Never in the commit that
        stores one, which may use parts of theirs."""
        needed = {rollout.revision, *step.deliver.values()}
        needed |= {part.before for part in rollout.clusters}
        spare = [revision for revision in stored if revision not in needed]
        gone = spare[: max(0, len(spare) - _REVISIONS_MOST)]
        if not gone:
            return
        kept = {
            content
            for revision, by in stored.items()
            if revision not in gone
            for content in by.items()
        }
        ended = {content for revision in gone for content in stored[revision].items()} - kept
        for revision in gone:
            yield Write(REVISION, revision_name(self._fleet, revision), None, None)
        yield from self._records.ends(ended, kept)

    def _tell(self, step: Advance, before: Rollout, story: Story) -> None:
        """Journal what changed: the phase, and what each wave and cluster waits for."""
        rollout, cause = step.rollout, step.rollout.id
        if rollout.phase is not before.phase or "" not in self._said:
            self._said[""] = rollout.phase
            stage = Stage.OUTCOME if rollout.phase is not Phase.RUNNING else Stage.DECISION
            text = f"{rollout.id} is {rollout.phase}"
            story.tell(stage, cause, f"Fleet/{self._fleet}", f"Rollout{rollout.phase}", text)
        said = {reason.subject: reason for reason in step.reasons}
        for subject, reason in said.items():
            if self._said.get(subject) != reason.reason:
                self._said[subject] = reason.reason
                kind = "Cluster" if subject not in _waves(step) else "Wave"
                message = reason.message
                if step.approve and reason.reason == "WaitsForApproval":
                    message += f": frota rollout approve {self._fleet} {step.approve}"
                story.tell(Stage.DECISION, cause, f"{kind}/{subject}", reason.reason, message)
        for subject in self._said.keys() - said.keys() - {""}:
            del self._said[subject]


def _waves(step: Advance) -> frozenset[str]:
    clusters = {part.cluster for part in step.rollout.clusters}
    return frozenset(r.subject for r in step.reasons if r.subject not in clusters)

"""The agent in virtual time: what it follows, what it remembers, what it says, how often."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from frota.controllers.publishing import agent_status, publish
from frota.controllers.pull import Identity, KeysUnusable, Pace, PullAgent, Surroundings
from frota.model.bundle import AgentStatus, Position, Refusal, Remembered
from frota.model.delivery import WatchedKind
from frota.planners.bundles import Signer, TrustedKey
from frota.planners.bundlestore import HEAD, bundle_key
from frota.planners.publication import Stamp
from tests.pull.doubles import MemoryAnchor, MemoryBlobs, Notes, bundle, config_map, signer, well


@dataclass
class World:
    """A store, a cluster, and the agent between them."""

    source: MemoryBlobs = field(default_factory=MemoryBlobs)
    told: MemoryBlobs = field(default_factory=MemoryBlobs)
    local: MemoryBlobs = field(default_factory=MemoryBlobs)
    anchor: MemoryAnchor = field(default_factory=MemoryAnchor)
    notes: Notes = field(default_factory=Notes)
    trusted: tuple[TrustedKey, ...] = (signer(1).public,)
    time: float = 1000.0

    def __post_init__(self) -> None:
        self.restart()

    def now(self) -> float:
        return self.time

    def restart(self) -> None:
        """The agent is killed, at any moment, and starts again."""
        around = Surroundings(
            source=self.source,
            status=self.told,
            local=self.local,
            anchor=self.anchor,
            reconciler=self.notes,
            keys=self._keys,
            clock=self,
            wall=lambda: self.time,
            rng=Random(7),
        )
        self.agent = PullAgent(Identity("acme", "east", "1"), around, Pace())

    def _keys(self) -> tuple[TrustedKey, ...]:
        if not self.trusted:
            raise KeysUnusable("keys.pem: no such file")
        return self.trusted

    def publish(self, *names: str, by: Signer | None = None, rollback: str = "") -> Position:
        older = (signer(1).public,)
        stamp = Stamp(by or signer(1), 1, rollback, older)
        return publish(self.source, bundle(*names), stamp).position

    def run(self, seconds: float) -> int:
        """Let time pass; returns the number of steps."""
        end, steps = self.time + seconds, 0
        while self.time < end:
            wait = self.agent.step()
            assert wait > 0
            self.time, steps = min(end, self.time + wait), steps + 1
        return steps

    def status(self) -> AgentStatus:
        found = agent_status(self.told, "acme", "east")
        assert found is not None
        return found

    def names(self) -> list[str]:
        """What the cluster was last told to have."""
        return [item["metadata"]["name"] for item in self.notes.delivered[-1][1]]


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_published_yet(world: World) -> None:
    world.run(30)
    assert not world.notes.delivered
    assert "nothing has been published" in world.status().trouble


def test_what_is_published_arrives_and_is_told(world: World) -> None:
    world.publish("a")
    world.run(1)
    assert world.notes.delivered[0][1] == (config_map("a"),)
    world.publish("a", "b")
    world.run(20)
    assert world.names() == ["a", "b"]
    status = world.status()
    assert (status.position, status.refusal, status.trouble) == (Position(0, 2), "", "")
    assert status.progress == well("0.2 " + status.digest)
    assert status.keys == (signer(1).public.id,)
    assert len([key for key in world.local.objects if key != HEAD]) == 1


def test_an_unchanged_store_costs_conditional_gets_only(world: World) -> None:
    world.publish("a")
    world.run(60)
    got, puts, asked = world.source.gets, world.told.puts, world.source.asked
    world.run(600)
    assert world.source.gets == got
    assert 600 / 18 <= world.source.asked - asked <= 600 / 12
    assert world.told.puts - puts == 10  # a sign of life a minute


def test_polls_are_spread(world: World) -> None:
    other = World()
    for each in (world, other):
        each.publish("a")
    other.agent._around.rng.seed(8)
    waits = [round(each._poll_at, 3) for each in (world.agent, other.agent) if each.step() > 0]
    assert len(set(waits)) == 2


def test_a_store_that_fails_is_asked_less_and_less(world: World) -> None:
    world.publish("a")
    world.run(1)
    world.source.broken = "the store cannot be reached"
    asked = world.source.asked
    world.run(3600)
    assert 25 <= world.source.asked - asked <= 200
    assert world.status().trouble == "the store cannot be reached"
    assert world.names() == ["a"]
    world.source.broken = ""
    world.publish("b")
    world.run(121)
    assert world.names() == ["b"]
    assert world.status().trouble == ""


def test_old_envelopes_are_refused_also_after_a_restart(world: World) -> None:
    world.publish("a")
    old = dict(world.source.objects)
    world.publish("b")
    world.run(20)
    world.source.objects = dict(old)
    for _ in range(2):
        world.run(200)
        assert world.names() == ["b"]
        assert world.status().refusal == Refusal.OLD
        assert world.status().position == Position(0, 2)
        world.restart()
    world.local.objects.clear()  # and when its own disk is lost
    world.restart()
    world.run(200)
    assert world.names() == ["b"]
    assert world.status().refusal == Refusal.OLD


def test_an_anchor_that_was_set_back_does_not_help_either(world: World) -> None:
    world.publish("a")
    old = dict(world.source.objects)
    world.publish("b")
    world.run(20)
    world.anchor.kept = Remembered(Position(0, 1))
    world.source.objects = old
    world.restart()
    world.run(20)
    assert world.status().refusal == Refusal.OLD
    assert world.anchor.kept.position == Position(0, 2)


def test_old_local_files_do_not_help_either(world: World) -> None:
    world.publish("a")
    world.run(20)
    old = dict(world.local.objects)
    world.publish("b")
    world.run(20)
    world.local.objects = old
    world.source.broken = "off"
    world.notes.delivered.clear()
    world.restart()
    world.run(60)
    assert not world.notes.delivered  # the cluster stays as it is
    world.source.broken = ""
    world.run(130)
    assert world.names() == ["b"]


def test_a_rollback_order_is_followed_once(world: World) -> None:
    for name in "abcd":
        world.publish(name)
        world.run(20)
    newest = dict(world.source.objects)
    world.source.objects.clear()
    world.publish("a")  # a control plane that lost its memory
    world.run(130)
    assert world.status().refusal == Refusal.OLD
    assert world.publish("a", rollback="memory lost") == Position(1, 1)
    world.run(130)
    assert (world.names(), world.status().refusal) == (["a"], "")
    world.source.objects = newest
    world.run(130)
    assert (world.names(), world.status().refusal) == (["a"], Refusal.OLD)


def test_a_restart_without_the_store_goes_on_with_what_is_kept(world: World) -> None:
    world.publish("a")
    world.run(20)
    world.source.broken = "off"
    world.notes.delivered.clear()
    world.restart()
    world.run(1)
    assert world.names() == ["a"]
    world.local.put(world.source.objects[HEAD].key, b"damaged")
    world.notes.delivered.clear()
    world.restart()
    world.run(10)
    assert not world.notes.delivered


def test_a_disk_that_is_lost_loses_nothing_that_counts(world: World) -> None:
    """As an emptyDir does with its pod: no way back, no fork, no forgotten kind."""
    world.publish("a")
    old = dict(world.source.objects)
    world.publish("a", "b")
    world.run(20)
    forked = MemoryBlobs()
    publish(forked, bundle("a"), Stamp(signer(1), 1))
    publish(forked, bundle("other"), Stamp(signer(1), 1))
    kinds = world.anchor.kept.kinds
    assert kinds == {WatchedKind("", "v1", "ConfigMap")}
    for objects, refusal in ((old, Refusal.OLD), (forked.objects, Refusal.FORKED)):
        world.local.objects.clear()
        newest, world.source.objects = world.source.objects, objects
        world.restart()
        world.run(20)
        assert world.status().refusal == refusal
        assert world.status().position == Position(0, 2)
        assert len(world.notes.delivered) == 1
        world.source.objects = newest
        world.run(121)
        assert world.names() == ["a", "b"]
    assert world.notes.kinds == kinds


def test_kinds_are_remembered_until_nothing_is_left_of_them(world: World) -> None:
    maps, services = WatchedKind("", "v1", "ConfigMap"), WatchedKind("", "v1", "Service")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    both = replace(bundle("a"), objects=(config_map("a"), service))
    publish(world.source, both, Stamp(signer(1), 1))
    world.run(1)
    world.publish("a")
    world.run(20)
    world.local.objects.clear()
    world.restart()
    world.run(20)
    assert world.notes.kinds == {maps, services}
    world.notes.left = frozenset({maps})
    world.run(20)
    assert world.anchor.kept.kinds == {maps}
    saves = world.anchor.saves
    world.run(300)
    assert world.anchor.saves == saves


def test_without_its_anchor_nothing_is_begun(world: World) -> None:
    world.publish("a")
    world.anchor.broken = "ConfigMap frota-agent/frota-agent-state: it is not there"
    world.run(60)
    assert not world.notes.delivered
    assert "it is not there" in world.status().trouble
    world.anchor.broken = ""
    world.run(130)
    assert world.names() == ["a"]


def test_keys_change_while_it_runs(world: World) -> None:
    world.publish("a")
    world.run(20)
    world.publish("b", by=signer(2))
    world.run(20)
    assert (world.names(), world.status().refusal) == (["a"], Refusal.UNKNOWN_KEY)
    world.trusted = (signer(1).public, signer(2).public)
    world.run(130)
    assert (world.names(), world.status().refusal) == (["b"], "")
    world.trusted = (signer(2).public,)
    world.run(130)
    world.publish("c", by=signer(2))
    world.run(20)
    assert world.names() == ["c"]
    world.trusted = ()
    world.publish("d", by=signer(2))
    world.run(20)
    assert "no such file" in world.status().trouble
    assert world.names() == ["c"]


def test_a_withdrawn_key_is_not_followed_after_a_restart(world: World) -> None:
    world.publish("a")
    world.run(20)
    world.trusted = (signer(2).public,)
    world.notes.delivered.clear()
    world.restart()
    world.run(60)
    assert not world.notes.delivered
    assert world.status().refusal == Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("text", [b"other", b"x" * 100_000])
def test_a_bundle_that_was_changed_is_refused_until_it_is_right(world: World, text: bytes) -> None:
    world.publish("a")
    world.run(20)
    digest = publish(world.source, bundle("b"), Stamp(signer(1), 1)).digest
    right = world.source.objects[bundle_key(digest)].data
    world.source.put(bundle_key(digest), text)
    asked = world.source.asked
    world.run(600)
    assert world.source.asked - asked < 60
    assert (world.names(), world.status().refusal) == (["a"], Refusal.WRONG_DIGEST)
    world.source.put(bundle_key(digest), right)
    world.run(130)
    assert (world.names(), world.status().refusal) == (["b"], "")


def test_a_missing_bundle_is_trouble_not_an_end(world: World) -> None:
    world.publish("a")
    world.run(20)
    digest = publish(world.source, bundle("b"), Stamp(signer(1), 1)).digest
    blob = world.source.objects.pop(bundle_key(digest))
    world.run(60)
    assert "it is not there" in world.status().trouble
    world.source.objects[blob.key] = blob
    world.run(130)
    assert world.names() == ["b"]


def test_a_status_that_cannot_be_written_stops_nothing(world: World) -> None:
    world.told.broken = "refused"
    world.publish("a")
    world.run(60)
    world.publish("b")
    world.run(60)
    assert world.names() == ["b"]
    world.told.broken = ""
    world.run(125)
    assert world.status().position == Position(0, 2)


def test_the_head_of_another_cluster_is_refused(world: World) -> None:
    publish(world.source, bundle("a", cluster="west"), Stamp(signer(1), 1))
    world.run(60)
    assert not world.notes.delivered
    assert world.status().refusal == Refusal.OTHER_CLUSTER

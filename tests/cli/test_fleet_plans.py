"""plan for fleets: what would change in every cluster, looked at on simulated API servers."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from frota.app.members import Members
from frota.cli.changes import changes
from frota.cli.delivery import plandata, planview
from frota.cli.delivery.foresight import FleetForesight, fleets_of, foresee_fleet
from frota.cli.delivery.looking import Look, Looker, marks
from frota.cli.savedplan import moved
from frota.cli.terminal import Terminal
from frota.controllers.clusterrecords import PUBLISHED, RELEASE, ROLLOUT, STATUS
from frota.model.clusterstatus import ConditionType, Truth
from frota.model.delivery import Verdict
from frota.model.deliveryplan import Action
from frota.model.objects import Object, ObjectKey
from frota.planners.delivery import stamped
from frota.ports.store import Write
from frota.resources.documents import load
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore
from frota.twin import TwinClock, World
from frota.twin.clusters import ClusterFleet, TwinClusters
from tests.cli.conftest import EXAMPLE, ROOT, Frota
from tests.cli.fleet_stage import conditions, declared, seen, step

FILES = ROOT / "examples" / "by-environment"
CHAT = ObjectKey("apps", "Deployment", "language-inference", "chat")


@dataclass
class Stage:
    """Three simulated clusters, and what is declared of them."""

    world: World = field(default_factory=lambda: World(7))
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.fleet = ClusterFleet(self.world)
        self.clock = TwinClock(self.world, 1000.0)
        self.servers = {name: self.fleet.add(name) for name in ("dev", "staging", "prod")}

    def wait(self, seconds: float) -> None:
        """See ``runtime.alarm.Alarm``: waiting is what makes time pass."""
        self.world.run_until(self.world.now + seconds)

    def ring(self) -> None:
        """See ``runtime.alarm.Alarm``."""

    def foresee(self, change: tuple[str, str] = ("", "")) -> FleetForesight:
        files = [(p.name, p.read_text("utf-8").replace(*change)) for p in sorted(FILES.iterdir())]
        found = changes(load(files).resources, self.store)
        assert fleets_of(found, self.store) == ["acme"]
        return foresee_fleet("acme", self.store, found, self.clock)

    def look(self, sight: FleetForesight, seconds: float = 30.0) -> dict[str, Look]:
        port = TwinClusters(self.fleet, self.clock)
        return Looker(Members(port, self.clock, self, port.close), sight.targets).look(seconds)

    def deliver(self, sight: FleetForesight) -> None:
        """Everything is there, as declared."""
        for target in sight.targets:
            for key, item in target.wanted.objects.items():
                self.apply(target.cluster, stamped(item, target.wanted.digests[key]))

    def apply(self, cluster: str, item: Object, manager: str = "frota") -> None:
        result = self.servers[cluster].server.apply(item, manager, force=True)
        assert result.verdict in (Verdict.APPLIED, Verdict.UNCHANGED), result


@pytest.fixture
def stage() -> Stage:
    return Stage()


def shown(stage: Stage, sight: FleetForesight, looks: dict[str, Look], *, full: bool) -> str:
    out = io.StringIO()
    planview.show(sight, looks, Terminal(Path("x"), out=out), full=full)
    assert not stage.store.list(ROLLOUT)
    return out.getvalue()


def test_a_first_plan_creates_everything(stage: Stage) -> None:
    sight = stage.foresee()
    assert sight.begins
    looks = stage.look(sight)
    assert [target.wave for target in sight.targets] == ["dev/1", "staging/1", "prod/1"]
    for look in looks.values():
        assert look.plan is not None
        assert not look.error
        wanted = len(look.target.wanted.objects)
        assert planview.counted(look) == {"create": wanted}
        assert len(look.results) + len(look.unasked) == wanted
        assert all(key.namespace for key in look.unasked)
        assert not planview.refused(look)
    told = shown(stage, sight, looks, full=False)
    assert "fleet acme: rollout acme-1-" in told
    assert "staging/1: staging; then well for 1h, an approval" in told
    assert "  + 1 Deployment.apps: language-inference/chat" in told
    assert CHAT not in stage.servers["dev"].server.objects


def test_what_is_as_declared_costs_no_call(stage: Stage) -> None:
    sight = stage.foresee()
    stage.deliver(sight)
    looks = stage.look(sight)
    assert all(look.results == {} and planview.counted(look) == {} for look in looks.values())
    assert shown(stage, sight, looks, full=False).count("nothing to do; ") == 3


def test_a_change_is_shown_field_by_field(stage: Stage) -> None:
    stage.deliver(stage.foresee())
    sight = stage.foresee(("max-model-len=2048", "max-model-len=1024"))
    looks = stage.look(sight)
    assert [planview.counted(looks[name]) for name in ("dev", "staging", "prod")] == [
        {"change": 1}, {}, {},
    ]  # fmt: skip
    assert looks["dev"].results[CHAT].verdict is Verdict.APPLIED
    told = shown(stage, sight, looks, full=False)
    assert '["--max-model-len=2048"] -> ["--max-model-len=1024"]' in told
    assert "containers:" not in told
    whole = shown(stage, sight, looks, full=True)
    assert '-        - "--max-model-len=2048"' in whole
    assert '+        - "--max-model-len=1024"' in whole
    assert "managedFields" not in whole
    found = plandata.data(sight, looks, full=True)["clusters"][0]["objects"]
    assert found[0]["object"]["name"] == "chat"
    assert found[0]["verdict"] == "applied"
    assert found[0]["fields"][0]["found"] == ["--max-model-len=2048"]
    assert "status" not in found[0]["before"]


def test_a_saved_plan_is_held_against_every_object(stage: Stage) -> None:
    stage.deliver(stage.foresee())
    sight = stage.foresee(("max-model-len=2048", "max-model-len=1024"))

    def found() -> dict[str, dict[str, str]]:
        return {f"Cluster/{name}": marks(look) for name, look in stage.look(sight).items()}

    then = found()
    stage.wait(60.0)
    assert moved(then, found()) == []
    server = stage.servers["dev"].server
    server.update(CHAT, "mallory", lambda item: item["spec"].update(minReadySeconds=77))
    stage.wait(1.0)
    assert moved(then, found()) == []  # a field that nothing would be done about
    space = ObjectKey("", "Namespace", "", "language-inference")
    label = "pod-security.kubernetes.io/enforce"
    server.update(space, "mallory", lambda i: i["metadata"]["labels"].update({label: "baseline"}))
    server.update(CHAT, "mallory", _other_model)
    stage.servers["prod"].kill()
    stage.wait(1.0)
    change = "change, applied"
    assert moved(then, found()) == [
        f"Cluster/dev: {CHAT}: when planned {change}, now also {change}, but of something else",
        "Cluster/dev: Namespace language-inference: when planned nothing, now correct, applied",
        "Cluster/prod: objects: when planned seen, now unseen",
    ]


def _other_model(item: dict[str, Any]) -> None:
    item["spec"]["template"]["spec"]["containers"][0]["args"] = ["--max-model-len=9"]


def test_drift_shows_who_wrote_it(stage: Stage) -> None:
    sight = stage.foresee()
    stage.deliver(sight)
    item = next(t for t in sight.targets if t.cluster == "prod").wanted.objects[CHAT]
    metadata = {"name": CHAT.name, "namespace": CHAT.namespace}
    theirs = {"minReadySeconds": item["spec"].get("minReadySeconds", 0) + 7}
    labels = {**item["metadata"]["labels"], "frota.dev/team": "others"}
    theirs_object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "labels": labels},
        "spec": theirs,
    }
    stage.apply("prod", theirs_object, "kubectl")
    looks = stage.look(sight)
    assert planview.counted(looks["prod"]) == {"correct": 1}
    told = shown(stage, sight, looks, full=False)
    assert "~ Deployment.apps language-inference/chat (correct)" in told
    assert "(by kubectl" in told


def test_an_unreachable_cluster_is_named_and_holds_nobody_up(stage: Stage) -> None:
    sight = stage.foresee()
    stage.servers["staging"].kill()
    before = stage.world.now
    looks = stage.look(sight)
    assert stage.world.now - before < 10.0
    assert looks["staging"].error.startswith("does not answer")
    assert looks["prod"].plan is not None
    told = shown(stage, sight, looks, full=False)
    assert "staging: not looked at: does not answer" in told
    data = plandata.data(sight, looks, full=False)["clusters"]
    assert [cluster["looked"] for cluster in data] == [True, False, True]


def test_time_is_bounded(stage: Stage) -> None:
    sight = stage.foresee()
    looks = stage.look(sight, 0.001)
    assert set(looks) == {"dev", "staging", "prod"}
    assert all(look.error for look in looks.values())


def test_the_brake_is_foretold(stage: Stage) -> None:
    stage.deliver(stage.foresee())
    sight = stage.foresee()
    dev = next(target for target in sight.targets if target.cluster == "dev")
    for number in range(20):
        item = dev.wanted.objects[next(k for k in dev.wanted.objects if k.kind == "ConfigMap")]
        extra = {**item, "metadata": {**item["metadata"], "name": f"extra-{number}"}}
        stage.apply("dev", extra)
    looks = stage.look(sight)
    plan = looks["dev"].plan
    assert plan is not None
    assert plan.held is not None
    assert all(item.action is not Action.PRUNE for item in plan.items)
    told = shown(stage, sight, looks, full=False)
    assert "the brake would hold 20 deletions: 20 of " in told
    assert f"frota approve dev {plan.held.plan}" in told
    assert plandata.data(sight, looks, full=False)["clusters"][0]["held"]["count"] == 20


def test_another_managers_object_needs_a_person(stage: Stage) -> None:
    sight = stage.foresee()
    item = sight.targets[0].wanted.objects[ObjectKey("", "Namespace", "", "frota-system")]
    labels = dict.fromkeys(item["metadata"]["labels"], "theirs")
    del labels["applyset.kubernetes.io/part-of"]
    foreign = {**item, "metadata": {"name": "frota-system", "labels": labels}}
    stage.apply("dev", foreign, "helm")
    looks = stage.look(sight)
    assert planview.refused(looks["dev"])
    told = shown(stage, sight, looks, full=False)
    assert "Namespace frota-system: conflict: " in told
    assert "helm holds " in told
    assert "frota take-over dev Namespace/frota-system" in told


def test_files_of_both_kinds(empty: Frota) -> None:
    ended = empty("plan", str(FILES), str(EXAMPLE), "--output", "json")
    assert ended.code == 0
    assert [group["group"] for group in ended.data["groups"]] == ["plant-east"]
    (fleet,) = ended.data["fleets"]
    basis = "simulated; nothing was delivered yet"
    assert [(c["looked"], c["basis"]) for c in fleet["clusters"]] == [(False, basis)] * 3
    assert [c["counts"] for c in fleet["clusters"]] == [
        {"create": c["wanted"]} for c in fleet["clusters"]
    ]
    assert not empty.store.exists()
    told = empty("plan", str(FILES), str(EXAMPLE)).out
    assert f"dev: 45 to create; 0 of 45 objects unchanged, {basis}" in told
    assert "plant-east: 9 VMs would start" in told


def test_simulated_clusters_are_held_against_what_they_were_given(empty: Frota) -> None:
    declared(empty)
    seen(empty, "dev")
    step(empty)
    seen(empty, "dev", settled=40)
    files = sorted(FILES.iterdir())
    again = empty("plan", *map(str, files), "--output", "json").data["fleets"][0]["clusters"]
    assert [c["counts"] for c in again] == [{}, {"create": 45}, {"create": 45}]
    assert again[0]["basis"] == ("simulated; as last delivered, 40 of 41 objects were as declared")
    changed = empty.store.with_name("changed")
    changed.mkdir()
    for file in files:
        text = file.read_text("utf-8").replace("max-model-len=2048", "max-model-len=1024")
        (changed / file.name).write_text(text, "utf-8")
    told = empty("plan", str(changed))
    assert told.code == 0
    assert "dev: 1 to change; 44 of 45 objects unchanged, simulated; as last" in told.out
    assert '"--max-model-len=2048" -> "--max-model-len=1024"' in told.out
    assert '+        - "--max-model-len=1024"' in empty("plan", str(changed), "--full").out


def test_clusters_that_pull_are_held_against_what_was_published(empty: Frota) -> None:
    folder = empty.store.with_name("pull")
    folder.mkdir()
    for path in FILES.iterdir():
        text = path.read_text("utf-8").replace("provider: twin", "provider: twin\n  delivery: pull")
        text = text.replace("  environments:", "  bundles: {store: file:///b}\n  environments:")
        (folder / path.name).write_text(text, "utf-8")
    assert empty("apply", str(folder)).code == 0
    step(empty)
    seen(empty, "dev")
    step(empty)
    empty.change(STATUS, "dev", lambda status: replace(status, conditions=()))

    def plan(*words: str) -> Any:
        ended = empty("plan", str(folder), "--output", "json", *words)
        assert ended.code == 0, ended.err
        return ended.data["fleets"][0]["clusters"][0]

    assert plan()["basis"] == "nothing was published for it yet"
    assert plan()["counts"] == {"create": 45}
    content = empty.entry(RELEASE, "dev").value.digest
    published = {"order": 0, "sequence": 3, "digest": "d" * 64, "content": content}
    store = SqliteStore(empty.store)
    store.commit([Write(PUBLISHED, "dev", published, 0)])
    store.close()
    assert plan()["counts"] == {}
    assert plan()["basis"] == "as last published, number 0.3; not heard from its agent"
    seen(empty, "dev", digest="")
    assert plan()["basis"].endswith("its agent does not follow that yet")
    seen(empty, "dev")
    assert plan()["basis"].endswith("its agent says that it is so")
    stuck = (ConditionType.SYNCED, Truth.FALSE, "Conflict", "helm holds .spec")
    seen(empty, "dev", conditions=conditions(1.0, stuck))
    assert plan()["basis"].endswith("its agent has not all of it (Conflict: helm holds .spec)")


def test_a_stored_rollout_is_not_touched(stage: Stage) -> None:
    files = [(p.name, p.read_text("utf-8")) for p in sorted(FILES.iterdir())]
    found = changes(load(files).resources, stage.store)
    stage.store.commit([Write(c.resource.kind, c.resource.name, c.resource.document, 0)
                        for c in found])  # fmt: skip
    before = stage.store.changes(0)[1]
    assert foresee_fleet("acme", stage.store, (), stage.clock).begins
    assert stage.store.changes(0)[1] == before


def test_a_cluster_that_cannot_be_reached_is_a_code(empty: Frota, tmp_path: Path) -> None:
    for path in FILES.iterdir():
        first, *rest = path.read_text("utf-8").split("  provider: twin\n")
        for number, part in enumerate(rest):
            access = f"kubeconfig: {{path: {tmp_path}/none, context: c{number}}}"
            first += f"  provider: kubeconfig\n  {access}\n{part}"
        (tmp_path / path.name).write_text(first, "utf-8")
    ended = empty("plan", str(tmp_path), "--timeout", "1")
    assert ended.code == 5
    assert "dev: not looked at: does not answer: " in ended.out
    assert f"{tmp_path}/none" in ended.out


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf", "nan"])
def test_a_bad_timeout_is_bad_usage(seconds: str, empty: Frota) -> None:
    ended = empty("plan", str(FILES), f"--timeout={seconds}")
    assert ended.code == 2
    assert f"expected a number of seconds above 0; found {seconds}" in ended.err

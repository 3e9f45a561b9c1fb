"""The fleet act of ``frota demo``: one fleet, three Kubernetes clusters, one bad day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from math import ceil
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from frota.cli.delivery.progress import course
from frota.cli.delivery.standing import CONDITIONS, cell
from frota.cli.demoground import CLUSTERS, FLEET, STRANGER, Ground
from frota.cli.demotelling import Telling
from frota.cli.story import chapters
from frota.cli.words import style_of
from frota.controllers.clusterrecords import (
    PRUNE_APPROVAL,
    ROLLOUT,
    STATUS,
    approval_name,
    condition_of,
)
from frota.model.clusterstatus import ConditionType
from frota.model.decision import Decision
from frota.model.release import ClusterStatus, HeldPrune
from frota.model.rollout import Phase, Progress, Rollout
from frota.ports.store import Conflict, Write
from frota.resources.documents import load
from frota.runtime.clock import SystemClock

_HOURS_S = 4 * 3600.0  # more than all soaking together
_SOON_S = 120.0
_AT_ONCE_S = 10.0
_TRIES = 20
_LINES_MOST = 100_000
_IMAGE = "registry.example/vllm@sha256:" + "4e" * 32
_SERVICE = "InferenceService"
_WORTH_TELLING = frozenset(
    {
        *("RolloutBegins", "RolloutCompleted", "Soaking", "WaitsForApproval", "Delivers"),
        *("DriftCorrected", "PruneHeld"),
    }
)


class FleetStory:
    """Plays the act on a ground and narrates it."""

    def __init__(self, telling: Telling, ground: Ground) -> None:
        self._telling = telling
        self._ground = ground
        self._store = ground.store
        self._documents = ground.documents()
        self._began = ground.now()
        self._real = SystemClock()
        self._real_began = self._real.now()
        self._told = 0

    def tell(self) -> None:
        """The whole act."""
        for chapter in (
            self._stages,
            self._approval,
            self._drift,
            self._silence,
            self._return,
            self._explanation,
            self._brake,
        ):
            chapter()
            self._telling.rest()
        took = self._real.now() - self._real_began
        self._telling.rule()
        self._telling.say(
            f"{_span(self._ground.now() - self._began)} of a fleet, told in {took:.1f} s. "
            "Next: frota init by-environment, and there frota render . and frota up ."
        )

    # Chapters

    def _stages(self) -> None:
        self._telling.title(
            "One fleet, three Kubernetes clusters",
            "A team and its inference service are declared once, for dev, staging and prod "
            f"(frota init by-environment). {self._ground.words}.",
        )
        self._apply()
        waits = self._until(self._waits)
        self._must(waits and self._is("staging", Progress.DONE), "dev has it, then staging")
        self._must(not self._ground.serves("prod"), "prod has nothing yet: it waits for a person")
        self._show()

    def _approval(self) -> None:
        approved = self._hash()
        self._telling.title(
            "A person lets it into prod",
            f"$ frota rollout approve {FLEET} {approved}  (this content, these clusters, no other)",
        )
        self._approve()
        done = self._until(lambda: self._rollout().phase is Phase.COMPLETED)
        whole = done and all(self._ground.serves(name) for name in CLUSTERS)
        self._must(whole, "every cluster has it: Completed")
        self._show()

    def _drift(self) -> None:
        self._telling.title(
            "Somebody loosens a Pod Security label in prod",
            f"{STRANGER} sets the team's namespace to privileged, past Frota.",
        )
        at = self._ground.now()
        self._ground.loosen("prod")
        right = self._until(
            lambda: self._ground.enforced("prod") == "restricted" and bool(self._named()),
            _AT_ONCE_S,
        )
        took = self._ground.now() - at
        self._must(right, f"restricted again within {ceil(took)} s, and {STRANGER} is named")
        self._until(lambda: self._condition("prod", ConditionType.SYNCED) == "True", _SOON_S)
        self._show()

    def _silence(self) -> None:
        self._telling.title(
            "prod's API server dies, and a change is under way",
            "A new image is declared. Silence is no proof: prod is Unknown, then Unreachable.",
        )
        self._ground.kill("prod")
        self._service()["spec"]["runtime"]["image"] = _IMAGE
        self._apply()
        unknown = self._until(lambda: self._reachable() == "Unknown", _SOON_S)
        self._must(unknown, "first Unknown")
        self._until(lambda: self._reachable() == "False", _SOON_S)
        self._must(self._reachable() == "False", "then Unreachable")
        self._until(self._waits)
        staged = self._is("dev", Progress.DONE) and self._is("staging", Progress.DONE)
        self._must(staged, "dev and staging have the change; a person lets it into prod as well")
        self._approve()
        named = self._until(lambda: self._is("prod", Progress.UNREACHABLE), _SOON_S)
        self._must(named, f"the rollout names prod: {self._message('prod')}")
        self._must(self._rollout().phase is Phase.RUNNING, "and it is Running, not Completed")
        self._show()

    def _return(self) -> None:
        self._telling.title("prod's API server is back", "Nobody has to do anything.")
        early = self._completed()
        self._ground.revive("prod")
        done = self._until(lambda: self._rollout().phase is Phase.COMPLETED)
        self._must(done and not early, "prod gets the change; only now the rollout is Completed")
        self._show()

    def _explanation(self) -> None:
        self._telling.title(
            "Why was prod so late?", "$ frota explain cluster/prod  (its story of this rollout)"
        )
        cause = self._rollout().id
        told = chapters(self._store, FLEET, "Cluster/prod", (), _LINES_MOST, ("Fleet/",))
        lines = [line for one in told if one.cause_id == cause for line in one.lines]
        for line in _without_repeats(lines):
            self._telling.line(line, self._began)
        reasons = [line.reason for line in lines]
        whole = reasons[:1] == ["RolloutBegins"] and reasons[-1:] == ["RolloutCompleted"]
        self._must(whole and "Unreachable" in reasons, "one story, from its cause to its end")

    def _brake(self) -> None:
        self._telling.title(
            "Somebody deletes too much",
            "The service is deleted from the store. That takes away more objects at once than "
            "the fleet's brake allows.",
        )
        entry = self._store.get(_SERVICE, "chat")
        if entry is not None:
            self._store.commit([Write(_SERVICE, "chat", None, entry.revision)])
        self._until(lambda: self._held("dev") is not None, _SOON_S)
        held = self._held("dev")
        kept = held is not None and self._ground.serves("dev")
        count = held.count if held is not None else 0
        self._must(kept, f"{count} deletions are held in dev; the service is still there")
        self._show()
        if held is not None:
            self._telling.rest()
            self._let_go(held)

    def _let_go(self, held: HeldPrune) -> None:
        plan = held.approval.plan
        self._telling.title(
            "A person lets them go", f"$ frota approve dev {plan}  (these objects, no other)"
        )
        name = approval_name("dev", plan)
        self._store.commit([Write(PRUNE_APPROVAL, name, held.approval, None)])
        done = self._until(lambda: self._is("dev", Progress.DONE), _SOON_S)
        self._must(done and not self._ground.serves("dev"), "approved: they are gone from dev")
        self._must(self._ground.serves("prod"), "staging and prod keep it: each asks for itself")
        self._show()

    # Doing what people do

    def _apply(self) -> None:
        loaded = load([("demo.yaml", yaml.safe_dump_all(self._documents))])
        self._store.commit(
            [Write(item.kind, item.name, item.document, None) for item in loaded.resources]
        )

    def _service(self) -> dict[str, Any]:
        return next(item for item in self._documents if item["kind"] == _SERVICE)

    def _approve(self) -> None:
        """As ``frota rollout approve`` does; the controller may write meanwhile."""
        for _ in range(_TRIES):
            entry = self._store.get(ROLLOUT, FLEET)
            approved = self._hash()
            if entry is None or not approved:
                return
            fresh = replace(entry.value, approvals=(*entry.value.approvals, approved))
            try:
                self._store.commit([Write(ROLLOUT, FLEET, fresh, entry.revision)])
            except Conflict:
                continue
            return

    # How it stands

    def _rollout(self) -> Rollout:
        entry = self._store.get(ROLLOUT, FLEET)
        return entry.value if entry is not None else Rollout("", FLEET, "", 0, 0.0)

    def _hash(self) -> str:
        """What waits for a person; empty when nothing does."""
        rollout = self._rollout()
        return course(self._store, rollout, self._ground.now()).step.approve if rollout.id else ""

    def _waits(self) -> bool:
        """Whether the journal has said what waits for a person."""
        lines = self._store.journal(cause_id=self._rollout().id, last=_LINES_MOST)
        return any(line.reason == "WaitsForApproval" for line in lines) and bool(self._hash())

    def _message(self, cluster: str) -> str:
        parts = self._rollout().clusters
        return next((part.message for part in parts if part.cluster == cluster), "")

    def _is(self, cluster: str, state: Progress) -> bool:
        return any(
            part.state is state for part in self._rollout().clusters if part.cluster == cluster
        )

    def _status(self, cluster: str) -> ClusterStatus | None:
        entry = self._store.get(STATUS, cluster)
        return entry.value if entry is not None else None

    def _held(self, cluster: str) -> HeldPrune | None:
        status = self._status(cluster)
        return status.held if status is not None else None

    def _condition(self, cluster: str, kind: ConditionType) -> str:
        found = condition_of(self._status(cluster), kind)
        return found.status.value if found is not None else ""

    def _reachable(self) -> str:
        return self._condition("prod", ConditionType.REACHABLE)

    def _named(self) -> list[Decision]:
        lines = self._store.journal(subject="Cluster/prod", last=_LINES_MOST)
        return [one for one in lines if one.reason == "DriftCorrected" and STRANGER in one.message]

    def _completed(self) -> bool:
        """Whether the rollout of now was ever said to be over."""
        lines = self._store.journal(cause_id=self._rollout().id, last=_LINES_MOST)
        return any(line.reason == "RolloutCompleted" for line in lines)

    # Saying it

    def _until(self, reached: Callable[[], bool], most: float = _HOURS_S) -> bool:
        found = self._ground.until(reached, most)
        lines = self._store.journal(last=_LINES_MOST)
        for line in lines[self._told :]:
            if line.reason in _WORTH_TELLING:
                self._telling.line(line, self._began)
        self._told = len(lines)
        return found

    def _must(self, holds: bool, text: str) -> None:
        self._telling.must(holds, text)

    def _show(self) -> None:
        rollout = self._rollout()
        parts = {part.cluster: part.state.value for part in rollout.clusters}
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for head in ("CLUSTER", "ROLLOUT", *map(str.upper, CONDITIONS), "OBJECTS"):
            table.add_column(head, overflow="fold")
        clusters: list[dict[str, Any]] = []
        for name in CLUSTERS:
            status = self._status(name)
            raw = [asdict(one) for one in status.conditions] if status is not None else []
            words = [_words(one) for one in raw]
            state = parts.get(name, "-")
            settled = f"{status.settled}/{status.wanted}" if status is not None else "-"
            table.add_row(name, Text(state, style=style_of(state)), *words, settled)
            conditions = {one["type"]: f"{one['status']} {one['reason']}" for one in raw}
            clusters.append({"name": name, "progress": state, "conditions": conditions})
        self._telling.show({"rollout": rollout.phase.value, "clusters": clusters}, table)


def _words(condition: Mapping[str, Any]) -> Text:
    """A condition as ``frota get clusters`` shows it, in fewer words."""
    shown = cell(condition, 0.0)
    truth, *reason = shown.text.split()[:-1]  # the last is since when
    return Text(" ".join([truth, *(reason if truth != "Unknown" else ())]), style=shown.style)


def _without_repeats(lines: list[Decision]) -> list[Decision]:
    """A story without what is said twice in a row."""
    first = lines[:1]
    return first + [b for a, b in pairwise(lines) if (a.reason, a.message) != (b.reason, b.message)]


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds:.0f} s"

"""Each fault of item 8 while a change goes to three clusters at once: it is named in plain
words, it never counts as done, it holds up no other cluster, and what it left undone is done
once it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from copy import deepcopy
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from frota.cli.main import main
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.authority import write_private
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.shape import CONTROLLERS, Shape
from frota.model.clusterstatus import ConditionType
from frota.model.rollout import Phase, Progress
from tests.real.fleet import faults
from tests.real.fleet.delivery_stage import CHAT, Stage, example
from tests.real.fleet.stage import fleet_of_tests, require_fleet
from tests.real.fleet.webhook import MESSAGE, RejectingWebhook
from tests.waiting import until

pytestmark = [pytest.mark.fleet]

FAR, NEAR, CALM = MEMBERS = ("far", "near", "calm")  # CALM never has a fault
SPACE = "/api/v1/namespaces/language-inference"
MERGE = "application/merge-patch+json"


class Trial(Stage):
    """All three clusters in one wave. ``far`` is reached through a proxy with a token, the
    others as their administrators reach them."""

    def __init__(self, folder: Path, clusters: dict[str, Cluster]) -> None:
        super().__init__(folder, clusters)
        self._tokens = 4096
        self._more: list[dict[str, Any]] = []
        self._ending = ExitStack()

    def begin(self) -> None:
        """Everything is delivered once."""
        self.account = faults.Account(self.clusters[FAR], "frota")
        self.proxy, self._kubeconfig = self._ending.enter_context(
            faults.proxied(self.clusters[FAR], self.store.parent)
        )
        self.give_token(3600)
        self.start()
        self.change()
        self.well()

    def end(self) -> None:
        self._ending.close()
        self.stop()

    def give_token(self, lifetime_s: float) -> None:
        """What Frota reaches ``far`` with from now on."""
        made = self.account.kubeconfig(self.store.parent, lifetime_s)
        port = self.clusters[FAR].ports.api
        text = made.read_text("utf-8").replace(f":{port}", f":{self.proxy.port}")
        write_private(self._kubeconfig, text.encode())

    def revoke(self) -> None:
        """Until the API server knows that Frota may do nothing in ``far``."""
        self.account.revoke()
        anybody, token = self.clusters[FAR].anonymous(), self.account.token()
        path = "/api/v1/namespaces"
        until(lambda: anybody.call("GET", path, token=token).status == HTTPStatus.FORBIDDEN)

    def documents(self) -> list[dict[str, Any]]:
        found = example()
        fleet = next(item for item in found if item["kind"] == "Fleet")
        fleet["spec"]["environments"] = [
            {"name": "prod", "gates": {"soak": "0s", "healthy": False}}
        ]
        cluster = next(item for item in found if item["metadata"]["name"] == "prod")
        service = next(item for item in found if item["kind"] == "InferenceService")
        service["spec"]["runtime"]["args"] = [self.argument]
        service["spec"].pop("byEnvironment")
        kept = [item for item in found if item["kind"] != "Cluster"]
        for name in MEMBERS:
            kept.append(deepcopy(cluster))
            kept[-1]["metadata"]["name"] = name
            path = self._kubeconfig if name == FAR else self.clusters[name].kubeconfig
            kept[-1]["spec"] |= {"provider": "kubeconfig", "kubeconfig": {"path": str(path)}}
        return kept + self._more

    @property
    def argument(self) -> str:
        """What the change of now puts into the Deployment."""
        return f"--max-model-len={self._tokens}"

    def change(self, *more: dict[str, Any]) -> None:
        """Declare something else."""
        self._tokens += 1
        self._more += more
        before = self.generation()
        self.apply(self.documents())
        until(lambda: self.generation() > before, "a rollout")

    def has(self, cluster: str) -> bool:
        """Whether the cluster has the change of now."""
        found = self.api(cluster).call("GET", CHAT)
        return found.ok and self.argument in str(found.body["spec"])

    def output(self, *words: str) -> str:
        """What a command prints."""
        with redirect_stdout(StringIO()) as out:
            main(["--store", str(self.store), *words])
        return out.getvalue()

    def sees(self, cluster: str, *words: str) -> None:
        """What a person sees names the cluster and the cause. No other is held up, and the
        rollout is not over."""
        until(lambda: all(self.has(name) for name in MEMBERS if name != cluster), "the others")
        done = {name: Progress.DONE for name in MEMBERS if name != cluster}
        until(lambda: done.items() <= self.progress().items(), self.rollout)
        commands = [
            ("get", "clusters"),
            ("describe", "cluster", cluster),
            ("explain", f"cluster/{cluster}"),
            ("rollout", "status"),
        ]
        for command in commands:
            self._says(command, (cluster, *words))
        assert self.progress()[cluster] is not Progress.DONE
        assert self.phase() is Phase.RUNNING

    def _says(self, command: Sequence[str], words: Sequence[str]) -> None:
        def missing() -> list[str]:
            told = self.output(*command)
            return [word for word in words if word not in told]

        until(
            lambda: not missing(),
            lambda: f"{missing()} in {' '.join(command)}: {self.output(*command)}",
            15,
        )

    def well(self, seconds: float = 60.0) -> None:
        """Everything is everywhere, and nothing is wrong any longer."""
        until(lambda: all(self.has(name) for name in MEMBERS), "the change", seconds)
        until(lambda: self.phase() is Phase.COMPLETED, self.rollout, seconds)
        for name in MEMBERS:
            assert self.condition(name, ConditionType.REACHABLE) == "True Answers"
            assert self.condition(name, ConditionType.SYNCED) == "True AsDeclared"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Clusters of its own: what is delivered to them is no other test's business."""
    require_fleet()
    shape = Shape(optional=(CONTROLLERS,), nodes=0)
    with fleet_of_tests(len(MEMBERS), shape) as clusters:
        named = dict(zip(MEMBERS, clusters, strict=True))
        made = Trial(tmp_path_factory.mktemp("faults"), named)
        try:
            made.begin()
            yield made
        finally:
            made.end()


@pytest.fixture
def trial(running: Trial) -> Trial:
    """Everything is well when it begins."""
    running.proxy.well()
    running.account.allow()
    running.well()
    return running


def team(trial: Trial, name: str) -> dict[str, Any]:
    """A team of its own: a namespace and what belongs into it."""
    found = next(deepcopy(item) for item in trial.documents() if item["kind"] == "Team")
    found["metadata"]["name"] = name
    return found


def test_rights_that_are_revoked_in_the_middle_of_an_apply(trial: Trial) -> None:
    far = trial.api(FAR)
    trial.proxy.slow(0.3)
    trial.change(team(trial, "vision"))
    until(lambda: far.call("GET", "/api/v1/namespaces/vision-inference").ok, "a beginning")
    trial.proxy.mute()
    trial.revoke()
    trial.proxy.well()
    assert not trial.has(FAR)
    trial.sees(FAR, "forbidden", "cannot patch")
    trial.account.allow()
    trial.well()


def test_a_webhook_that_rejects(trial: Trial, tmp_path: Path) -> None:
    api = trial.api(NEAR)
    label = {"metadata": {"labels": {"frota-test/rejects": "true"}}}
    api.call("PATCH", SPACE, label, form=MERGE).demand()
    with RejectingWebhook(trial.clusters[NEAR], tmp_path, ("deployments",), ("apps",)):
        until(lambda: _rejects(api), "the webhook to be asked")
        trial.change()
        trial.sees(NEAR, "Deployment", "chat", MESSAGE)
        assert not trial.has(NEAR)
    trial.well()


def _rejects(api: Api) -> bool:
    labels = {"metadata": {"labels": {"test": "asked"}}}
    return api.call("PATCH", f"{CHAT}?dryRun=All", labels, form=MERGE).status == 403


def test_another_controller_that_fights_over_a_field(trial: Trial) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "language-inference",
            "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
        },
    }
    with faults.Rival(trial.clusters[NEAR], SPACE, theirs, "mallory") as rival:
        until(lambda: rival.has_won(6), "a fight")
        trial.change()
        trial.sees(NEAR, "Contested", "language-inference", "mallory")
        assert trial.has(NEAR)  # one object is fought over, all others are delivered
        until(lambda: not rival.has_won(30), "patience")
    trial.well()
    assert (
        trial.api(NEAR).get(SPACE)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )


def test_a_server_that_is_slow(trial: Trial) -> None:
    trial.proxy.slow(1.5)
    try:
        trial.change()
        trial.sees(FAR, "no answer in")
    finally:
        trial.proxy.well()
    trial.well()


def test_a_token_that_expired(trial: Trial) -> None:
    trial.give_token(-1)
    try:
        until(lambda: not trial.condition(FAR, ConditionType.SYNCED).startswith("True"), "a doubt")
        trial.change()
        trial.sees(FAR, "401")
    finally:
        trial.give_token(3600)
    trial.well()


def test_history_that_is_forgotten(trial: Trial) -> None:
    """Every watch ends in 410: all is listed again, and nothing is done twice or missed."""
    near = trial.clusters[NEAR]
    before = trial.api(NEAR).get(CHAT)["metadata"]["generation"]
    faults.forget_history(near)
    trial.change()
    trial.well()
    assert trial.api(NEAR).get(CHAT)["metadata"]["generation"] == before + 1


def test_a_storage_that_is_wiped(trial: Trial) -> None:
    faults.wipe(trial.clusters[NEAR])
    trial.change()
    trial.well()
    assert "lost its storage" in trial.output("explain", f"cluster/{NEAR}")

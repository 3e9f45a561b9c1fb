"""Each fault of the test fleet has the effect that tests of others rely on."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from frota.drivers.devfleet.addresses import LOOPBACK
from frota.drivers.devfleet.api import Api
from frota.drivers.devfleet.cluster import Cluster
from frota.drivers.devfleet.definitions import load
from tests.real.fleet import faults
from tests.real.fleet.webhook import MESSAGE, RejectingWebhook
from tests.waiting import until

pytestmark = [pytest.mark.fleet]
MAPS = "/api/v1/namespaces/{}/configmaps"


@pytest.fixture
def cluster(fleet: list[Cluster]) -> Cluster:
    return fleet[0]


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """A namespace of its own, in which the rejecting webhook is asked."""
    name = f"faults-{uuid4().hex[:8]}"
    meta = {"name": name, "labels": {"frota-test/rejects": "true"}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    cluster.api().call("POST", "/api/v1/namespaces", body).demand()
    yield name
    cluster.api().call("DELETE", f"/api/v1/namespaces/{name}")


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def version(api: Api) -> str:
    return str(api.get("/api/v1/namespaces?limit=1")["metadata"]["resourceVersion"])


def watch_from(cluster: Cluster, since: str) -> int:
    """The code of the first event of a watch that goes on from a version; 0 for none."""
    path = f"/api/v1/namespaces?watch=true&timeoutSeconds=1&resourceVersion={since}"
    answer = cluster.api().call("GET", path)
    found = answer.body if isinstance(answer.body, dict) else {}
    return int(found.get("object", {}).get("code", 0)) if answer.ok else answer.status


def test_three_clusters_each_with_its_own_authority(fleet: list[Cluster]) -> None:
    assert len({cluster.authority().certificate for cluster in fleet}) == 3
    for cluster in fleet:
        assert cluster.api().get("/version")["gitVersion"] == "v1.36.3"
        nodes = cluster.api().get("/api/v1/nodes")["items"]
        assert [node["status"]["allocatable"]["nvidia.com/gpu"] for node in nodes] == ["8", "8"]
    stranger = Api(
        fleet[0].ports.api,
        fleet[1].layout.pki("ca.crt"),
        fleet[1].layout.pki("admin.crt"),
        fleet[1].layout.pki("admin.key"),
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.get("/version")


def test_pods_run_where_there_are_gpus_and_nowhere_else(cluster: Cluster, space: str) -> None:
    """17 pods of one GPU, 16 GPUs: the real scheduler leaves one waiting."""
    pods = f"/api/v1/namespaces/{space}/pods"
    room = {"limits": {"nvidia.com/gpu": "1"}}
    spec = {
        "replicas": 17,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "a", "resources": room}]},
        },
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}
    cluster.api().call("POST", f"/apis/apps/v1/namespaces/{space}/deployments", body).demand()

    def phases() -> list[str]:
        return sorted(pod["status"]["phase"] for pod in cluster.api().get(pods)["items"])

    until(lambda: phases() == ["Pending", *["Running"] * 16], "16 pods to run")


def test_a_deleted_namespace_goes(cluster: Cluster) -> None:
    path = "/api/v1/namespaces/short-lived"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}}
    cluster.api().call("POST", "/api/v1/namespaces", body).demand()
    cluster.api().call("DELETE", path).demand()
    until(lambda: cluster.api().call("GET", path).status == 404, "the namespace to go")


def test_a_killed_api_server_comes_back_with_everything(cluster: Cluster, space: str) -> None:
    path = f"{MAPS.format(space)}/kept"
    cluster.api().apply(path, config_map("kept", a="1"), "tests").demand()
    faults.kill(cluster)
    assert not cluster.ready()
    with pytest.raises(ConnectionRefusedError):
        cluster.api().get("/version")
    faults.revive(cluster)
    assert cluster.api().get(path)["data"] == {"a": "1"}


def test_a_frozen_api_server_hangs(cluster: Cluster) -> None:
    with faults.frozen(cluster), pytest.raises(TimeoutError):
        cluster.api().call("GET", "/version", timeout=0.5)
    assert cluster.api().get("/version")


def test_a_wiped_cluster_begins_again(cluster: Cluster, space: str) -> None:
    identity = "/api/v1/namespaces/kube-system"
    before = cluster.api().get(identity)["metadata"]["uid"]
    faults.wipe(cluster)
    assert cluster.api().call("GET", f"/api/v1/namespaces/{space}").status == 404
    assert cluster.api().get(identity)["metadata"]["uid"] != before


def test_forgotten_history_ends_watches_in_410(cluster: Cluster) -> None:
    since = version(cluster.api())
    assert watch_from(cluster, since) == 0
    faults.forget_history(cluster)
    assert watch_from(cluster, since) == 410


def test_compaction_ends_lists_in_410(cluster: Cluster) -> None:
    first = cluster.api().get("/api/v1/namespaces?limit=1")
    rest = f"/api/v1/namespaces?limit=1&continue={first['metadata']['continue']}"
    assert cluster.api().call("GET", rest).ok
    faults.forget_history(cluster)
    assert cluster.api().call("GET", rest).status == 410


def test_a_proxy_makes_a_server_slow_mute_and_gone(cluster: Cluster, tmp_path: Path) -> None:
    with faults.proxied(cluster, tmp_path) as (proxy, kubeconfig):
        assert f":{proxy.port}" in kubeconfig.read_text()
        pki = cluster.layout.pki
        api = Api(proxy.port, pki("ca.crt"), pki("admin.crt"), pki("admin.key"))
        assert api.get("/version")
        proxy.slow(0.3)
        begun = time.monotonic()
        assert api.get("/version")
        assert time.monotonic() - begun > 0.6
        proxy.mute()
        with pytest.raises(TimeoutError):
            api.call("GET", "/version", timeout=0.5)
        proxy.gone()
        with pytest.raises(OSError, match=r".*"):
            api.get("/version")
        proxy.well()
        assert api.get("/version")


def test_cutting_ends_open_connections(cluster: Cluster, tmp_path: Path) -> None:
    with faults.proxied(cluster, tmp_path) as (proxy, _):
        pki = cluster.layout.pki
        tls = ssl.create_default_context(cafile=str(pki("ca.crt")))
        tls.load_cert_chain(pki("admin.crt"), pki("admin.key"))
        line = http.client.HTTPSConnection(LOOPBACK, proxy.port, timeout=10, context=tls)
        line.request("GET", "/version")
        assert line.getresponse().read()
        line.request("GET", "/api/v1/namespaces?watch=true")
        watching = line.getresponse()
        proxy.cut()
        with pytest.raises((OSError, http.client.HTTPException)):
            watching.read()
        line.close()


def test_a_token_expires(cluster: Cluster, tmp_path: Path) -> None:
    account = faults.Account(cluster, "expiring")
    try:
        api = cluster.anonymous()
        path = "/api/v1/namespaces"
        assert api.call("GET", path, token=account.token()).ok
        assert api.call("GET", path, token=account.token(-1)).status == 401
        assert '"token": "' in account.kubeconfig(tmp_path).read_text()
        short = account.token(2)
        assert api.call("GET", path, token=short).ok
        until(lambda: api.call("GET", path, token=short).status == 401, "the token to expire")
    finally:
        account.remove()


def test_rights_are_revoked_and_given_back(cluster: Cluster, space: str) -> None:
    account = faults.Account(cluster, "revoked", space)
    api, token = cluster.anonymous(), account.token()

    def status() -> int:
        return api.call("GET", "/api/v1/namespaces", token=token).status

    try:
        until(lambda: status() == 200, "the right to be known", 5.0)
        account.revoke()
        until(lambda: status() == 403, "the right to be gone", 5.0)
        account.allow()
        until(lambda: status() == 200, "the right to be back", 5.0)
    finally:
        account.remove()


def test_a_webhook_rejects(cluster: Cluster, space: str, tmp_path: Path) -> None:
    api, path = cluster.api(), f"{MAPS.format(space)}/refused"

    def refused() -> bool:
        answer = api.apply(path, config_map("refused", a="1"), "tests")
        return answer.status == 403 and MESSAGE in answer.body["message"]

    with RejectingWebhook(cluster, tmp_path) as webhook:
        until(refused, "the webhook to be asked")
        assert "CREATE refused" in webhook.asked
        elsewhere = f"{MAPS.format('default')}/accepted"
        assert api.apply(elsewhere, config_map("accepted"), "tests").ok
        api.call("DELETE", elsewhere)
    until(lambda: not refused(), "the webhook to be gone")


def test_a_rival_takes_its_field_back(cluster: Cluster, space: str) -> None:
    api, path = cluster.api(), f"{MAPS.format(space)}/fought-over"
    api.apply(path, config_map("fought-over", a="ours", b="ours"), "tests").demand()
    with faults.Rival(cluster, path, config_map("fought-over", a="theirs"), "rival") as rival:
        for wins in (1, 2, 3):
            until(partial(rival.has_won, wins), "the rival to win")
            conflict = api.apply(path, config_map("fought-over", a="ours", b="ours"), "tests")
            assert conflict.status == 409
            assert '"rival"' in conflict.body["message"]
            ours = config_map("fought-over", a="ours", b="ours")
            api.apply(path, ours, "tests", force=True).demand()


def test_definitions_are_loaded_and_served(cluster: Cluster) -> None:
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    served = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.frota.test"},
        "spec": {
            "group": "frota.test",
            "names": names,
            "scope": "Namespaced",
            "versions": [served],
        },
    }
    load(cluster.api(), [definition])
    load(cluster.api(), [definition])
    assert cluster.api().get("/apis/frota.test/v1/gadgets")["items"] == []

"""What the driver shows of a cluster that lists and watches, well or badly."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from frota.model.delivery import WatchedKind
from tests.kubernetes.apiserver import MEMBER, ApiServer, status
from tests.kubernetes.conftest import Fleet

SELECT = "labelSelector"
DEPLOYMENTS = WatchedKind("apps", "v1", "Deployment")


def test_it_lists_in_pages_and_then_watches(server: ApiServer, fleet: Fleet) -> None:
    for number in range(1200):
        server.put("configmaps", "d", f"m{number}", data={"n": str(number)})
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    assert len(fleet.view.objects) == 1200
    assert fleet.view.answers
    assert fleet.view.version == "v1.36.3"
    assert not fleet.view.error
    lists = [query for _, path, query in server.requests if query.keys() >= {"limit", SELECT}]
    assert [query.get("continue") for query in lists] == [None, "500", "1000"]
    assert all(query[SELECT] == next(iter(MEMBER)) for query in lists)
    serial = fleet.view.serial
    server.put("configmaps", "d", "new")
    fleet.until(lambda: "new" in fleet.names)
    server.remove("configmaps", "d", "m7")
    fleet.until(lambda: "m7" not in fleet.names)
    assert fleet.view.serial > serial
    assert set(fleet.wakes) == {"c"}


def test_alike_objects_share_what_says_who_owns_their_fields(
    server: ApiServer, fleet: Fleet
) -> None:
    owned = {"manager": "frota", "fieldsV1": {"f:data": {"f:n": {}}}}
    for number in range(3):
        server.put("configmaps", "d", f"m{number}", managed=[owned], data={"n": str(number)})
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    server.put("configmaps", "d", "later", managed=[owned], data={"n": "4"})
    fleet.until(lambda: "later" in fleet.names)
    trees = [
        item["metadata"]["managedFields"][0]["fieldsV1"] for item in fleet.view.objects.values()
    ]
    assert trees == [owned["fieldsV1"]] * 4
    assert len({id(tree) for tree in trees}) == 1


def test_looking_once_lists_and_does_not_watch(server: ApiServer) -> None:
    server.put("configmaps", "d", "m1")
    fleet = Fleet(follows=False)
    try:
        fleet.attach(server)
        fleet.until(lambda: fleet.view.complete)
        server.kill()
        fleet.until(lambda: not fleet.view.answers)
        server.put("configmaps", "d", "m2")
        server.start()
        fleet.until(lambda: fleet.view.complete)  # what was away is listed once more
        assert fleet.names == {"m1", "m2"}
    finally:
        fleet.port.close()
    assert not [query for _, _, query in server.requests if "watch" in query]


def test_a_line_may_be_huge_and_come_in_bits(server: ApiServer, fleet: Fleet) -> None:
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    big = "x" * (1536 * 1024)
    server.put("configmaps", "d", "big", data={"big": big})
    fleet.until(lambda: "big" in fleet.names)
    (item,) = fleet.view.objects.values()
    assert item["data"]["big"] == big


def test_half_a_line_is_read_again(server: ApiServer, fleet: Fleet) -> None:
    cut = 0

    async def twist(request: web.Request) -> web.StreamResponse | None:
        nonlocal cut
        if not request.query.get("watch") or cut >= 2:
            return None
        cut += 1
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b'{"type":"ADDED","object":{"metadata":{"name":"half"')
        assert request.transport is not None
        request.transport.abort()
        return answer

    server.twist = twist
    fleet.attach(server)
    server.put("configmaps", "d", "whole")
    fleet.until(lambda: cut == 2 and fleet.names == {"whole"} and fleet.view.complete)


def test_after_a_410_deletes_are_seen_and_nothing_else_goes(
    server: ApiServer, fleet: Fleet
) -> None:
    server.put("configmaps", "d", "stays")
    server.put("configmaps", "d", "goes")
    fleet.attach(server)
    fleet.until(lambda: fleet.names == {"stays", "goes"})
    seen: list[frozenset[str]] = []
    fleet.port.on_change(lambda _: seen.append(frozenset(fleet.names)))
    server.bookmark_s = 30
    server.kill()
    server.remove("configmaps", "d", "goes")
    server.compact()
    server.start()
    fleet.until(lambda: fleet.names == {"stays"} and fleet.view.complete)
    assert all("stays" in names for names in seen)


def test_an_expired_list_begins_anew(server: ApiServer, fleet: Fleet) -> None:
    for number in range(700):
        server.put("configmaps", "d", f"m{number}")
    expired = 0

    async def twist(request: web.Request) -> web.StreamResponse | None:
        nonlocal expired
        if request.query.get("continue") and not expired:
            expired += 1
            return status(410, "Expired", "the provided continue parameter is too old")
        return None

    server.twist = twist
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    assert expired == 1
    assert len(fleet.view.objects) == 700


def test_nonsense_is_shown_and_survived(server: ApiServer, fleet: Fleet) -> None:
    answers = [b"{", b"[]", b"[" * 100_000, b'{"items":[{"metadata":{}}]}', b"\xff\xfe"]

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.query.keys() >= {"limit", SELECT} and answers:
            return web.Response(body=answers.pop(), content_type="application/json")
        return None

    server.twist = twist
    server.put("configmaps", "d", "one")
    fleet.attach(server)
    fleet.until(lambda: fleet.names == {"one"} and fleet.view.complete)
    assert not answers


def test_an_absent_kind_is_said_and_does_not_stand_in_the_way(
    server: ApiServer, fleet: Fleet
) -> None:
    server.absent.add("deployments")
    server.put("configmaps", "d", "one")
    fleet.attach(server, WatchedKind("", "v1", "ConfigMap"), DEPLOYMENTS)
    fleet.until(lambda: fleet.view.complete)
    assert fleet.view.absent == {DEPLOYMENTS}
    assert fleet.names == {"one"}


def test_what_may_not_be_read_is_said(server: ApiServer, fleet: Fleet) -> None:
    allowed = False

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.query.keys() >= {"limit", SELECT} and not allowed:
            return status(403, "Forbidden", 'configmaps is forbidden: User "frota" cannot list')
        return None

    server.twist = twist
    fleet.attach(server)
    fleet.until(lambda: "cannot watch ConfigMap: Forbidden" in fleet.view.error)
    assert fleet.view.answers
    assert not fleet.view.complete
    allowed = True
    fleet.until(lambda: fleet.view.complete)
    assert not fleet.view.error


def test_a_killed_server_is_missed_at_once_and_soon_back(server: ApiServer, fleet: Fleet) -> None:
    server.put("configmaps", "d", "one")
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    server.kill()
    fleet.until(lambda: not fleet.view.answers, within=3)
    assert not fleet.view.complete
    assert fleet.names == {"one"}
    assert "cannot connect" in fleet.view.error
    server.start()
    fleet.until(lambda: fleet.view.answers and fleet.view.complete, within=2)


def test_a_server_that_hangs_is_missed(server: ApiServer, fleet: Fleet) -> None:
    hangs = False

    async def twist(request: web.Request) -> web.StreamResponse | None:
        while hangs:
            await asyncio.sleep(0.05)
        return None

    server.bookmark_s = 30
    server.twist = twist
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    seen = fleet.view.last_seen
    hangs = True
    fleet.until(lambda: not fleet.view.answers, within=3)
    assert fleet.view.last_seen >= seen
    hangs = False
    fleet.until(lambda: fleet.view.answers and fleet.view.complete, within=2)


def test_another_cluster_behind_the_same_address(server: ApiServer, fleet: Fleet) -> None:
    for name in ("one", "two"):
        server.put("configmaps", "d", name)
    server.bookmark_s = 30
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)
    server.kill()
    server.wipe()
    server.start()
    server.put("configmaps", "d", "two")
    fleet.until(lambda: fleet.names == {"two"} and fleet.view.complete)


def test_kinds_may_come_and_go(server: ApiServer, fleet: Fleet) -> None:
    server.put("configmaps", "d", "map")
    server.put("deployments", "d", "deployment")
    fleet.attach(server)
    fleet.until(lambda: fleet.names == {"map"})
    fleet.attach(server, DEPLOYMENTS)
    fleet.until(lambda: fleet.names == {"deployment"} and fleet.view.complete)
    fleet.port.detach("c")
    fleet.until(lambda: fleet.view.error == "not watched")


def test_a_line_without_end_is_given_up(server: ApiServer, fleet: Fleet) -> None:
    """Nothing of it is held beyond its bound."""

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if not request.query.get("watch"):
            return None
        answer = web.StreamResponse()
        await answer.prepare(request)
        block = json.dumps("x" * (1024 * 1024)).encode()
        for _ in range(20):
            await answer.write(block)
            await asyncio.sleep(0)
        return answer

    server.twist = twist
    fleet.attach(server)
    fleet.until(lambda: "a line of more than" in fleet.view.error, within=20)
    assert fleet.view.answers


def test_namespaces_with_claims_are_known_whoever_made_them(
    server: ApiServer, fleet: Fleet
) -> None:
    server.put("persistentvolumeclaims", "kept", "data")
    fleet.attach(server)
    assert fleet.view.claimed is None
    fleet.until(lambda: fleet.view.claimed == frozenset({"kept"}))
    assert not fleet.view.objects
    server.put("persistentvolumeclaims", "more", "data")
    fleet.until(lambda: fleet.view.claimed == frozenset({"kept", "more"}))
    server.kill()
    fleet.until(lambda: fleet.view.claimed is None)

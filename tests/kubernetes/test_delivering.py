"""What becomes of changes when the server or the way to it is bad. What applies mean is
tested on real API servers, by the contract."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from frota.model.delivery import Change, Delivery, DeliveryOutcome, Verdict
from frota.model.objects import ObjectKey, key_of
from tests.kubernetes.apiserver import MEMBER, ApiServer, Twist, status
from tests.kubernetes.conftest import Fleet


def config_map(name: str, **more: Any) -> Change:
    metadata = {"name": name, "namespace": "d", "labels": MEMBER}
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"n": name}}
    return Change(key_of(item), item, **more)


def order(fleet: Fleet, *batches: list[Change], name: str = "d1", dry_run: bool = False) -> None:
    given = tuple(tuple(batch) for batch in batches)
    fleet.port.order(Delivery(name, "c", given, dry_run))


def end(fleet: Fleet, name: str = "d1", within: float = 20.0) -> DeliveryOutcome:
    def found() -> list[DeliveryOutcome]:
        return [outcome for outcome in fleet.port.outcomes() if outcome.delivery == name]

    fleet.until(lambda: bool(found()), within)
    return found()[0]


def ready(server: ApiServer, fleet: Fleet) -> None:
    fleet.attach(server)
    fleet.until(lambda: fleet.view.complete)


def answering(*answers: web.StreamResponse | None) -> Twist:
    """These to the first applies; None: as always."""
    left = list(answers)

    async def twist(request: web.Request) -> web.StreamResponse | None:
        return left.pop(0) if request.method in ("PATCH", "DELETE") and left else None

    return twist


def test_applied_unchanged_and_deleted(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    for name, verdict in (("1", Verdict.APPLIED), ("2", Verdict.UNCHANGED)):
        order(fleet, [config_map("a")], name=name)
        assert end(fleet, name).results[0].verdict is verdict
    query = next(query for method, _, query in server.requests if method == "PATCH")
    assert query == {"fieldManager": "frota", "fieldValidation": "Strict"}
    order(fleet, [config_map("b", take_over=True)], name="3", dry_run=True)
    assert end(fleet, "3").results[0].verdict is Verdict.APPLIED
    query = [query for method, _, query in server.requests if method == "PATCH"][-1]
    assert query == {**query, "force": "true", "dryRun": "All"}
    assert ("configmaps", "d", "b") not in server.objects
    order(fleet, [Change(config_map("a").key, None)], name="4")
    assert end(fleet, "4").results[0].verdict is Verdict.DELETED
    assert not server.objects


def test_one_that_is_told_to_wait_waits(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    slow = status(429, "TooManyRequests")
    slow.headers["Retry-After"] = "1"
    server.twist = answering(slow, status(503, "ServiceUnavailable"), status(500, "InternalError"))
    order(fleet, [config_map("a")])
    outcome = end(fleet)
    assert outcome.results[0].verdict is Verdict.APPLIED
    assert server.paced("PATCH")[1] >= 1.0


def test_tries_are_bounded(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    server.twist = answering(*[status(500, "InternalError", "webhook is down") for _ in range(20)])
    order(fleet, [config_map("a")], [config_map("b")])
    outcome = end(fleet)
    assert [result.verdict for result in outcome.results] == [Verdict.FAILED, Verdict.SKIPPED]
    assert outcome.results[0].message == "webhook is down"
    assert len(server.paced("PATCH")) == 5


def test_refusals_are_not_tried_again(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    cases = [
        (status(422, "Invalid", "spec.replicas: Invalid value: -1"), Verdict.REFUSED),
        (status(403, "Forbidden", "admission webhook denied: no"), Verdict.REFUSED),
        (status(400, "BadRequest", 'unknown field "spec.x"'), Verdict.REFUSED),
        (status(404, "NotFound", 'namespaces "d" not found'), Verdict.FAILED),
    ]
    for number, (answer, verdict) in enumerate(cases):
        server.twist = answering(answer)
        order(fleet, [config_map("a")], name=str(number))
        assert end(fleet, str(number)).results[0].verdict is verdict
    assert len(server.paced("PATCH")) == len(cases)


def test_a_conflict_names_managers_and_fields(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
            "field": ".spec.replicas",
        },
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "hpa" with subresource "scale" using apps/v1',
            "field": '.spec.template.spec.containers[name="main"].image',
        },
    ]
    server.twist = answering(
        status(409, "Conflict", "Apply failed with 2 conflicts", causes=causes)
    )
    order(fleet, [config_map("a")])
    (result,) = end(fleet).results
    assert result.verdict is Verdict.CONFLICT
    assert result.managers == (
        ("kubectl-client-side-apply", ".spec.replicas"),
        ("hpa", '.spec.template.spec.containers[name="main"].image'),
    )


def test_a_lost_answer_is_asked_for_again(server: ApiServer, fleet: Fleet) -> None:
    """The first request was carried out; its answer never came."""
    ready(server, fleet)
    lost = 0

    async def twist(request: web.Request) -> web.StreamResponse | None:
        nonlocal lost
        if request.method == "PATCH" and not lost:
            lost += 1
            server.twist = None
            await server._answer(request)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return None

    server.twist = twist
    order(fleet, [config_map("a")])
    assert end(fleet).results[0].verdict in (Verdict.APPLIED, Verdict.UNCHANGED)
    assert lost == 1


def test_what_was_under_way_when_the_server_died_is_unknown(
    server: ApiServer, fleet: Fleet
) -> None:
    ready(server, fleet)

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.method == "PATCH":
            await asyncio.sleep(30)
        return None

    server.twist = twist
    order(fleet, [config_map(f"m{number}") for number in range(40)], [config_map("last")])
    fleet.until(lambda: len(server.paced("PATCH")) == 16)
    server.kill()
    verdicts = [result.verdict for result in end(fleet, within=5).results]
    assert verdicts[:16] == [Verdict.UNKNOWN] * 16
    assert set(verdicts[16:40]) <= {Verdict.FAILED, Verdict.UNKNOWN}
    assert verdicts[40] is Verdict.SKIPPED


def test_a_kind_that_comes_late_is_waited_for(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    server.absent.add("deployments")
    metadata = {"name": "a", "namespace": "d", "labels": MEMBER}
    item = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    order(fleet, [Change(key_of(item), item)])
    fleet.until(lambda: any(path == "/apis/apps/v1" for _, path, _ in server.requests))
    server.absent.clear()
    assert end(fleet).results[0].verdict is Verdict.APPLIED
    server.absent.add("deployments")
    nothing = ObjectKey("nobody.example", "Nothing", "d", "a")
    order(fleet, [Change(nothing, None)], name="2")
    assert end(fleet, "2").results[0].verdict is Verdict.DELETED


def test_scope_is_checked(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "d"}}
    dots = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ".."}}
    order(fleet, [Change(key_of(one), one) for one in (item, space, dots)])
    assert {result.verdict for result in end(fleet).results} == {Verdict.REFUSED}
    assert not server.paced("PATCH")


def test_a_small_delivery_overtakes_a_backlog(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.method == "PATCH":
            await asyncio.sleep(0.02)
        return None

    server.twist = twist
    order(fleet, [config_map(f"m{number}") for number in range(2000)], name="backlog")
    fleet.until(lambda: len(server.paced("PATCH")) > 50)
    order(fleet, [config_map("fresh")], name="fresh")
    end(fleet, "fresh", within=1)
    assert not [one for one in fleet.port.outcomes() if one.delivery == "backlog"]
    fleet.port.cancel("backlog")
    verdicts = {result.verdict for result in end(fleet, "backlog").results}
    assert verdicts == {Verdict.APPLIED, Verdict.SKIPPED}


def test_never_more_than_so_many_at_once(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)
    now = most = 0

    async def twist(request: web.Request) -> web.StreamResponse | None:
        nonlocal now, most
        if request.method == "PATCH":
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1
        return None

    server.twist = twist
    order(fleet, [config_map(f"m{number}") for number in range(200)])
    end(fleet)
    assert most == 16


def test_detaching_ends_deliveries(server: ApiServer, fleet: Fleet) -> None:
    ready(server, fleet)

    async def twist(request: web.Request) -> web.StreamResponse | None:
        if request.method == "PATCH":
            await asyncio.sleep(30)
        return None

    server.twist = twist
    order(fleet, [config_map(f"m{number}") for number in range(20)])
    fleet.until(lambda: len(server.paced("PATCH")) == 16)
    fleet.port.detach("c")
    verdicts = [result.verdict for result in end(fleet).results]
    assert verdicts == [Verdict.UNKNOWN] * 16 + [Verdict.SKIPPED] * 4


def test_what_it_wrote_itself_is_told_seldom_and_what_others_write_at_once(
    server: ApiServer, fleet: Fleet
) -> None:
    ready(server, fleet)

    async def last_waits(request: web.Request) -> None:
        if request.path.endswith("/last"):
            await asyncio.sleep(3.0)

    server.twist = last_waits
    fleet.wakes.clear()
    order(fleet, [config_map(str(number)) for number in range(60)], [config_map("last")])
    fleet.until(lambda: len(fleet.names) == 60, 2.0)  # seen all the same
    assert len(fleet.wakes) <= 1
    before = len(fleet.wakes)
    server.put("configmaps", "d", "59", data={"n": "by another"})
    fleet.until(lambda: len(fleet.wakes) > before, 0.5)
    outcome = end(fleet)
    assert {result.verdict for result in outcome.results} == {Verdict.APPLIED}
    assert len(fleet.wakes) < 10

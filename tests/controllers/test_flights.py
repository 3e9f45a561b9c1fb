"""What is on its way to a cluster is not sent again; what is there, or is not, is no secret."""

from __future__ import annotations

from frota.controllers.flights import Flights
from frota.model.delivery import (
    Change,
    ChangeResult,
    ClusterView,
    Delivery,
    DeliveryOutcome,
    Verdict,
)
from frota.model.deliveryplan import DeliveryPlan
from frota.model.objects import Object, ObjectKey
from frota.planners.delivery import APPLIED

KEY = ObjectKey("", "ConfigMap", "team", "one")
PLAN = DeliveryPlan("member")


def shown(digest: str, revision: str) -> Object:
    metadata = {"name": "one", "annotations": {APPLIED: digest}, "resourceVersion": revision}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def view(item: Object | None = None) -> ClusterView:
    objects = {} if item is None else {KEY: item}
    return ClusterView("member", answers=True, last_seen=0.0, complete=True, objects=objects)


def change(digest: str) -> Change:
    return Change(KEY, shown(digest, ""))


def sent(flights: Flights, before: ClusterView, digest: str = "new") -> None:
    flights.begin(Delivery("d", "member", ((change(digest),),)), PLAN, before)


def ended(verdict: Verdict) -> DeliveryOutcome:
    return DeliveryOutcome("d", "member", (ChangeResult(KEY, verdict),))


def test_what_is_under_way_is_not_sent_again() -> None:
    flights, before = Flights(), view(shown("old", "5"))
    assert flights.lacks(change("new"), before)
    sent(flights, before)
    assert list(flights) == ["d"]
    assert not flights.lacks(change("new"), before)
    assert not flights.lacks(change("newer"), before), "its turn comes when this one is made"
    assert flights.lacks(change("newer"), view(shown("new", "6")))


def test_an_answer_may_come_before_the_news_of_what_it_did() -> None:
    flights, before = Flights(), view()
    sent(flights, before)
    assert flights.end(ended(Verdict.APPLIED), now=10.0) is PLAN
    flights.look(before, 10.0)
    assert not flights
    assert not flights.lacks(change("new"), before)
    assert flights.news_by == 11.0
    flights.look(view(shown("new", "7")), 10.1)
    assert flights.lacks(change("newer"), view(shown("new", "7")))


def test_news_that_never_comes_is_not_waited_for() -> None:
    flights, before = Flights(), view(shown("old", "5"))
    sent(flights, before)
    flights.end(ended(Verdict.APPLIED), now=10.0)
    flights.look(before, 11.0)
    assert flights.lacks(change("new"), before), "somebody deleted it, or the watch is mute"


def test_what_was_not_made_is_sent_again_at_once() -> None:
    for verdict in (Verdict.FAILED, Verdict.UNKNOWN, Verdict.UNCHANGED, Verdict.SKIPPED):
        flights, before = Flights(), view()
        sent(flights, before)
        flights.end(ended(verdict), now=10.0)
        assert flights.lacks(change("new"), before), verdict


def test_a_deletion_is_seen_when_the_object_is_gone_or_ending() -> None:
    for after in (view(), view(shown("old", "6"))):
        flights, before = Flights(), view(shown("old", "5"))
        flights.begin(Delivery("d", "member", ((Change(KEY, None),),)), PLAN, before)
        flights.end(ended(Verdict.DELETED), now=10.0)
        flights.look(before, 10.1)
        assert not flights.lacks(Change(KEY, None), before)
        flights.look(after, 10.2)
        assert flights.lacks(Change(KEY, None), after)


def test_the_delivery_of_another_process_is_no_concern() -> None:
    assert Flights().end(ended(Verdict.APPLIED), now=10.0) is None

"""Conditions: said once when they begin and when they end, on record in between."""

from __future__ import annotations

from frota.controllers.draft import Draft
from frota.model.condition import Condition
from frota.model.decision import Stage


def raise_condition(draft: Draft, found: Condition) -> None:
    """Have a condition on record. One that was there keeps its beginning and its story,
    unless it is about another plan."""
    old = draft.conditions.get(found.name)
    if old is not None and old.plan == found.plan:
        if old.message != found.message:
            kept = Condition(
                old.subject, old.type, found.message, old.since, old.cause_id, old.plan
            )
            draft.conditions[found.name] = kept
        return
    draft.conditions[found.name] = found
    draft.story.tell(Stage.DECISION, found.cause_id, found.subject, found.type, found.message)


def clear_condition(draft: Draft, subject: str, type_: str) -> None:
    """Have a condition on record no longer; nothing happens if it is not there."""
    old = draft.conditions.pop(f"{subject}/{type_}", None)
    if old is not None:
        text = f"{type_} is over"
        draft.story.tell(Stage.OUTCOME, old.cause_id, subject, "Cleared", text)

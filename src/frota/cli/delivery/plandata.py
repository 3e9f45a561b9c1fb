"""What would change in clusters, as data for programs."""

from __future__ import annotations

import json
from typing import Any

from frota.cli.delivery.foresight import FleetForesight
from frota.cli.delivery.looking import Look
from frota.cli.delivery.planview import Looks, after_of, counted, fields_of
from frota.cli.delivery.progress import groups
from frota.model.deliveryplan import Item
from frota.planners.delivery.recorded import plain


def data(sight: FleetForesight, looks: Looks, *, full: bool) -> dict[str, Any]:
    """One fleet for programs."""
    rollout = sight.course.rollout
    return {
        "fleet": sight.fleet,
        "rollout": {"id": rollout.id, "begins": sight.begins, "generation": rollout.generation},
        "waves": [
            {"name": name, "clusters": [part.cluster for part in parts]}
            for name, parts in groups(sight.course)
        ],
        "clusters": [_cluster(looks[target.cluster], full=full) for target in sight.targets],
    }


def _cluster(look: Look, *, full: bool) -> dict[str, Any]:
    target, plan = look.target, look.plan
    held = plan.held if plan is not None else None
    return {
        "cluster": target.cluster,
        "wave": target.wave,
        "looked": plan is not None and not plan.waits and not look.basis,
        "basis": look.basis,
        "error": look.error or (plan.waits if plan is not None else ""),
        "beyond": target.beyond,
        "version": look.version,
        "wanted": len(target.wanted.objects),
        "settled": len(plan.settled) if plan is not None else 0,
        "counts": counted(look),
        "objects": [
            _object(item, look, full=full) for item in (plan.items if plan is not None else ())
        ],
        "held": {
            "plan": held.plan,
            "count": len(held.keys),
            "objects": [str(key) for key in held.keys],
            "reasons": list(held.reasons),
        }
        if held is not None
        else None,
    }


def _object(item: Item, look: Look, *, full: bool) -> dict[str, Any]:
    result = look.results.get(item.key)
    shown: dict[str, Any] = {
        "object": item.key._asdict(),
        "action": item.action.value,
        "reason": item.reason,
        "message": item.message,
        "drifted": item.drifted,
        "asked": result is not None,
        "verdict": result.verdict.value if result is not None else "",
        "said": result.message if result is not None else "",
        "managers": [list(pair) for pair in result.managers] if result is not None else [],
        "fields": [
            {
                "path": diff.path,
                "found": _json(diff.found),
                "wanted": _json(diff.wanted),
                "manager": diff.manager,
                "at": diff.at,
            }
            for diff in fields_of(item, look)
        ],
    }
    if full and item.change is not None:
        live, after = look.live.get(item.key), after_of(result) or item.change.desired
        shown["before"] = _json(plain(live)) if live is not None else None
        shown["after"] = _json(plain(after)) if after is not None else None
    return shown


def _json(value: Any) -> Any:
    """Plain lists and mappings, whatever the driver made the object of."""
    if value is None or isinstance(value, str | int):
        return value
    return json.loads(json.dumps(value, default=dict))

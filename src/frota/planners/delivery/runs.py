"""Jobs that are written once: when they ended, and how long they are kept after that.

Kubernetes' own ``ttlSecondsAfterFinished`` would delete a job behind Frota's back, which then
looks like one that never ran, and would run again. So Frota deletes it, and remembers.
"""

from __future__ import annotations

import re
from calendar import timegm
from math import inf

from frota.compile.kubernetes.labels import TTL_AFTER_FINISHED
from frota.model.objects import Object
from frota.planners.delivery.wanted import annotations_of

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z")  # as Kubernetes has it
TIME_OVER = "TimeOver"  # the reason for deleting one that ended long enough ago
_ENDS = frozenset({"Complete", "Completed", "Failed"})  # of Jobs, of JobSets, of both


def kept_until(wanted: Object, live: Object) -> float:
    """When a job is to be deleted, in seconds since 1970: infinite while it has not ended, and
    where nothing says how long it is kept."""
    seconds = str(annotations_of(wanted).get(TTL_AFTER_FINISHED, ""))
    return ended_at(live) + int(seconds) if seconds.isdecimal() else inf


def ended_at(live: Object) -> float:
    """When a job ended, in seconds since 1970; infinite when it has not, or does not say when."""
    status = live.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    for condition in conditions if isinstance(conditions, list) else ():
        if not isinstance(condition, dict) or condition.get("type") not in _ENDS:
            continue
        if condition.get("status") == "True":
            return _moment(condition.get("lastTransitionTime"))
    return inf


def _moment(stamp: object) -> float:
    found = _STAMP.fullmatch(str(stamp))
    try:
        return timegm(tuple(map(int, found.groups()))) if found else inf
    except ValueError:  # there is no such day
        return inf

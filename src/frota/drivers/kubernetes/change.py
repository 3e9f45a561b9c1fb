"""One change as a request, and its answer as a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypedDict

import msgspec

from frota.drivers.kubernetes.discovery import Served
from frota.drivers.kubernetes.fault import Answered, Cause, Garbled
from frota.drivers.kubernetes.link import ONLY_METADATA, Call
from frota.model.delivery import Change, ChangeResult, Verdict
from frota.model.objects import FIELD_MANAGER, Object

_APPLY = "application/apply-patch+yaml"  # JSON is YAML
# What an object became is seen by a watch. Servers that cannot answer with less answer whole.
_LITTLE = f"{ONLY_METADATA},application/json"
# As written by apimachinery's managedfields package: conflict with "kubectl" using apps/v1,
# or: conflict with "kubectl" with subresource "scale" using apps/v1.
_MANAGER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')
_REFUSED = frozenset({400, 401, 403, 405, 406, 413, 415, 422})


class _Metadata(TypedDict):
    uid: str
    resourceVersion: str


class _Kept(TypedDict):
    metadata: _Metadata


_KEPT = msgspec.json.Decoder(_Kept)


def request(change: Change, served: Served, *, dry_run: bool) -> Call:
    """What to send for a change."""
    path = served.path(change.key.namespace, change.key.name)
    if change.desired is None:
        return Call("DELETE", path, body=_delete_options(change, dry_run=dry_run))
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    if change.take_over:
        query["force"] = "true"
    body = msgspec.json.encode(_guarded(change.desired, change), enc_hook=_plain)
    if dry_run:
        return Call("PATCH", path, {**query, "dryRun": "All"}, body, _APPLY)
    return Call("PATCH", path, query, body, _APPLY, accept=_LITTLE)


def kept(body: bytes) -> Object:
    """Of the answer to an apply what says which object it is now. Raises Garbled."""
    try:
        return _KEPT.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Garbled("expected an object of JSON with metadata") from None


def deleted(change: Change, answer: Object) -> ChangeResult:
    """The result of a delete that was accepted. ``answer``: the object or a Status."""
    metadata = answer.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp"):
        waits = ", ".join(str(name) for name in (metadata.get("finalizers") or ())[:5])
        message = f"being deleted; waits for {waits}" if waits else "being deleted"
        return ChangeResult(change.key, Verdict.DELETED, message)
    return ChangeResult(change.key, Verdict.DELETED)


def failed(change: Change, answer: Answered, *, unsure: bool) -> ChangeResult:
    """The result of an answer that will not become better by asking again. ``unsure``: an
    earlier try may have succeeded."""
    key = change.key
    message = _message(change, answer)
    if answer.code == HTTPStatus.NOT_FOUND and change.desired is None:
        return ChangeResult(key, Verdict.DELETED, "was not there")
    if answer.code == HTTPStatus.CONFLICT:
        managers = conflicts(answer.causes)
        if managers:
            return ChangeResult(key, Verdict.CONFLICT, message, managers)
        if unsure and change.revision:
            # The object may be newer than planned because this very change was made.
            return ChangeResult(key, Verdict.UNKNOWN, message)
        return ChangeResult(key, Verdict.MOVED, message)
    if answer.code == HTTPStatus.NOT_FOUND and (change.uid or change.revision):
        return ChangeResult(key, Verdict.MOVED, message)
    if change.uid and any(cause.field == "metadata.uid" for cause in answer.causes):
        # An apply with another uid counts as an attempt to change it.
        return ChangeResult(key, Verdict.MOVED, "another object has this name by now")
    ending = any(cause.reason == "NamespaceTerminating" for cause in answer.causes)
    if answer.code in _REFUSED and not ending:
        return ChangeResult(key, Verdict.REFUSED, message)
    return ChangeResult(key, Verdict.FAILED, message)


def conflicts(causes: tuple[Cause, ...]) -> tuple[tuple[str, str], ...]:
    """Who manages which field, from the causes of a conflict: (manager, field)."""
    found = []
    for cause in causes:
        match = _MANAGER.match(cause.message)
        if cause.reason == "FieldManagerConflict" and match:
            found.append((match[1].replace('\\"', '"'), cause.field))
    return tuple(found)


def same(one: Object, other: Object) -> bool:
    """Equal but for what changes by itself: versions, and times at which fields were managed."""
    return _without_times(one) == _without_times(other)


def _without_times(item: Object) -> dict[str, Any]:
    metadata = {
        name: value
        for name, value in item.get("metadata", {}).items()
        if name not in ("resourceVersion", "generation", "managedFields")
    }
    metadata["managedFields"] = [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in item.get("metadata", {}).get("managedFields") or ()
    ]
    return {**item, "metadata": metadata}


def _guarded(desired: Object, change: Change) -> Object:
    """With preconditions in its metadata, where the API server checks them."""
    if not change.uid and not change.revision:
        return desired
    metadata = dict(desired["metadata"])
    if change.uid:
        metadata["uid"] = change.uid
    if change.revision:
        metadata["resourceVersion"] = change.revision
    return {**desired, "metadata": metadata}


def _delete_options(change: Change, *, dry_run: bool) -> bytes:
    options: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground" if change.foreground else "Background",
    }
    preconditions = {"uid": change.uid, "resourceVersion": change.revision}
    options["preconditions"] = {name: value for name, value in preconditions.items() if value}
    if dry_run:
        options["dryRun"] = ["All"]
    return msgspec.json.encode(options)


def _message(change: Change, answer: Answered) -> str:
    if change.key.kind == "Secret" and not change.key.group:
        return answer.reason  # the text may repeat what is in it
    return answer.message


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"objects are of JSON, {type(value).__name__} is not")

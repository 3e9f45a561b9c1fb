"""Adding a host to a stored HostGroup: checked as if it had been written in a file."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from frota.cli.naming import CLUSTER, GROUP
from frota.cli.outcome import Exit, Failure
from frota.cli.writing import edit, stored_name
from frota.resources.documents import load
from frota.resources.errors import nearest
from frota.store.sqlite import SqliteStore

_TEXT_FIELDS = {"rack": "rack", "uri": "uri", "migrate_uri": "migrateUri"}
_CAPACITY_FIELDS = ("memory", "cpus", "vms")


def with_host(store: SqliteStore, args: Namespace) -> str:
    """Put the host that the options describe into its group; returns what was done.

    With ``args.dry_run`` it only checks. Raises Failure for anything that a file would be
    refused for.
    """
    group = stored_name(store, GROUP, args.group)
    declared = _host(args)

    def change(document: dict[str, Any]) -> dict[str, Any]:
        return _checked(_joined(document, declared, args), store, args.name)

    if args.dry_run:
        entry = store.get(GROUP, group)
        if entry is not None:
            change(entry.value)
    else:
        edit(store, GROUP, group, change, f"add host {args.name}")
    return f"host {args.name} is declared in {group}"


def _host(args: Namespace) -> dict[str, Any]:
    host: dict[str, Any] = {"name": args.name}
    for option, field in _TEXT_FIELDS.items():
        if getattr(args, option) is not None:
            host[field] = getattr(args, option)
    capacity = {
        field: getattr(args, field)
        for field in _CAPACITY_FIELDS
        if getattr(args, field) is not None
    }
    if args.gpu:
        capacity["gpus"] = [_gpu(text) for text in args.gpu]
    return {**host, "capacity": capacity} if capacity else host


def _gpu(text: str) -> dict[str, Any]:
    model, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise Failure(Exit.BAD_INPUT, f"--gpu: expected MODEL=N, such as A100=4; found {text}")
    return {"model": model, "count": int(count)}


def _joined(document: dict[str, Any], host: dict[str, Any], args: Namespace) -> dict[str, Any]:
    spec = document["spec"]
    if any(other["name"] == args.name for other in spec["hosts"]):
        raise Failure(Exit.REFUSED, f"host {args.name} is in the group already")
    racks = [rack["name"] for rack in spec["racks"]]
    if args.rack and args.rack not in racks:
        if not args.new_rack:
            near = nearest(args.rack, racks)
            hint = f"did you mean {near}? If it is new" if near else "if it is new"
            raise Failure(
                Exit.BAD_INPUT, f"rack {args.rack} is not declared; {hint}, say --new-rack"
            )
        spec = {**spec, "racks": [*spec["racks"], {"name": args.rack}]}
    return {**document, "spec": {**spec, "hosts": [*spec["hosts"], host]}}


def _checked(document: dict[str, Any], store: SqliteStore, host: str) -> dict[str, Any]:
    """The group in its normal form, or Failure with all that is wrong."""
    known = [entry.value for entry in store.list(GROUP, CLUSTER)]
    loaded = load([("host add", json.dumps(document))], known)
    if loaded.problems:
        lines = "\n".join(f"  {p.path}: {p.message}" for p in loaded.problems)
        raise Failure(Exit.BAD_INPUT, f"host {host} cannot be added:\n{lines}")
    return loaded.resources[0].document

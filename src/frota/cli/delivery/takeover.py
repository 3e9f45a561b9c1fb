"""``frota take-over``: giving Frota an object that is another manager's."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from frota.cli.arguments import Run, describe
from frota.cli.delivery import standing
from frota.cli.naming import CLUSTER, find
from frota.cli.opening import opened, warn_when_idle
from frota.cli.outcome import Exit, Failure
from frota.cli.terminal import Terminal
from frota.cli.writing import report, told
from frota.controllers.clusterrecords import TAKE_OVER
from frota.controllers.contents import PART
from frota.model.objects import ObjectKey, key_of
from frota.ports.store import Conflict, Write
from frota.store.sqlite import SqliteStore

_PARTS_MOST = 3  # kind, namespace, name
_NEAR_MOST = 5


def take_over(parser: ArgumentParser) -> Run:
    """The arguments of ``frota take-over``."""
    describe(
        parser,
        "Give Frota an object in a cluster that is there already and another manager's: Frota "
        "writes over the fields that it declares, and keeps them from then on. OBJECT is "
        "KIND/NAMESPACE/NAME, or KIND/NAME for one of the whole cluster; KIND.GROUP where two "
        "kinds have one name. Without this Frota writes over nobody's fields.",
        "frota take-over east-prod Deployment/language-inference/chat",
        "frota take-over east-prod PriorityClass/frota-inference --undo",
    )
    parser.add_argument("cluster", metavar="CLUSTER", help="the member cluster")
    parser.add_argument("objects", metavar="OBJECT", nargs="+", help="such as Role/team-a/viewer")
    parser.add_argument("--undo", action="store_true", help="leave them to others again")
    return _run


def _run(args: Namespace, terminal: Terminal) -> int:
    with opened(terminal) as store:
        cluster = find(CLUSTER, args.cluster, standing.members(store))
        entry = store.get(TAKE_OVER, cluster)
        before = [tuple(words) for words in entry.value["objects"]] if entry is not None else []
        named = [_named(word, before if args.undo else _known(store, cluster))
                 for word in args.objects]  # fmt: skip
        after = [key for key in before if not args.undo or key not in named]
        if not args.undo:
            after += [key for key in dict.fromkeys(named) if key not in before]
        changed = after != before
        shown = ", ".join(str(ObjectKey(*key)) for key in named)
        word = "take-over --undo" if args.undo else "take-over"
        if changed:
            value: Any = {"objects": [list(key) for key in after]} if after else None
            fleet = store.raw_get(CLUSTER, cluster)
            group = fleet.value["spec"]["fleet"] if fleet is not None else ""
            line = told(store, group, f"{CLUSTER}/{cluster}", f"{word} {shown}")
            revision = entry.revision if entry is not None else 0
            try:
                store.commit([Write(TAKE_OVER, cluster, value, revision)], [line])
            except Conflict as error:
                raise Failure(Exit.BUSY, f"{error}; nothing was changed: try again") from None
        said = "left to others again" if args.undo else "Frota's to write"
        text = f"{cluster}: {shown}: {said if changed else 'is so already'}"
        report(terminal, f"{TAKE_OVER}/{cluster}", word, changed, text)
    warn_when_idle(terminal)
    return Exit.DONE


def _known(store: SqliteStore, cluster: str) -> list[tuple[str, ...]]:
    """All that the cluster has or is to have, by what was compiled for it."""
    found: dict[tuple[str, ...], None] = {}
    for entry in store.list(PART):
        if entry.name.partition("/")[0] == cluster:
            found.update((tuple(key_of(item)), None) for item in entry.value["objects"])
    return list(found)


def _named(word: str, known: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The one object that a word means."""
    parts = word.split("/")
    if len(parts) not in (_PARTS_MOST - 1, _PARTS_MOST) or not all(parts):
        raise Failure(Exit.BAD_INPUT, f"expected KIND/NAMESPACE/NAME or KIND/NAME; found {word}")
    kind, _, group = parts[0].partition(".")
    namespace, name = ("", parts[1]) if len(parts) < _PARTS_MOST else (parts[1], parts[2])
    found = [
        key
        for key in known
        if key[1:] == (kind, namespace, name) and (not group or key[0] == group)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        words = ", ".join(f"{key[1]}.{key[0]}" for key in found)
        raise Failure(Exit.BAD_INPUT, f"{word} may be one of several kinds; say which: {words}")
    near = [key for key in known if key[3] == name or key[1] == kind][:_NEAR_MOST]
    shown = ", ".join("/".join(part for part in key[1:] if part) for key in near)
    hint = f"; near it: {shown}" if near else ""
    raise Failure(Exit.NOT_FOUND, f"Frota declares no {word} for this cluster{hint}")

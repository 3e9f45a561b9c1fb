"""What would change in clusters, as words for people and as data for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frota.cli.delivery import merged
from frota.cli.delivery.foresight import FleetForesight
from frota.cli.delivery.looking import Look
from frota.cli.delivery.progress import groups
from frota.cli.terminal import Terminal, printable
from frota.cli.words import ago, plural
from frota.model.delivery import ChangeResult, Verdict
from frota.model.deliveryplan import Action, FieldDiff, Item
from frota.model.objects import Object, ObjectKey
from frota.planners.delivery.recorded import changed_fields

_BAD = frozenset({Verdict.CONFLICT, Verdict.REFUSED, Verdict.FAILED, Verdict.UNKNOWN})
_QUIET = frozenset({"Altered", "WrittenOnce", "PruneHeld"})
_SIGNS = {Action.CREATE: ("+", "green"), Action.PRUNE: ("-", "red")}
_NAMED_MOST = 40  # objects of one cluster that have lines of their own
_OF_KIND_MOST = 4  # of those that are told by kind
_FIELDS_MOST = 12  # of one object
_VALUE_MOST = 60
Looks = Mapping[str, Look]


def show(sight: FleetForesight, looks: Looks, terminal: Terminal, *, full: bool) -> None:
    """One fleet: its waves, then cluster by cluster."""
    rollout = sight.course.rollout
    said = f"rollout {rollout.id} would begin" if sight.begins else (
        f"nothing new; rollout {rollout.id} is {rollout.phase}"
    )  # fmt: skip
    terminal.say(terminal.paint(f"fleet {sight.fleet}: {said}", "bold"))
    for line in _waves(sight):
        terminal.say(f"  {line}")
    for target in sight.targets:
        look = looks[target.cluster]
        terminal.say()
        terminal.say(terminal.paint(f"{target.cluster}: {printable(_summary(look))}", "bold"))
        _show_held(look, terminal)
        if look.plan is not None:
            _show_items(look, terminal, full=full)


def _waves(sight: FleetForesight) -> Iterator[str]:
    gates = {wave.name: wave.gate for wave in sight.course.waves}
    for name, parts in groups(sight.course):
        clusters = ", ".join(part.cluster for part in parts)
        gate = gates.get(name)
        if gate is None:
            yield f"in no stage: {clusters}"
            continue
        then = [f"well for {ago(gate.soak)}"] if gate.soak else []
        then += ["an approval"] if gate.approval else []
        yield f"{name}: {clusters}" + (f"; then {', '.join(then)}" if then else "")


def _summary(look: Look) -> str:
    wanted = plural(len(look.target.wanted.objects), "object")
    if look.plan is None:
        why = look.error or look.target.beyond
        return f"not looked at: {why}; it would have {wanted}"
    if look.plan.waits:
        return f"{look.plan.waits}; it would have {wanted}"
    counts = counted(look)
    words = ", ".join(f"{count} to {action}" for action, count in counts.items())
    as_it_is = f"unchanged, {look.basis}" if look.basis else "as declared"
    settled = f"{len(look.plan.settled)} of {wanted} {as_it_is}"
    note = f"; {look.error}" if look.error else ""
    return f"{words or 'nothing to do'}; {settled}{note}"


def counted(look: Look) -> dict[str, int]:
    """How many objects there are for each action."""
    items = look.plan.items if look.plan is not None else ()
    found = Counter(item.action for item in items if item.change is not None)
    return {action.value: found[action] for action in Action if found[action]}


def _show_held(look: Look, terminal: Terminal) -> None:
    held = look.plan.held if look.plan is not None else None
    if held is None:
        return
    why = "; ".join(held.reasons)
    text = f"the brake would hold {plural(len(held.keys), 'deletion')}: {why}"
    terminal.say(f"  {terminal.paint(printable(text), 'yellow')}")
    command = f"approve {look.target.cluster} {held.plan}" if held.plan else "get clusters"
    terminal.say(f"  once it holds them: frota {command}")


def _show_items(look: Look, terminal: Terminal, *, full: bool) -> None:
    items = _shown(look, full=full)
    folded = [] if full else [item for item in items if _foldable(item, look)]
    single = [item for item in items if item not in folded]
    most = len(single) if full else _NAMED_MOST
    for item in single[:most]:
        sign, style = _SIGNS.get(item.action, ("~", "yellow"))
        if item.action is Action.LEAVE:
            sign, style = "!", "red"
        terminal.say(terminal.paint(printable(f"  {sign} {item.key}{_remark(item, look)}"), style))
        if full:
            _show_whole(item, look, terminal)
        elif item.action is not Action.CREATE:
            _show_fields(fields_of(item, look), terminal)
    if len(single) > most:
        terminal.say(f"  and {len(single) - most} more: --full shows all")
    for line, style in _folded(folded):
        terminal.say(terminal.paint(printable(line), style))


def _foldable(item: Item, look: Look) -> bool:
    """What can be told by kind: it is new, or its kind is not known there."""
    if item.action is Action.CREATE:
        result = look.results.get(item.key)
        return result is None or result.verdict not in _BAD
    return item.reason == "KindNotServed"


def _folded(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    kinds: dict[tuple[bool, str], list[str]] = {}
    for item in items:
        kind = f"{item.key.kind}.{item.key.group}" if item.key.group else item.key.kind
        where = f"{item.key.namespace}/{item.key.name}" if item.key.namespace else item.key.name
        kinds.setdefault((item.action is Action.CREATE, kind), []).append(where)
    for (new, kind), names in kinds.items():
        more = len(names) - _OF_KIND_MOST
        shown = ", ".join(names[:_OF_KIND_MOST]) + (f" and {more} more" if more > 0 else "")
        if new:
            yield f"  + {len(names)} {kind}: {shown}", "green"
        else:
            yield f"  ! {len(names)} {kind} left out, the cluster does not know it: {shown}", "dim"


def _shown(look: Look, *, full: bool) -> list[Item]:
    """What is worth a line: changes of what is there first, what is left last."""
    items = look.plan.items if look.plan is not None else ()
    order = {Action.CREATE: 2, Action.LEAVE: 3, Action.PRUNE: 1}
    kept = [i for i in items if i.change is not None or full or i.reason not in _QUIET]
    bad = {key for key, result in look.results.items() if result.verdict in _BAD}
    return sorted(kept, key=lambda i: (i.key not in bad, order.get(i.action, 0)))


def _remark(item: Item, look: Look) -> str:
    if item.key in look.unasked:
        return ""
    result = look.results.get(item.key)
    if result is not None and result.verdict in _BAD:
        held = ", ".join(f"{manager} holds {field}" for manager, field in result.managers[:3])
        said = f": {result.verdict}: {result.message}" + (f" ({held})" if held else "")
        mend = f"; frota take-over {look.target.cluster} {_word(item.key)}" if held else ""
        return said + mend
    if item.action is Action.LEAVE:
        return f": {item.reason}: {item.message}"
    if item.action in (Action.CORRECT, Action.TAKE_OVER):
        return f" ({item.action})"
    if result is not None and result.verdict is Verdict.UNCHANGED:
        return " (nothing in it would be different)"
    return ""


def _word(key: ObjectKey) -> str:
    kind = f"{key.kind}.{key.group}" if key.group else key.kind
    return "/".join(part for part in (kind, key.namespace, key.name) if part)


def fields_of(item: Item, look: Look) -> tuple[FieldDiff, ...]:
    """What differs in an object: with who wrote it where that is known, and else as the API
    server merged it."""
    if item.diffs or item.action is Action.PRUNE:
        return item.diffs
    live, after = look.live.get(item.key), after_of(look.results.get(item.key))
    if live is None or after is None:
        return ()
    return tuple(changed_fields(live, after))


def after_of(result: ChangeResult | None) -> Object | None:
    """The object as the API server answered that it would be."""
    return result.after if result is not None else None


def _show_fields(diffs: Sequence[FieldDiff], terminal: Terminal) -> None:
    for diff in diffs[:_FIELDS_MOST]:
        by = f"  (by {diff.writer})" if diff.writer else ""
        old = terminal.paint(_value(diff.found), "red")
        new = terminal.paint(_value(diff.wanted), "green")
        terminal.say(f"      {printable(diff.path)}: {old} -> {new}{printable(by)}")
    if len(diffs) > _FIELDS_MOST:
        terminal.say(f"      and {plural(len(diffs) - _FIELDS_MOST, 'field')} more")


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    text = printable(json.dumps(value, ensure_ascii=False, default=dict))
    return text if len(text) <= _VALUE_MOST else f"{text[:_VALUE_MOST]}…"


def _show_whole(item: Item, look: Look, terminal: Terminal) -> None:
    """The object as it is and as it would be, line by line."""
    if item.change is None:
        return
    live = look.live.get(item.key)
    after = after_of(look.results.get(item.key)) or item.change.desired
    for line in merged.lines(live, after):
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        terminal.say(f"      {terminal.paint(printable(line), style)}")


def refused(look: Look) -> bool:
    """Whether its API server, or another manager, is against any of it."""
    return any(result.verdict in _BAD for result in look.results.values())

"""From the words people type to the names under which things are stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from frota.cli.outcome import Exit, Failure

HOST, SET, VM = "Host", "AvailabilitySet", "VirtualMachine"
GROUP, CLUSTER, DECISION = "HostGroup", "Cluster", "Decision"
FLEET, TEAM, SERVICE, JOB = "Fleet", "Team", "InferenceService", "TrainingJob"
ROLLOUT = "Rollout"  # stored by the name of its fleet
DECLARED = (GROUP, FLEET, CLUSTER, TEAM, SERVICE, JOB)  # what people write

_SHORT = {
    HOST: ("hosts", "host", "h"),
    VM: ("vms", "vm", "virtualmachine", "virtualmachines"),
    SET: ("sets", "set", "availabilityset", "availabilitysets", "as"),
    GROUP: ("hostgroups", "hostgroup", "groups", "group", "hg"),
    CLUSTER: ("clusters", "cluster", "fcl"),
    FLEET: ("fleets", "fleet", "fl"),
    TEAM: ("teams", "team", "ftm"),
    SERVICE: ("services", "service", "inferenceservice", "inferenceservices", "fis"),
    JOB: ("jobs", "job", "trainingjob", "trainingjobs", "ftj"),
    ROLLOUT: ("rollouts", "rollout"),
    DECISION: ("decisions", "decision"),
}
_KINDS = {word: kind for kind, words in _SHORT.items() for word in words}
IN_GROUPS = frozenset({HOST, SET, VM})  # stored as ``group/name``


def kind_of(word: str, among: Iterable[str] = tuple(_SHORT)) -> str:
    """The kind that a word means, in any of its forms and cases."""
    allowed = tuple(among)
    kind = _KINDS.get(word.lower(), "")
    if kind in allowed:
        return kind
    from frota.resources.errors import nearest, one_of

    words = [_SHORT[kind][0] for kind in allowed]
    near = nearest(word, words)
    hint = f"; did you mean {near}?" if near else ""
    raise Failure(Exit.BAD_INPUT, f"expected a kind, {one_of(words)}; found {word}{hint}")


def split_subject(word: str) -> tuple[str, str]:
    """``KIND/NAME`` or ``KIND/GROUP/NAME`` as kind and name."""
    kind, slash, name = word.partition("/")
    if not slash or not name:
        raise Failure(Exit.BAD_INPUT, f"expected KIND/NAME, such as vm/east-cp-1; found {word}")
    return kind_of(kind), name


def find(kind: str, word: str, names: Sequence[str]) -> str:
    """The stored name that a word means: itself, or the only ``group/word`` there is."""
    if word in names:
        return word
    if kind in IN_GROUPS:
        same = [name for name in names if name.partition("/")[2] == word]
        if len(same) == 1:
            return same[0]
        if same:
            shown = ", ".join(same)
            raise Failure(Exit.BAD_INPUT, f"{kind} {word} is in several groups; say which: {shown}")
    raise missing(kind, word, names)


def missing(kind: str, word: str, names: Sequence[str]) -> Failure:
    """The failure for a name that nothing has, with the nearest that something has."""
    from frota.resources.errors import nearest

    plain = {name.partition("/")[2] or name: name for name in names}
    near = nearest(word, [*plain, *names] if "/" in word else list(plain))
    hint = f"; did you mean {near}?" if near else ""
    if not names:
        hint = "; there are none"
    return Failure(Exit.NOT_FOUND, f"there is no {kind} {word}{hint}")


def plain_name(name: str) -> str:
    """A stored name without its group."""
    return name.partition("/")[2] or name


def group_name(name: str) -> str:
    """The group in a stored name."""
    return name.partition("/")[0]

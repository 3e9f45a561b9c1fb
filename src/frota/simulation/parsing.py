"""Scenario files: YAML that people write, read with every error at its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from frota.resources.building import Document
from frota.resources.documents import load
from frota.resources.errors import Path, Problem, in_order, quoted
from frota.resources.reading import read
from frota.simulation import expect
from frota.simulation.actions import ACTIONS
from frota.simulation.arguments import HOST_FIELDS, POOL_FIELDS, Names, Reader
from frota.simulation.scenario import CLUSTER, Event, Expectation, Scenario, When
from frota.simulation.shorthand import cluster_document, group_document, host_document, normal
from frota.twin import Chances

_FIELDS = (
    "scenario", "title", "seed", "group", "hosts", "control-plane", "pools", "fleet",
    "timeline", "expect", "never", "end", "chances", "converge",
)  # fmt: skip
_TIMES = ("at", "by", "since")
_AFTER_LAST_S = 1800.0  # how long a run goes on after its last event, unless it says


OpenFile = Callable[[str], str]


def parse(
    file: str, text: str, open_file: OpenFile | None = None
) -> tuple[Scenario | None, tuple[Problem, ...]]:
    """The scenario of one file, or what is wrong with it.

    ``open_file`` gives the text of the file that a scenario names in ``fleet``, by its
    name relative to the scenario; it may raise OSError and UnicodeDecodeError.
    """
    reading = read(file, text)
    if reading.problems:
        return None, in_order(reading.problems)
    if len(reading.documents) != 1:
        found = f"{len(reading.documents)} documents"
        return None, (Problem(file, 1, 1, "", "one scenario in one file", found),)
    document = reading.documents[0]
    reader = Reader(document, Names())
    value = reader.mapping(document.value, (), _FIELDS)
    documents = _documents(reader, value, open_file)
    scenario = _scenario(reader, value, documents)
    if reader.problems:
        return None, in_order(reader.problems)
    return scenario, ()


def _scenario(
    reader: Reader, value: Mapping[str, Any], documents: tuple[Mapping[str, Any], ...]
) -> Scenario:
    events = _timeline(reader, value.get("timeline", []))
    expectations = _expectations(reader, value.get("expect", []))
    expectations += _never(reader, value.get("never", []))
    last = max([event.at for event in events] + [item.time for item in expectations], default=0.0)
    if "end" in value:
        end = reader.seconds(value["end"], ("end",))
    else:
        end = max([e.at for e in events], default=0.0) + _AFTER_LAST_S
    return Scenario(
        name=str(value.get("scenario", "")),
        title=" ".join(str(value.get("title", "")).split()),
        documents=documents,
        events=tuple(sorted(events, key=lambda event: event.at)),
        expectations=tuple(expectations),
        seed=reader.argument("whole", value.get("seed", 1), ("seed",)),
        end=max(end, last),
        fences=_fences(value.get("hosts", {})),
        chances=_chances(reader, value.get("chances", {})),
        converge=reader.argument("flag", value.get("converge", False), ("converge",)),
        file=reader.document.file,
    )


def _chances(reader: Reader, value: Any) -> Chances:
    words = {field.name.replace("_", "-"): field.name for field in fields(Chances)}
    known = tuple(words)
    return Chances(
        **{
            words[word]: reader.share(share, ("chances", word))
            for word, share in reader.mapping(value, ("chances",), known).items()
        }
    )


def from_mapping(name: str, value: Mapping[str, Any]) -> Scenario:
    """A scenario that was made, not written: the mapping of a file, known to be right.

    Raises ValueError when it is not.
    """
    names = Names(set(value["hosts"]), set(value.get("pools", {})))
    reader = Reader(Document(name, value, (1, 1)), names)
    hosts = [host_document(host, short) for host, short in value["hosts"].items()]
    documents = (
        normal(group_document(hosts, value.get("group", {}))),
        normal(cluster_document(value.get("control-plane"), value.get("pools", {}))),
    )
    scenario = _scenario(reader, value, documents)
    if reader.problems:
        raise ValueError(str(reader.problems[0]))
    return scenario


# Hosts and sets


def _documents(
    reader: Reader, value: Mapping[str, Any], open_file: OpenFile | None
) -> tuple[Mapping[str, Any], ...]:
    if "fleet" in value:
        name = str(value["fleet"])
        try:
            text = _no_file(name) if open_file is None else open_file(name)
        except (OSError, UnicodeDecodeError) as error:
            expected = "a file with a HostGroup and its Clusters, relative to this one"
            reader.wrong(("fleet",), expected, f"{quoted(name)}: {error}")
            return ()
        return _loaded(reader, ("fleet",), name, text)
    hosts = reader.mapping(value.get("hosts"), ("hosts",))
    pools = reader.mapping(value.get("pools", {}), ("pools",))
    reader.names.hosts |= hosts.keys()
    reader.names.pools |= pools.keys()
    for name, host in hosts.items():
        reader.mapping(host, ("hosts", name), HOST_FIELDS)
    for name, pool in pools.items():
        reader.mapping(pool, ("pools", name), POOL_FIELDS)
    control = value.get("control-plane")
    if control is not None:
        reader.mapping(control, ("control-plane",), POOL_FIELDS)
    spec = reader.mapping(value.get("group", {}), ("group",))
    if reader.problems:
        return ()
    group = group_document([host_document(name, host) for name, host in hosts.items()], spec)
    cluster = cluster_document(control, pools)
    text = "\n---\n".join(json.dumps(item) for item in (group, cluster))
    return _loaded(reader, ("hosts",), reader.document.file, text)


def _no_file(name: str) -> str:
    raise FileNotFoundError(f"no file can be named here, such as {name}")


def _loaded(reader: Reader, path: Path, name: str, text: str) -> tuple[Mapping[str, Any], ...]:
    """Check documents as ``frota apply`` does; what is wrong is said at ``path``."""
    loaded = load([(name, text)])
    line, column = reader.document.locate(path)
    for problem in loaded.problems:
        here = replace(problem, file=reader.document.file, line=line, column=column)
        reader.problems.append(here)
    documents = tuple(resource.document for resource in loaded.resources)
    for document in documents:
        spec = document["spec"]
        if document["kind"] == "HostGroup":
            reader.names.hosts |= {host["name"] for host in spec["hosts"]}
        else:
            reader.names.pools |= {pool["name"] for pool in spec["nodePools"]}
    return documents


def _fences(hosts: object) -> dict[str, str]:
    if not isinstance(hosts, dict):
        return {}
    return {
        name: host["fence"]
        for name, host in hosts.items()
        if isinstance(host, dict) and "fence" in host
    }


# What happens


def _timeline(reader: Reader, value: Any) -> list[Event]:
    events = []
    for index, item in enumerate(_items(reader, value, "timeline")):
        path: Path = ("timeline", index)
        entry = reader.mapping(item, path, ("at", *ACTIONS))
        words = [key for key in entry if key in ACTIONS]
        if "at" not in entry:
            reader.wrong(path, "at: and a time", "nothing", "such as at: 10m")
        if len(words) != 1:
            found = ", ".join(words) or "none"
            reader.wrong(path, "one action beside at", found, "write each in an item of its own")
            continue
        at = reader.seconds(entry.get("at", "0s"), (*path, "at"))
        events.append(Event(at, words[0], _arguments(reader, words[0], entry, path)))
    return events


def _arguments(reader: Reader, word: str, entry: Mapping[str, Any], path: Path) -> dict[str, Any]:
    action, value, where = ACTIONS[word], entry[word], (*path, word)
    sort = action.fields.get(action.plain, "")
    plain = not isinstance(value, dict) or sort in ("fences", "counts", "policy")
    if plain and not action.plain:
        reader.wrong(where, f"a mapping with {', '.join(action.fields)}", value)
        return {}
    if plain:
        if value is True and sort == "whole":
            return {}
        return {action.plain: reader.argument(sort, value, where)}
    known = {"host": "hosts"} if "hosts" in action.fields else {}
    args: dict[str, Any] = {}
    inner = _nested(word, reader.mapping(value, where))
    for key, part in inner.items():
        name = known.get(key, key)
        if name not in action.fields:
            reader.unknown((*where, key), key, tuple(action.fields), key=True)
            continue
        args[name] = reader.argument(action.fields[name], part, (*where, key))
    for name in action.needed:
        if name not in args:
            reader.wrong(where, f"{name}: a value", "nothing")
    return args


def _nested(word: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """``add-host`` and ``add-pool`` write the fields beside the name."""
    inner = {"add-host": "host", "add-pool": "pool"}.get(word)
    if inner is None:
        return value
    rest = {key: part for key, part in value.items() if key != "name"}
    return {**({"name": value["name"]} if "name" in value else {}), inner: rest}


# What must come of it


def _expectations(reader: Reader, value: Any) -> list[Expectation]:
    found = []
    for index, item in enumerate(_items(reader, value, "expect")):
        path: Path = ("expect", index)
        entry = reader.mapping(item, path)
        when = When.BY if "by" in entry else When.AT
        if not {"at", "by"} & entry.keys():
            reader.wrong(path, "at: or by: and a time", "nothing", "such as at: 15m")
        time = reader.seconds(entry.get("by", entry.get("at", "0s")), (*path, when.value))
        since = reader.seconds(entry["since"], (*path, "since")) if "since" in entry else 0.0
        for subject, wanted in entry.items():
            if subject not in _TIMES:
                known = _subject(reader, subject, wanted, path)
                place = _place(reader, (*path, subject))
                found.append(Expectation(when, time, known, wanted, since, place))
    return found


def _never(reader: Reader, value: Any) -> list[Expectation]:
    found = []
    for index, item in enumerate(_items(reader, value, "never")):
        path: Path = ("never", index)
        entry = reader.mapping(item, path)
        since = reader.seconds(entry["since"], (*path, "since")) if "since" in entry else 0.0
        for subject, wanted in entry.items():
            if subject != "since":
                known = _subject(reader, subject, wanted, path)
                place = _place(reader, (*path, subject))
                found.append(Expectation(When.NEVER, 0.0, known, wanted, since, place))
    return found


def _subject(reader: Reader, subject: str, wanted: Any, path: Path) -> str:
    """The subject with full names: ``set web`` is the set of the pool in the cluster."""
    kind, _, name = subject.partition(" ")
    where = (*path, subject)
    if kind in expect.SUBJECTS and name:
        fields = {"set": expect.SET_FIELDS, "vm": expect.VM_FIELDS, "host": expect.HOST_FIELDS}
        if isinstance(wanted, dict):
            reader.mapping(wanted, where, fields[kind])
        if kind == "host" and name not in reader.names.hosts:
            reader.unknown(where, name, tuple(sorted(reader.names.hosts)), key=True)
        if kind == "set" and name in (*reader.names.pools, "control-plane"):
            return f"set {CLUSTER}-{name}"
        return subject
    plain = (*expect.ORDER_COUNTS, *expect.STATE_COUNTS, *expect.JOURNAL)
    if subject not in plain:
        known = ("set NAME", "vm NAME", "host NAME", *plain)
        reader.unknown(where, subject, known, key=True)
    return subject


def _place(reader: Reader, path: Path) -> str:
    line, column = reader.document.locate(path, key=True)
    return f"{reader.document.file}:{line}:{column}"


def _items(reader: Reader, value: Any, name: str) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    reader.wrong((name,), 'a list, each item with "- "', value)
    return []

"""validate, apply, delete: all of it or nothing, and every error at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from frota.cli.changes import changes
from frota.model.host import Host, HostState
from frota.ports.store import Conflict, Write
from frota.resources.documents import load
from frota.store.memory import MemoryStore
from frota.store.sqlite import SqliteStore
from tests.cli.conftest import EXAMPLE, GROUP, ROOT, Frota

TEXT = EXAMPLE.read_text(encoding="utf-8")
BOTH = ["HostGroup/plant-east", "Cluster/east"]


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Text on standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def put(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return put


Put = Callable[[str, str], str]


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_example_is_valid_alone(example: Path, empty: Frota) -> None:
    ended = empty("validate", str(example))
    assert ended.code == 0, ended.err
    assert all(line.endswith(": valid") for line in ended.out.splitlines())
    assert not empty.store.exists()


def test_the_demo_plays_the_example() -> None:
    assert (ROOT / "src/frota/cli/three-hosts.yaml").read_text(encoding="utf-8") == TEXT


def test_all_errors_of_all_files_are_reported(empty: Frota, write: Put) -> None:
    first = write("one.yaml", TEXT.replace("memory: 4Gi", "memory: 4GB", 1))
    second = write("two.yaml", "kind: Host\n---\na: [\n")
    ended = empty("validate", first, second, "missing.yaml")
    assert ended.code == 2
    row = next(n for n, text in enumerate(TEXT.splitlines()) if "memory: 4Gi" in text)
    column = TEXT.splitlines()[row].index("4Gi") + 1
    assert f"{first}:{row + 1}:{column}: spec.controlPlane.vmSize.memory: " in ended.err
    assert "write 4Gi" in ended.err
    assert f"{second}:1:" in ended.err
    assert f"{second}:4:1: expected a value" in ended.err
    assert "missing.yaml:1:1: expected a file that can be read" in ended.err
    found = empty("validate", first, second, "missing.yaml", "--output", "json")
    assert found.code == 2
    assert found.data["valid"] is False
    assert {p["file"] for p in found.data["problems"]} == {first, second, "missing.yaml"}
    assert list(found.data["problems"][0]) == ["file", "line", "column", "path", "message"]


def test_bytes_that_are_no_text_are_named(empty: Frota, tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"kind: \xe9\n")
    ended = empty("validate", str(path))
    assert ended.code == 2
    assert "expected UTF-8 text; found the byte 0xe9 at offset 6" in ended.err


def test_directories_and_standard_input(
    empty: Frota, write: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, _, cluster = TEXT.partition("---\n")
    write("plant/deep/group.yaml", group)
    write("plant/cluster.yml", cluster)
    write("plant/notes.txt", "not read")
    ended = empty("validate", str(tmp_path / "plant"))
    assert ended.out.splitlines() == ["Cluster/east: valid", "HostGroup/plant-east: valid"]
    (tmp_path / "bare").mkdir()
    assert "none in this directory" in empty("validate", str(tmp_path / "bare")).err
    feed(monkeypatch, TEXT)
    assert empty("validate", "-").code == 0


def test_a_reference_may_be_to_what_is_stored(empty: Frota, write: Put) -> None:
    group, _, cluster = TEXT.partition("---\n")
    alone = write("cluster.yaml", cluster)
    assert empty("validate", alone).code == 2
    assert empty("apply", write("group.yaml", group)).code == 0
    assert empty("validate", alone).code == 0


def test_apply_creates_then_changes_then_does_nothing(empty: Frota, write: Put) -> None:
    ended = empty("apply", str(EXAMPLE))
    assert ended.code == 0
    assert ended.out.splitlines() == [f"{name} created" for name in BOTH]
    assert "no controller runs on this store" in ended.err
    ended = empty("apply", str(EXAMPLE))
    assert ended.out.splitlines() == [f"{name} unchanged" for name in BOTH]
    assert ended.err == ""
    changed = write(
        "more.yaml", TEXT.replace("count: 3", "count: 5", 1).replace("cpus: 4}", "cpus: 5}", 1)
    )
    ended = empty("apply", changed, "--output", "json")
    assert ended.data == [
        {"kind": "HostGroup", "name": "plant-east", "action": "configured",
         "fields": ["spec.overcommit.cpus"]},
        {"kind": "Cluster", "name": "east", "action": "configured",
         "fields": ["spec.controlPlane.count"]},
    ]  # fmt: skip
    asked = empty("events", "--output", "json").data
    assert [line["subject"] for line in asked] == [*BOTH, *BOTH]


def test_a_dry_run_stores_nothing(empty: Frota) -> None:
    ended = empty("apply", str(EXAMPLE), "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines() == [f"{name} created (dry run)" for name in BOTH]
    assert not empty.store.exists()


def test_one_bad_document_keeps_all_from_being_stored(empty: Frota, write: Put) -> None:
    bad = write("bad.yaml", TEXT.replace("hostGroup: plant-east", "hostGroup: plant-eats"))
    ended = empty("apply", bad)
    assert ended.code == 2
    assert "did you mean plant-east?" in ended.err
    assert "nothing was changed" in ended.err
    assert not empty.store.exists()


def without_c(text: str) -> str:
    lines = text.splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.strip() == "- name: c")
    return "".join(lines[:first] + lines[first + 3 :])


def test_a_member_host_cannot_vanish_from_a_file(frota: Frota, write: Put) -> None:
    shorter = write("shorter.yaml", without_c(TEXT))
    for command in ("apply", "plan"):
        ended = frota(command, shorter)
        assert ended.code == 1
        assert "no longer lists c, which is a member" in ended.err
        assert "frota host remove plant-east/c" in ended.err
    assert len(frota.entry("HostGroup", GROUP).value["spec"]["hosts"]) == 3


def test_a_host_that_never_joined_may_vanish(empty: Frota, write: Put) -> None:
    empty("apply", str(EXAMPLE))
    ended = empty("apply", write("shorter.yaml", without_c(TEXT)))
    assert ended.code == 0
    assert "spec.hosts[c] removed" in ended.out


def test_a_removed_host_that_is_listed_again_is_announced(frota: Frota, write: Put) -> None:
    def gone(host: Host) -> Host:
        return replace(host, state=HostState.REMOVED)

    frota.change("Host", "plant-east/c", gone)
    assert frota("apply", write("shorter.yaml", without_c(TEXT))).code == 0
    ended = frota("apply", str(EXAMPLE))
    assert ended.code == 0
    assert "host c was removed for good before; it joins plant-east as a new host" in ended.err


def test_somebody_else_may_write_first() -> None:
    store = MemoryStore()
    loaded = load([("x", TEXT)])
    (group, _) = changes(loaded.resources, store)
    store.commit([Write("HostGroup", GROUP, loaded.resources[0].document, 0)])
    with pytest.raises(Conflict):
        store.commit([group.write()])


def test_lists_of_named_things_differ_by_name() -> None:
    store = MemoryStore()
    first = load([("x", TEXT)]).resources
    store.commit([Write(r.kind, r.name, r.document, 0) for r in first])
    other = TEXT.replace("- name: web", "- name: api").replace(
        "{memory: 2Gi, cpus: 1}", "{cpus: 1}", 1
    )
    found = changes(load([("x", other)]).resources, store)
    assert [change.fields for change in found] == [
        ("spec.hosts[a].reserve.memory",),
        ("spec.nodePools[web] removed", "spec.nodePools[api] added"),
    ]


def test_a_cluster_is_deleted_after_it_was_confirmed(frota: Frota) -> None:
    ended = frota("delete", "cluster", "east", "--dry-run")
    assert ended.code == 0
    assert "stops and deletes 9 VMs of 3 sets (dry run)" in ended.out
    refused = frota("delete", "cluster", "east")
    assert refused.code == 1
    assert "confirm it with --yes" in refused.err
    assert frota("get", "clusters", "--output", "json").data
    assert frota("delete", "cluster", "east", "--yes").code == 0
    assert frota("get", "clusters", "--output", "json").data == []


def test_a_deleted_cluster_is_known_until_its_vms_are_gone(frota: Frota) -> None:
    document = frota.entry("Cluster", "east").value
    assert frota("delete", "cluster", "east", "--yes").code == 0
    assert frota.entry("FormerCluster", "plant-east/east").value == document


def test_a_group_with_clusters_or_vms_is_not_deleted(frota: Frota) -> None:
    ended = frota("delete", "hostgroup", GROUP)
    assert ended.code == 1
    assert "has clusters (east); delete them first" in ended.err
    frota("delete", "cluster", "east", "--yes")
    ended = frota("delete", "hostgroup", GROUP)
    assert ended.code == 1
    assert "has 9 VMs still" in ended.err


def test_an_empty_group_is_forgotten_with_its_hosts(frota: Frota) -> None:
    frota("delete", "cluster", "east", "--yes")
    store = SqliteStore(frota.store)
    for kind in ("VirtualMachine", "AvailabilitySet", "Verdict"):
        store.commit([Write(kind, e.name, None, e.revision) for e in store.list(kind)])
    store.close()
    ended = frota("delete", "hg", "plant-eats")
    assert (ended.code, "did you mean plant-east?" in ended.err) == (4, True)
    assert frota("delete", "hg", GROUP).code == 0
    for kind in ("hosts", "hostgroups"):
        assert frota("get", kind, "--output", "json").data == []

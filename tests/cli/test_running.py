"""up, simulate, import: what runs for a while, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from frota.cli.view.scene import Scene, draw
from frota.cli.view.screen import Screen
from frota.model.condition import Condition
from frota.model.host import HostState
from frota.model.snapshot import Snapshot
from frota.model.vm import Operation, Verb, VmState
from frota.ports.store import Write
from frota.store.memory import MemoryStore
from frota.twin import TwinClock
from tests.cli.conftest import EXAMPLE, GROUP, Frota, played

HELD = """\
scenario: small
title: two hosts, one dies
hosts:
  a: {memory: 16Gi, cpus: 8}
  b: {memory: 16Gi, cpus: 8}
pools:
  web: {count: 2, memory: 2Gi, cpus: 1}
timeline:
  - {at: 5m, crash: a}
expect:
  - at: 10m
    host a: Down
"""
DEADLINE_S = 60


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def put(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return put


Put = Callable[[str, str], str]


def test_up_prints_decisions_and_stops_on_sigterm(tmp_path: Path) -> None:
    store = tmp_path / "frota.db"
    command = [sys.executable, "-m", "frota", "--store", str(store)]
    with subprocess.Popen(
        [*command, "up", str(EXAMPLE), "--speed", "50", "--output", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        running = 0
        for line in process.stdout:
            running += json.loads(line)["reason"] == "Running"
            if running == 9:
                break
        second = subprocess.run(
            [*command, "up"], capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (0, "")
    assert second.returncode == 3
    assert f"process {process.pid}" in second.stderr


def test_up_redraws_a_picture_on_a_terminal(tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "frota", "--store", str(tmp_path / "frota.db")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    shown = b""
    with subprocess.Popen(
        [*command, "up", str(EXAMPLE), "--speed", "50"],
        stdin=inside, stdout=inside, stderr=inside, env=environment,
    ) as process:  # fmt: skip
        os.close(inside)
        while b"9 of 9 VMs running" not in shown:
            shown += os.read(terminal, 65536)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the other end is closed
            while part := os.read(terminal, 65536):
                shown += part
        code = process.wait(DEADLINE_S)
    os.close(terminal)
    assert code == 0
    assert shown.endswith(b"stopped; VMs run on\r\n")
    assert "█████".encode() in shown


def test_up_with_a_bad_file_does_not_begin(empty: Frota, write: Put) -> None:
    ended = empty("up", write("bad.yaml", "kind: Clster\n"))
    assert ended.code == 2
    assert not empty.store.exists()


@pytest.fixture
def heeded() -> Iterator[None]:
    """Children heed Ctrl-C even where these tests run in the background of a shell, which
    lets them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_is_quiet(frota: Frota) -> None:
    command = [sys.executable, "-m", "frota", "--store", str(frota.store), "events", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (130, b"")


def test_a_scenario_that_holds(empty: Frota, write: Put) -> None:
    ended = empty("simulate", write("small.yaml", HELD))
    assert ended.code == 0
    first, last = ended.out.splitlines()
    assert first.startswith("small    held   two hosts, one dies (")
    assert last == "1 of 1 scenario held"
    (data,) = empty("simulate", write("small.yaml", HELD), "--output", "json").data
    assert list(data) == [
        "scenario", "title", "held", "unmet", "broken", "simulatedHours", "moves", "restarts",
        "trace",
    ]  # fmt: skip


def test_a_scenario_that_does_not_hold(empty: Frota, write: Put) -> None:
    good, bad = write("good.yaml", HELD), write("bad.yaml", HELD.replace("a: Down", "a: Up"))
    ended = empty("simulate", good, bad)
    assert ended.code == 1
    assert "FAILED two hosts, one dies" in ended.out
    assert "1 of 2 scenarios held" in ended.out


def test_a_seed_makes_the_same_run(empty: Frota, write: Put) -> None:
    file = write("small.yaml", HELD)
    runs = [empty("simulate", file, "--seed", seed, "--output", "json").data for seed in "773"]
    assert runs[0] == runs[1]
    assert runs[0][0]["trace"] != runs[2][0]["trace"]


def test_problems_of_scenarios_are_placed(empty: Frota, write: Put) -> None:
    bad = write("bad.yaml", HELD.replace("crash: a", "crsh: a"))
    ended = empty("simulate", bad, "none.yaml")
    assert ended.code == 2
    assert f"{bad}:9:" in ended.err
    assert "none.yaml:1:1:" in ended.err
    assert "nothing was played" in ended.err


def test_fuzzing_ends_with_one_json_line(empty: Frota) -> None:
    ended = empty("simulate", "--fuzz", "2", "--seed", "1", "--output", "json")
    last = json.loads(ended.out.splitlines()[-1])
    assert list(last) == ["schedules", "broken", "simulated_hours", "seconds"]
    assert ended.code == (1 if last["broken"] else 0)
    assert last["schedules"] >= 1


def _picture(scene: Scene) -> str:
    console = Console(file=None, width=120, no_color=True, highlight=False, record=True)
    with console.capture() as captured:
        console.print(draw(scene))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _scene() -> Scene:
    run = played()
    records = {kind: {e.name.partition("/")[2]: e.value for e in run.store.list(kind)}
               for kind in ("Host", "AvailabilitySet", "VirtualMachine", "Verdict")}  # fmt: skip
    snapshot = Snapshot(
        GROUP, run.clock.now(), records["Host"], records["AvailabilitySet"],
        records["VirtualMachine"],
    )  # fmt: skip
    return Scene(snapshot, records["Verdict"], run.store.journal(last=2))


def test_the_picture_shows_hosts_vms_and_sets() -> None:
    lines = _picture(_scene()).splitlines()
    assert lines[0].split() == ["HOST", "STATE", "FOR", "MEMORY", "CPUS", "VMS"]
    assert lines[1].endswith("cp-1 models-1 web-1")
    assert "█████░░░░░  47%" in lines[1]
    assert "east-web            Healthy  yes  a=1 b=1 c=1  spread evenly" in _picture(_scene())
    assert "LAST DECISIONS" in _picture(_scene())


def test_the_picture_shows_what_is_under_way() -> None:
    scene = _scene()
    vms = scene.snapshot.vms
    moving = replace(
        vms["east-web-1"], state=VmState.MIGRATING,
        operation=Operation("op", Verb.LIVE, "east-web-1", "a", "b", 1, since=100.0),
    )  # fmt: skip
    lost = replace(vms["east-web-2"], state=VmState.UNPLACEABLE, reason="Capacity: \x1b[2Jfull")
    down = replace(scene.snapshot.hosts["c"], state=HostState.DOWN, reason="proved dead by lease")
    snapshot = scene.snapshot.with_vms([moving, lost]).with_hosts([down])
    text = _picture(replace(scene, snapshot=snapshot, troubles=["disk"]))
    assert "c       Down   proved dead by lease" in text
    assert "web-1→b" in text
    assert "web-1←a" in text
    assert "live       east-web-1  a → b  20s" in text
    assert "east-web-2   Unplaceable  Capacity: ?[2Jfull" in text
    assert text.splitlines()[-1] == "disk"


def test_many_vms_are_blocks() -> None:
    scene = _scene()
    one = scene.snapshot.vms["east-web-1"]
    more = [replace(one, name=f"east-web-{n}") for n in range(10, 90)]
    text = _picture(replace(scene, snapshot=scene.snapshot.with_vms(more)))
    assert text.count("■") == 89


def test_a_large_group_shows_what_is_not_well_first() -> None:
    scene = _scene()
    host = scene.snapshot.hosts["a"]
    more = [replace(host, name=f"h{n:02}", rack=f"h{n:02}") for n in range(50)]
    down = replace(host, name="z", rack="z", state=HostState.DOWN)
    crowd = replace(scene, snapshot=scene.snapshot.with_hosts([*more, down]), rows=4)
    lines = _picture(crowd).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["a", "b", "c", "z", "…"]
    assert lines[5] == "… 50 more"


def test_the_screen_reads_the_store() -> None:
    run = played()
    screen = Screen(run.store, TwinClock(run.world), Console(no_color=True, width=120))
    with screen._console.capture() as captured:
        screen._console.print(screen.picture())
    text = captured.get()
    assert f"{GROUP}  3 of 3 hosts up, 9 of 9 VMs running, 3 sets" in text
    assert "Ctrl-C stops the controllers" in text


def test_conditions_stay_in_the_picture() -> None:
    held = Condition(f"HostGroup/{GROUP}", "MovesBraked", "frota approve plant-east 1f2e", 1.0)
    lease = Condition("Host/b", "LeaseUnusable", "see to frota host-agent", 1.0)
    store = MemoryStore()
    run = played()
    for kind in ("HostGroup", "Cluster", "Host", "AvailabilitySet", "VirtualMachine"):
        for entry in run.store.list(kind):
            store.commit([Write(kind, entry.name, entry.value, 0)])
    for found in (held, lease):
        store.commit([Write("Condition", f"{GROUP}/{found.name}", found, 0)])
    screen = Screen(store, TwinClock(run.world), Console(no_color=True, width=120))
    with screen._console.capture() as captured:
        screen._console.print(screen.picture())
    text = captured.get()
    assert "frota approve plant-east 1f2e" in text
    assert "b: see to frota host-agent" in text


def test_import_writes_a_host_group(empty: Frota, tmp_path: Path) -> None:
    pytest.importorskip("libvirt")
    file = tmp_path / "hosts.yaml"
    ended = empty("import", "libvirt", "test:///default", "--name", "lab", "-o", str(file))
    assert ended.code == 0
    document = yaml.safe_load(file.read_text())
    assert document["metadata"]["name"] == "lab"
    assert document["spec"]["hosts"][0]["uri"] == "test:///default"
    assert empty("validate", str(file)).code == 0
    data = empty("import", "libvirt", "test:///default", "--output", "json").data
    assert data["kind"] == "HostGroup"


def test_import_names_what_could_not_be_asked(empty: Frota) -> None:
    pytest.importorskip("libvirt")
    ended = empty("import", "libvirt", "test:///nowhere.xml", "test:///default")
    assert ended.code == 5
    assert "1 host could not be asked" in ended.err
    assert "test:///default" in ended.out


def test_import_without_libvirt_says_what_to_install(
    empty: Frota, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("frota.drivers.libvirt")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libvirt", None)
    ended = empty("import", "libvirt", "qemu:///system")
    assert ended.code == 5
    assert "pip install 'frota[libvirt]'" in ended.err

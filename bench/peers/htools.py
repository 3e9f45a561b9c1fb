"""Ganeti's htools (Debian: ganeti-htools): ``hbal`` evens out, ``hcheck`` checks N+1.

Racks are location tags, sets are exclusion tags. Both tools look at more than Frota asks
them for: hbal balances load too, hcheck plans for every node and group.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.clock import Limits
from bench.peers.answer import Answer, absent, too_many, unfinished
from bench.racks import Case, rack_returns
from frota.model.host import Capacity, Size

MIB_OF_SLOT = 1024
PACKAGE = "not installed (Debian package ganeti-htools)"
_SPECS = "128,1,1024,1,1,1|128,1,1024,1,1,1;1048576,512,1048576,16,8,12"
_TEMPLATES = "diskless,file,sharedfile,plain,blockdev,drbd,rbd,ext,gluster"


def hbal(case: Case, limits: Limits) -> Answer:
    """Live moves only, until nothing gets better."""
    program = shutil.which("hbal")
    if program is None:
        return absent("hbal", PACKAGE)
    name = f"hbal {_version(program)}"
    rack_of, sets = rack_returns(case)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        before.write_text(_returned(case, rack_of, sets))
        command = [program, "-t", str(before), "-S", str(after), "--no-disk-moves", "-q"]
        began = time.perf_counter()
        try:
            subprocess.run(command, capture_output=True, timeout=limits.seconds, check=True)
        except subprocess.TimeoutExpired:
            return unfinished(name, limits.seconds)
        except subprocess.CalledProcessError as error:
            return absent(name, f"it failed with exit code {error.returncode}")
        spent = time.perf_counter() - began
        saved = next(Path(folder).glob("after*")).read_text()
    found = _places(saved, sets)
    moves = sum(a != b for x, y in zip(sets, found, strict=True) for a, b in zip(x, y, strict=True))
    return Answer(name, spent, moves, too_many(case, rack_of, found))


def hcheck(free: Sequence[Capacity], guests: Sequence[Sequence[Size]], limits: Limits) -> Answer:
    """The check alone, without trying to mend what it finds."""
    program = shutil.which("hcheck")
    if program is None:
        return absent("hcheck", PACKAGE)
    name = f"hcheck {_version(program)}"
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given"
        given.write_text(_mixed(free, guests))
        began = time.perf_counter()
        command = [program, "-t", str(given), "--no-simulation"]
        try:
            subprocess.run(command, capture_output=True, timeout=limits.seconds, check=False)
        except subprocess.TimeoutExpired:
            return unfinished(name, limits.seconds)
        return Answer(name, time.perf_counter() - began)


def _version(program: str) -> str:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+(?:\.\d+)+)", told.stdout)
    return found.group(1) if found else "?"


def _returned(case: Case, rack_of: Sequence[int], sets: Sequence[Sequence[int]]) -> str:
    used = Counter(place for places in sets for place in places)
    nodes = [
        _node(host, case.slots * MIB_OF_SLOT, used[host] * MIB_OF_SLOT, case.slots, f"rack:r{rack}")
        for host, rack in enumerate(rack_of)
    ]
    guests = [
        _instance(f"v{number}-{member}", MIB_OF_SLOT, 1, host, f"set:s{number}")
        for number, places in enumerate(sets)
        for member, host in enumerate(places)
    ]
    return _text(nodes, guests, ("htools:iextags:set", "htools:nlocation:rack"))


def _mixed(free: Sequence[Capacity], guests: Sequence[Sequence[Size]]) -> str:
    nodes, instances = [], []
    for host, (left, sizes) in enumerate(zip(free, guests, strict=True)):
        used = sum(size.memory_mib for size in sizes)
        cpus = left.vcpus + sum(size.vcpus for size in sizes)
        nodes.append(_node(host, left.memory_mib + used, used, cpus, ""))
        instances += [
            _instance(f"v{host}-{number}", size.memory_mib, size.vcpus, host, "")
            for number, size in enumerate(sizes)
        ]
    return _text(nodes, instances, ())


def _node(host: int, memory: int, used: int, cpus: int, tags: str) -> str:
    return f"h{host}|{memory}|0|{memory - used}|1000000|1000000|{cpus}|N|uuid-1|1|{tags}|N|0|1|1.0"


def _instance(name: str, memory: int, cpus: int, host: int, tags: str) -> str:
    return f"{name}|{memory}|0|{cpus}|running|Y|h{host}||sharedfile|{tags}|1|1|N"


def _text(nodes: Sequence[str], instances: Sequence[str], tags: Sequence[str]) -> str:
    """Groups, nodes, instances, cluster tags and policies, with an empty line after each."""
    policy = f"|{_SPECS}|{_TEMPLATES}|16.0|32.0"
    parts = (("g|uuid-1|preferred||",), nodes, instances, tags, (policy,))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _places(saved: str, sets: Sequence[Sequence[int]]) -> list[list[int]]:
    host_of = {}
    for line in saved.splitlines():
        fields = line.split("|")
        if fields[0].startswith("v") and len(fields) > 6:
            host_of[fields[0]] = int(fields[6][1:])
    return [
        [host_of[f"v{number}-{member}"] for member in range(len(places))]
        for number, places in enumerate(sets)
    ]

"""The lab's outer namespace: the switch that all hosts are plugged into.

Its first process owns every other process of the lab. It ends when its standard input
does, which is a pipe from the process that made the lab: so nothing outlives a test run,
however that ends. A detached lab holds its own input open instead.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from pathlib import Path

from tests.real.lab.layout import SLOTS, Site
from tests.real.lab.namespaces import LabError, first_process, inside, kill, run, wait_until

_INIT = Path(__file__).parent / "lab-init.sh"


def pid_of(root: Path) -> int:
    """The first process of the lab in ``root``; 0 when it does not run."""
    return first_process(root / "init.pid")


class Switch:
    """The running outer namespace of one lab."""

    def __init__(self, site: Site, starter: subprocess.Popen[bytes] | None = None) -> None:
        self.site = site
        self._starter = starter

    @property
    def pid(self) -> int:
        """Its first process; LabError when it has ended."""
        pid = pid_of(self.site.root)
        if not pid:
            raise LabError(f"the lab in {self.site.root} is not running")
        return pid

    def links(self, batch: str) -> None:
        """Commands of `ip -batch`, in the switch."""
        run(inside(self.pid, "n", ["ip", "-batch", "-"]), text=batch)

    def off(self) -> None:
        """End every process of the lab; twice is harmless."""
        kill(pid_of(self.site.root))
        if self._starter:
            if self._starter.stdin:
                self._starter.stdin.close()
            self._starter.wait(timeout=20)
            self._starter = None


def switch_on(root: Path, *, detached: bool) -> Switch:
    """Start the outer namespace in the first free address range and plug in the machine."""
    used = _networks_in_use()
    for slot in range(SLOTS):
        site = Site(root, slot)
        if any(ipaddress.IPv4Network(f"{site.net}.0.0/16").overlaps(net) for net in used):
            continue
        switch = Switch(site, _start(site, detached=detached))
        if _plug_in_machine(switch):
            return switch
        switch.off()
    raise LabError(f"all {SLOTS} address ranges of the lab are in use on this machine")


def _start(site: Site, *, detached: bool) -> subprocess.Popen[bytes]:
    argv = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--"]
    argv += ["sh", str(_INIT), str(site.root), site.switch]
    held = None
    if detached:
        never = site.root / "never"
        never.unlink(missing_ok=True)
        os.mkfifo(never)
        held = os.open(never, os.O_RDWR)  # its own writer: no end of input
    pid_file = site.root / "init.pid"
    pid_file.unlink(missing_ok=True)
    with (site.root / "lab.log").open("ab") as log:
        starter = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if held is None else held,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if held is not None:
        os.close(held)
    try:
        wait_until(pid_file.exists, 10, f"start of the lab's first process (see {log.name})")
    except LabError:
        starter.kill()
        starter.wait()
        raise
    return starter


def _plug_in_machine(switch: Switch) -> bool:
    """False when another lab has just taken this slot."""
    site = switch.site
    cable = f"link add {site.link} type veth peer name machine netns /proc/{switch.pid}/ns/net\n"
    try:
        run(["ip", "-batch", "-"], text=cable)
    except LabError as taken:
        if "File exists" in str(taken):
            return False
        raise
    switch.links("link set machine master sw0\nlink set machine up\n")
    own = f"address add {site.controller}/16 dev {site.link}\nlink set {site.link} up\n"
    run(["ip", "-batch", "-"], text=own)
    return True


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run(["ip", "-json", "-4", "route"]) or "[]")
    return [ipaddress.IPv4Network(r["dst"]) for r in routes if r["dst"] != "default"]

"""All clusters of a test fleet: up, down, and how they are."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from frota.drivers.devfleet.cluster import (
    Cluster,
    ClusterFailed,
    prepare,
    processes_below,
    stored,
)
from frota.drivers.devfleet.processes import kill_all
from frota.drivers.devfleet.programs import make_ready
from frota.drivers.devfleet.shape import Shape

_MARK = ".frota-dev-fleet"
_PREFIX = "member-"
_TRIES = 3
_TAKEN = "address already in use"


class FleetBusy(Exception):
    """Another command is at work on the same fleet."""


class NotOurs(Exception):
    """A directory has other things in it: no fleet is made there, and nothing removed."""


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """One fleet for each user, whatever directory they are in."""
    state = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local/state"
    return Path(state) / "frota/dev-fleet"


class Fleet:
    """The clusters below one directory. Methods raise FleetBusy and NotOurs."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()

    def up(self, clusters: int, shape: Shape) -> list[Cluster]:
        """Have at least so many clusters running; those that are there stay as they are.
        Returns all, ready. Raises ClusterFailed, ProgramMissing, OSError, TimeoutError."""
        self._own()
        with self._held():
            there = {cluster.name: cluster.shape for cluster in self.clusters()}
            names = there.keys() | {f"{_PREFIX}{number}" for number in range(1, clusters + 1)}
            fresh = sorted(names - there.keys(), key=_number)
            shapes = (*there.values(), *([shape] if fresh else []))
            make_ready(sorted({program for one in shapes for program in one.needs}))
            for attempt in range(1, _TRIES + 1):
                found = [prepare(self.home / name, shape) for name in sorted(names, key=_number)]
                try:
                    _start(found)
                except ClusterFailed as error:
                    # A port was taken since it was found free: others, then.
                    if attempt == _TRIES or not fresh or _TAKEN not in str(error):
                        raise
                    for name in fresh:
                        self._remove(self.home / name)
                else:
                    return found
        raise AssertionError("the last attempt returns or raises")

    def down(self) -> int:
        """End every process and remove every file. Returns how many clusters there were."""
        if not (self.home / _MARK).exists():
            return 0
        with self._held():
            homes = self._homes()
            kill_all(process for home in homes for process in processes_below(home))
            for home in homes:
                shutil.rmtree(home)
            (self.home / _MARK).unlink()
        try:
            self.home.rmdir()
        except OSError:
            return len(homes)  # somebody put something of their own there
        return len(homes)

    def clusters(self) -> list[Cluster]:
        """Those that were prepared, running or not."""
        found = [stored(home) for home in self._homes()]
        return [cluster for cluster in found if cluster is not None]

    def _homes(self) -> list[Path]:
        places = [place for place in self.home.glob(f"{_PREFIX}*") if place.is_dir()]
        return sorted(places, key=lambda place: _number(place.name))

    def _remove(self, home: Path) -> None:
        kill_all(processes_below(home))
        shutil.rmtree(home)

    def _own(self) -> None:
        """Make the directory, for its owner alone; never take one that others use."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = self.home / _MARK
        if not mark.exists() and any(self.home.iterdir()):
            raise NotOurs(
                f"{self.home} has other things in it. Expected: an empty directory, a new one, "
                "or that of a fleet made before"
            )
        self.home.chmod(0o700)
        mark.touch(mode=0o600)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One command at a time. The lock goes with the process, however that ends."""
        with (self.home / _MARK).open("a") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FleetBusy(f"another command is at work on the fleet in {self.home}") from None
            yield


def _start(clusters: list[Cluster]) -> None:
    """All at once, then wait for each: together they take hardly longer than one."""
    for cluster in clusters:
        cluster.start()
    for cluster in clusters:
        cluster.complete()


def _number(name: str) -> int:
    digits = name.removeprefix(_PREFIX)
    return int(digits) if digits.isdecimal() else 0
